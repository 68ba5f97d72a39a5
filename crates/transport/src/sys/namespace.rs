//! Namespaces of Linux: a network of one's own, and the right to have one without being root.

use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Moves the calling thread, and no other, into a new network namespace. Threads that it starts are
/// born there.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN` (see [`start_in_user_namespace`]).
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: no pointer is passed, and a network namespace has no part in memory safety: descriptors
    // and address space stay shared with the other threads.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets `command` start in a user namespace of its own, as its root: there it may make network
/// namespaces and devices in them, and outside of it nothing more than before. Only a process with one
/// thread may enter such a namespace, so a program starts itself anew for it.
///
/// Starting fails with `EPERM` or `ENOSPC` where the host forbids it (`user.max_user_namespaces`,
/// `kernel.unprivileged_userns_clone`, AppArmor).
pub fn start_in_user_namespace(command: &mut Command) {
    // SAFETY: neither call takes anything or can fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let user_map = format!("0 {user} 1\n");
    let group_map = format!("0 {group} 1\n");
    let enter = move || {
        // SAFETY: no pointer is passed; the process has one thread, as it has just been forked.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
            return Err(io::Error::last_os_error());
        }
        write_file(c"/proc/self/setgroups", b"deny")?;
        write_file(c"/proc/self/gid_map", group_map.as_bytes())?;
        write_file(c"/proc/self/uid_map", user_map.as_bytes())
    };
    // SAFETY: between fork and exec only system calls are made, which are safe there; memory was
    // allocated before.
    unsafe { command.pre_exec(enter) };
}

/// Writes without allocating: for a child between fork and exec.
fn write_file(path: &CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends with a zero byte and outlives the call.
    let descriptor = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointer is to `text.len()` readable bytes; the descriptor was opened just now.
    let written = unsafe { libc::write(descriptor, text.as_ptr().cast(), text.len()) };
    let error = io::Error::last_os_error();
    // SAFETY: the descriptor is ours and is not used after this.
    unsafe { libc::close(descriptor) };
    if written == text.len().cast_signed() { Ok(()) } else { Err(error) }
}
