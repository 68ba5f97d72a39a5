//! How long a child lives at most, and in which network.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Lets the kernel send `signal` to the process that `command` starts when the thread that starts it
/// ends, however that comes about (`PR_SET_PDEATHSIG`). Processes that the child starts are left to it; a
/// program with set-user-ID loses the order.
pub fn end_with_thread(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    let order = move || {
        // SAFETY: takes numbers; the kernel refuses what is no signal.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended before the order was given.
        if std::os::unix::process::parent_id() == parent {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    };
    // SAFETY: between fork and exec only system calls are made, which are safe there; nothing is
    // allocated.
    unsafe { command.pre_exec(order) };
}

/// Lets the process that `command` starts be born in a network namespace, wherever the thread is that
/// starts it.
///
/// Starting fails with `EPERM` without `CAP_SYS_ADMIN`, and with `EINVAL` if `network` is none.
pub fn start_in_network(command: &mut Command, network: OwnedFd) {
    let enter = move || {
        // SAFETY: the descriptor is open as long as the command, and of nothing but this thread the
        // namespace changes: the process has no other, as it has just been forked.
        if unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(enter) };
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::end_with_thread;

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let start = || {
            let mut command = Command::new("sleep");
            command.arg("600").stdout(Stdio::piped());
            end_with_thread(&mut command, libc::SIGTERM);
            command.spawn().unwrap()
        };
        let mut child = std::thread::spawn(start).join().unwrap();
        // Closed by its end.
        let mut output = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGTERM));
    }
}
