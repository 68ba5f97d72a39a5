//! A timer that a poll can wait for, finer than its own time-outs of whole milliseconds.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

#[derive(Debug)]
pub(super) struct Timer {
    descriptor: OwnedFd,
    /// When it will go off, if it is set.
    set: Option<Duration>,
}

impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { descriptor, set: None })
    }

    /// Lets it go off at `due`, both times since the same beginning. One that is set for an earlier
    /// time stays: to wake once too often costs less than a system call for each packet.
    pub(super) fn set(&mut self, due: Duration, now: Duration) -> io::Result<()> {
        if self.set.is_some_and(|set| set <= due) {
            return Ok(());
        }
        // Zero would turn it off.
        let wait = due.saturating_sub(now).max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.descriptor.as_fd(), TimerfdTimerFlags::empty(), &once)?;
        self.set = Some(due);
        Ok(())
    }

    /// It went off.
    pub(super) fn clear(&mut self) {
        self.set = None;
        // Edge-triggered readiness needs no reading, but a stale count would be reported again.
        let _ = rustix::io::read(&self.descriptor, &mut [0; 8]);
    }
}
