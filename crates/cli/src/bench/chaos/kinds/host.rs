//! Faults of the host: loads that a child of the lab is, and limits of a process of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::{Amount, ChaosId, Fault, HostFault, Target};
use bulkhead_lab::process_target;
use rustix::fs::statvfs;

use super::process::idle;
use super::{Staged, is_soon};
use crate::bench::chaos::Ended;

const MEMORY_BYTES: u64 = 8 << 20;
const DISK_BYTES: u64 = 8 << 20;
const LIMIT_BYTES: u64 = 64 << 20;
const DESCRIPTORS: u64 = 16;
/// A control group can be removed when the kernel has noticed that its last process is gone.
const REMOVALS_MAX: u32 = 1_000;

/// Two at a time would take each other's room for their own.
static DISK: Mutex<()> = Mutex::new(());

/// A fault that is seen by the child that carries it.
struct Load {
    fault: HostFault,
    /// What its child has when it is in force.
    mark: fn(u32) -> bool,
    _alone: Option<MutexGuard<'static, ()>>,
}

pub(super) fn cpu() -> anyhow::Result<Box<dyn Staged>> {
    load(HostFault::Cpu { threads: 1, percent: 20.0 }, |pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks
            .map(|it| fs::read_to_string(it.path().join("comm")))
            .any(|name| name.is_ok_and(|name| name.trim_end() == "stress-cpu"))
    })
}

pub(super) fn memory() -> anyhow::Result<Box<dyn Staged>> {
    load(HostFault::Memory(Amount::Bytes(MEMORY_BYTES)), |pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kib = line.and_then(|it| it.split_ascii_whitespace().next()?.parse::<u64>().ok());
        kib.is_some_and(|kib| kib * 1024 >= MEMORY_BYTES)
    })
}

pub(super) fn io() -> anyhow::Result<Box<dyn Staged>> {
    let directory = std::env::temp_dir().display().to_string();
    load(HostFault::Io { directory, bytes: 1 << 20 }, has_nameless_file)
}

pub(super) fn disk_full() -> anyhow::Result<Box<dyn Staged>> {
    let alone = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    // Where nobody else writes, if there is such a place.
    let shared = Path::new("/dev/shm");
    let place = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let room = statvfs(&place).context("ask how much room there is")?;
    let free_bytes = (room.f_bavail * room.f_frsize).saturating_sub(DISK_BYTES);
    let directory = place.display().to_string();
    let fault = HostFault::DiskFull { directory, free_bytes, allow_root_file_system: true };
    Ok(Box::new(Load { fault, mark: has_nameless_file, _alone: Some(alone) }))
}

fn load(fault: HostFault, mark: fn(u32) -> bool) -> anyhow::Result<Box<dyn Staged>> {
    Ok(Box::new(Load { fault, mark, _alone: None }))
}

fn has_nameless_file(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|it| fs::read_link(it.path()).ok()).any(|target| {
        let target = target.display().to_string();
        target.starts_with('/') && target.ends_with(" (deleted)")
    })
}

/// Processes that carry an injection, by their environment.
pub(super) fn carriers(id: ChaosId) -> Vec<u32> {
    let setting = format!("BULKHEAD_CHAOS_ID={id}\0");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let carries = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(setting.len()).any(|part| part == setting.as_bytes())
    };
    pids.filter(carries).collect()
}

impl Staged for Load {
    fn fault(&self) -> Fault {
        Fault::Host(self.fault.clone())
    }

    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target::Host)
    }

    fn is_struck(&mut self, id: ChaosId) -> bool {
        // Its threads may be about to begin.
        is_soon(|| carriers(id).into_iter().any(self.mark))
    }

    fn is_left_behind(&mut self, id: ChaosId) -> bool {
        !carriers(id).is_empty()
    }
}

/// A process of our own of which a limit is lowered.
struct Limited {
    fault: HostFault,
    victim: Ended,
    /// Where the limit is read, and how.
    file: PathBuf,
    read: fn(&str) -> Option<u64>,
    before: Option<u64>,
    group: Option<PathBuf>,
}

pub(super) fn descriptors() -> anyhow::Result<Box<dyn Staged>> {
    let victim = idle()?;
    let file = format!("/proc/{}/limits", victim.0.id()).into();
    let fault = HostFault::Descriptors { limit: DESCRIPTORS };
    Ok(Box::new(Limited::new(fault, victim, file, open_files, None)))
}

/// Where no control group can be made, the victim is in one that the lab refuses: not feasible.
pub(super) fn memory_limit() -> anyhow::Result<Box<dyn Staged>> {
    let victim = idle()?;
    let name = format!("bulkhead-bench-{}-{}", std::process::id(), victim.0.id());
    let roots = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
    let mut made = roots.into_iter().filter_map(|(root, file)| {
        let group = Path::new("/sys/fs/cgroup").join(root).join(&name);
        fs::create_dir(&group).ok()?;
        if group.join(file).exists() {
            return Some((group, file));
        }
        let _ = fs::remove_dir(&group);
        None
    });
    let fault = HostFault::MemoryLimit { bytes: LIMIT_BYTES };
    let Some((group, file)) = made.next() else {
        return Ok(Box::new(Limited::new(fault, victim, PathBuf::new(), number, None)));
    };
    let pid = victim.0.id().to_string();
    let limited = Limited::new(fault, victim, group.join(file), number, Some(group.clone()));
    fs::write(group.join("cgroup.procs"), pid).context("move a process into a control group")?;
    Ok(Box::new(limited))
}

fn open_files(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

/// None is `max`, in which there is no number.
fn number(text: &str) -> Option<u64> {
    text.trim_end().parse().ok()
}

impl Limited {
    fn new(
        fault: HostFault,
        victim: Ended,
        file: PathBuf,
        read: fn(&str) -> Option<u64>,
        group: Option<PathBuf>,
    ) -> Self {
        let mut limited = Self { fault, victim, file, read, before: None, group };
        limited.before = limited.now();
        limited
    }

    fn now(&self) -> Option<u64> {
        fs::read_to_string(&self.file).ok().and_then(|text| (self.read)(&text))
    }
}

impl Staged for Limited {
    fn fault(&self) -> Fault {
        Fault::Host(self.fault.clone())
    }

    fn target(&self) -> anyhow::Result<Target> {
        process_target(self.victim.0.id()).context("find the process to strike")
    }

    fn is_struck(&mut self, _: ChaosId) -> bool {
        let now = self.now();
        now.is_some() && now != self.before
    }

    fn is_left_behind(&mut self, id: ChaosId) -> bool {
        self.now() != self.before || !carriers(id).is_empty()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.victim.0.kill();
        let _ = self.victim.0.wait();
        let Some(group) = &self.group else { return };
        for _ in 0..REMOVALS_MAX {
            if fs::remove_dir(group).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
