//! A virtual machine of a Debian kernel, an initramfs, and nothing else: no disk, no network.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::bench::packages::apt_install;
use crate::command::{ended_within, find_program, output, run};

const QEMU: &str = "qemu-system-x86_64";
/// Programs of the host, with their packages; the last two are taken into the guest.
const PROGRAMS: [(&str, &str); 3] =
    [(QEMU, "qemu-system-x86"), ("ip", "iproute2"), ("tc", "iproute2")];
/// The meta-package that depends on the kernel of the day.
const KERNEL: &str = "linux-image-amd64";
const MODULES: [&str; 3] = ["sch_netem", "veth", "tun"];
/// An emulated minute is about as long as a real one.
const LIMIT: Duration = Duration::from_secs(30 * 60);

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /sbin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
for module in sch_netem veth tun; do /bin/busybox insmod /modules/$module.ko; done
PATH=/bin TMPDIR=/tmp /bin/netem 2>&1
/bin/busybox poweroff -f
";

/// Installs what is missing, if it may: whether all is there then.
pub(super) fn has_programs() -> bool {
    PROGRAMS.iter().all(|(program, package)| {
        find_program(program).is_some()
            || (apt_install(package).is_ok() && find_program(program).is_some())
    })
}

/// What emulates.
pub(super) fn version() -> Result<String> {
    let told = output(Command::new(QEMU).arg("--version"))?;
    let line = told.lines().next().unwrap_or_default();
    Ok(line.split(" (").next().unwrap_or_default().replace(" emulator version", ""))
}

/// The kernel, its modules and a static busybox, unpacked from Debian's packages.
pub(super) fn kernel(scratch: &Path) -> Result<PathBuf> {
    let depends = output(Command::new("apt-cache").args(["depends", KERNEL]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let package =
        package.with_context(|| format!("{KERNEL} depends on nothing; try `apt-get update`"))?;
    let unpacked = scratch.join(package);
    if unpacked.join("complete").is_file() {
        return Ok(unpacked);
    }
    let packages = scratch.join("packages");
    fs::create_dir_all(&packages)?;
    fs::create_dir_all(&unpacked)?;
    run(Command::new("apt-get").current_dir(&packages).args([
        "download",
        "-q",
        package,
        "busybox-static",
    ]))?;
    for entry in fs::read_dir(&packages)? {
        unpack(&entry?.path(), &unpacked)?;
    }
    // Packages that an earlier kernel has left are in the way of none; these are not needed again.
    fs::remove_dir_all(&packages)?;
    fs::write(unpacked.join("complete"), "")?;
    Ok(unpacked)
}

/// Only what the guest needs: the whole is 400 MB.
fn unpack(package: &Path, into: &Path) -> Result<()> {
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("start dpkg-deb")?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(into).arg("--wildcards").arg("--transform=s,.*/,,");
    tar.args(["./boot/vmlinuz-*", "*/bin/busybox"]);
    // Packed or not, as the kernel's version has them.
    tar.args(MODULES.map(|module| format!("*/{module}.ko*")));
    let stdout = archive.stdout.take().context("the output of dpkg-deb")?;
    // A pattern that meets nothing in this package is an error for tar; what is missing shows below.
    let _ = tar.stdin(stdout).stderr(Stdio::null()).status().context("start tar")?;
    ensure!(archive.wait()?.success(), "dpkg-deb cannot read {}", package.display());
    Ok(())
}

/// An initramfs with the kernel's modules, busybox, `ip`, `tc`, and the program with its libraries.
pub(super) fn image(scratch: &Path, kernel: &Path, program: &Path) -> Result<PathBuf> {
    let tree = scratch.join("root");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    for directory in ["bin", "modules", "lib64"] {
        fs::create_dir_all(tree.join(directory))?;
    }
    fs::copy(kernel.join("busybox"), tree.join("bin/busybox")).context("copy busybox")?;
    for module in MODULES {
        module_into(kernel, &tree.join("modules"), module)?;
    }
    let tools = ["ip", "tc"].map(|name| (name, find_program(name)));
    for (name, path) in tools.into_iter().chain([("netem", Some(program.to_owned()))]) {
        let path = path.with_context(|| format!("find {name}"))?;
        fs::copy(&path, tree.join("bin").join(name)).with_context(|| format!("copy {name}"))?;
        libraries(&path, &tree)?;
    }
    let init = tree.join("init");
    fs::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let image = scratch.join("initramfs.cpio");
    let mut pack = Command::new("sh");
    pack.current_dir(&tree).env("BUSYBOX", kernel.join("busybox")).env("IMAGE", &image);
    // Newc is the format of the kernel.
    run(pack.args(["-c", "find . | \"$BUSYBOX\" cpio -o -H newc > \"$IMAGE\" 2>/dev/null"]))?;
    Ok(image)
}

fn module_into(kernel: &Path, directory: &Path, name: &str) -> Result<()> {
    let plain = kernel.join(format!("{name}.ko"));
    let packed = kernel.join(format!("{name}.ko.xz"));
    if packed.is_file() && !plain.is_file() {
        run(Command::new("xz").arg("-dk").arg(&packed))?;
    }
    if !plain.is_file() {
        bail!("the kernel's package has no module {name}");
    }
    fs::copy(&plain, directory.join(format!("{name}.ko")))?;
    Ok(())
}

/// Those that the dynamic linker loads, and itself, at their places.
fn libraries(program: &Path, tree: &Path) -> Result<()> {
    let told = output(Command::new("ldd").arg(program))?;
    for path in told.split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = tree.join(path.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().unwrap_or(tree))?;
        fs::copy(path, &copy).with_context(|| format!("copy {path}"))?;
    }
    Ok(())
}

/// Boots it and gives what it said. Its clock counts instructions (`-icount`), and time in which it has
/// nothing to do passes at once: so its delays are the same on a busy host.
pub(super) fn boot(scratch: &Path, kernel: &Path, image: &Path) -> Result<String> {
    let mut files = fs::read_dir(kernel)?.flatten().map(|it| it.path());
    let is_kernel = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    };
    let vmlinuz = files.find(is_kernel).context("the kernel's package has no vmlinuz")?;
    let mut command = Command::new(QEMU);
    command.args(["-accel", "tcg", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"]);
    command.args(["-m", "1024", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"]);
    command.arg("-kernel").arg(vmlinuz).arg("-initrd").arg(image);
    command.args(["-append", "console=ttyS0 quiet panic=-1"]);
    let (status, told) = ended_within(&mut command, LIMIT, &scratch.join("console.log"))?;
    ensure!(status.success(), "the virtual machine ended with {status}\n{told}");
    Ok(told)
}
