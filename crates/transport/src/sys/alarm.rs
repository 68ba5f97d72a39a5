//! An end that the kernel brings about.

use std::time::Duration;

/// Lets the kernel end this process by `SIGALRM` after this time, rounded up to whole seconds and at
/// least one, however busy it is by then. The signal must not be caught or blocked. A later call takes
/// the place of an earlier one.
pub fn end_process_after(time: Duration) {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let seconds = libc::c_uint::try_from(seconds.max(1)).unwrap_or(libc::c_uint::MAX);
    // SAFETY: takes a number, and cannot fail.
    unsafe { libc::alarm(seconds) };
}
