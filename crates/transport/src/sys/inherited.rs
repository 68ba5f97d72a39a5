//! Descriptors that were open when the process began, known by their numbers alone.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

/// Numbers that were taken already.
static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// Takes an inherited descriptor, and closes it for programs that this one starts. Each number is given once.
/// `EBADF`: nothing is open under it, or it was taken before.
pub(crate) fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if taken.contains(&number) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: no pointer is passed; a number that is not open gives EBADF.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    taken.push(number);
    // SAFETY: the number is open, as `fcntl` has just said, and it is given to one owner only. The
    // caller promises, as the protocol of the environment says, that whoever started this process left it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
