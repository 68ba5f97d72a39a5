//! Which thread runs when several could.

use std::io;

/// Lets the calling thread, and those that it starts from now on, run before all ordinary ones
/// (`SCHED_FIFO` at its lowest priority, sched(7)). For threads that work little and must be punctual.
/// The kernel still keeps a twentieth of the time for others.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or `RLIMIT_RTPRIO`.
pub fn run_in_real_time() -> io::Result<()> {
    // SAFETY: `sched_param` is plain data of the C world, for which all bits zero is a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 1;
    // SAFETY: 0 is the calling thread; the pointer is to a local that the kernel only reads.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
