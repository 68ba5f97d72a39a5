//! `bulkhead run --supervise`: a small parent that serves nothing itself.
//!
//! It holds a descriptor of every listening socket, so that their queues outlive the process that
//! serves. If that dies, another is started on the same sockets: connections that were being served
//! are lost, those that waited are not. One thread; it only waits.

mod backoff;
mod process;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

use super::channel::Offer;
use super::notify::Notifier;
use super::pid_file::PidFile;
use super::successor::Executable;
use crate::args::RunArgs;
use crate::log::Log;
use backoff::Backoff;
use process::{Process, Said};

/// Longest wait for something to happen: a wake-up that was missed costs no more than this.
const LOOK_AROUND: Duration = Duration::from_secs(1);

pub(super) fn execute(
    args: &RunArgs,
    executable: Executable,
    offer: Offer,
    log: Log,
) -> Result<ExitCode> {
    let signals = Watched::new().context("watch for signals")?;
    let pid_file = args.pid_file.as_deref().map(PidFile::write).transpose();
    let _pid_file = pid_file.context("write the process id")?;
    let first = Process::start(&executable, &offer)
        .with_context(|| format!("start `{}`", executable.path().display()))?;
    let mut supervisor = Supervisor {
        executable,
        log,
        notifier: Notifier::from_environment(),
        upgrade_timeout: args.upgrade_timeout,
        offer,
        current: Some(first),
        candidate: None,
        leaving: Vec::new(),
        backoff: Backoff::default(),
        restart_at: None,
        stopping: false,
        over: None,
        has_served: false,
    };
    loop {
        signals.wait(&supervisor)?;
        for signal in signals.pending() {
            supervisor.signalled(signal);
        }
        supervisor.listen();
        if let Some(status) = supervisor.reap() {
            return Ok(exit_code(status));
        }
        supervisor.start_what_is_due();
    }
}

/// Signals, and what wakes the thread when one comes.
struct Watched {
    seen: Vec<(i32, Arc<AtomicBool>)>,
    wake: UnixStream,
}

impl Watched {
    fn new() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut seen = Vec::new();
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD] {
            let flag = Arc::new(AtomicBool::new(false));
            // In this order: the flag is up when the thread wakes.
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
            seen.push((signal, flag));
        }
        Ok(Self { seen, wake })
    }

    fn pending(&self) -> impl Iterator<Item = i32> {
        use std::io::Read;
        let mut bytes = [0; 64];
        while matches!((&self.wake).read(&mut bytes), Ok(1..)) {}
        let seen = self.seen.iter().filter(|(_, flag)| flag.swap(false, Ordering::Relaxed));
        seen.map(|(signal, _)| *signal)
    }

    /// Until a signal comes, a process says something, or something is due.
    fn wait(&self, supervisor: &Supervisor) -> io::Result<()> {
        let talking = supervisor.processes().filter(|process| process.talks);
        let mut watched: Vec<PollFd<'_>> = talking
            .map(|process| PollFd::from_borrowed_fd(process.channel.as_fd(), PollFlags::IN))
            .collect();
        watched.push(PollFd::new(&self.wake, PollFlags::IN));
        let wait = supervisor.due_in(Instant::now()).min(LOOK_AROUND);
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(1),
            tv_nsec: wait.subsec_nanos().into(),
        };
        match poll(&mut watched, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The supervisor's state.
struct Supervisor {
    executable: Executable,
    log: Log,
    notifier: Notifier,
    upgrade_timeout: Duration,
    /// What the serving process listens on.
    offer: Offer,
    /// The process that serves.
    current: Option<Process>,
    /// The one that is to take its place, and until when it must be ready.
    candidate: Option<(Process, Instant)>,
    /// They drain.
    leaving: Vec<Process>,
    backoff: Backoff,
    restart_at: Option<Instant>,
    stopping: bool,
    /// How the last process that served has ended, if no other is to come.
    over: Option<ExitStatus>,
    /// A process has been ready: one that dies now is started again.
    has_served: bool,
}

impl Supervisor {
    fn processes(&self) -> impl Iterator<Item = &Process> {
        let candidate = self.candidate.as_ref().map(|(process, _)| process);
        self.current.iter().chain(candidate).chain(&self.leaving)
    }

    fn due_in(&self, now: Instant) -> Duration {
        let deadline = self.candidate.as_ref().map(|(_, until)| *until);
        let due = self.restart_at.into_iter().chain(deadline).min();
        due.map_or(LOOK_AROUND, |due| due.saturating_duration_since(now))
    }

    fn signalled(&mut self, signal: i32) {
        match signal {
            SIGCHLD => {}
            SIGUSR2 => self.upgrade(),
            SIGHUP => self.pass_on(Signal::HUP),
            SIGUSR1 => self.processes().for_each(|process| process.signal(Signal::USR1)),
            _ => self.stop(if signal == SIGINT { Signal::INT } else { Signal::TERM }),
        }
    }

    fn pass_on(&self, signal: Signal) {
        if let Some(current) = &self.current {
            current.signal(signal);
        }
    }

    /// All drain; a second time, all stop at once.
    fn stop(&mut self, signal: Signal) {
        if self.stopping {
            return self.processes().for_each(|process| process.signal(signal));
        }
        self.notifier.tell("STOPPING=1\nSTATUS=draining");
        self.stopping = true;
        self.restart_at = None;
        if let Some((mut candidate, _)) = self.candidate.take() {
            candidate.kill();
        }
        // Those that leave drain already.
        self.pass_on(signal);
    }

    fn upgrade(&mut self) {
        if self.stopping || self.candidate.is_some() {
            return self.log.warn("an upgrade is under way already, or the gateway stops");
        }
        let path = self.executable.path().display().to_string();
        self.log.info(&format!("upgrade: starting `{path}` in place of the process that serves"));
        match Process::start(&self.executable, &self.offer) {
            Ok(process) => self.candidate = Some((process, Instant::now() + self.upgrade_timeout)),
            Err(error) => {
                self.log.warn(&format!("upgrade failed, nothing changes: start `{path}`: {error}"));
            }
        }
    }

    /// Hears what the processes say.
    fn listen(&mut self) {
        for said in self.current.as_mut().map(Process::hear).unwrap_or_default() {
            match said {
                Said::Offer(offer) => self.offer = offer,
                Said::Ready => self.serves(),
                Said::Notify(state) => self.relay(&state),
            }
        }
        let mut offered = None;
        for said in self.candidate.as_mut().map(|(one, _)| one.hear()).unwrap_or_default() {
            match said {
                Said::Offer(offer) => offered = Some(offer),
                Said::Ready => self.promote(offered.take()),
                Said::Notify(_) => {}
            }
        }
        for process in &mut self.leaving {
            // Nobody is interested any more, but it must not have to wait.
            drop(process.hear());
        }
    }

    /// What the serving process has for the service manager. That it stops is its own affair.
    fn relay(&self, state: &str) {
        if !state.contains("STOPPING=1") {
            self.notifier.tell(state);
        }
    }

    /// The process has got ready.
    fn serves(&mut self) {
        if let Some(current) = &mut self.current {
            current.ready = true;
            self.has_served = true;
            self.log.info(&format!("supervisor: process {} serves", current.id()));
            self.notifier.tell("READY=1");
        }
    }

    /// The candidate is ready: the one before it drains.
    fn promote(&mut self, offer: Option<Offer>) {
        let Some((candidate, _)) = self.candidate.take() else { return };
        if let Some(offer) = offer {
            self.offer = offer;
        }
        if let Some(old) = self.current.replace(candidate) {
            old.retire();
            self.leaving.push(old);
        }
        self.restart_at = None;
        self.serves();
    }

    /// Sees who has ended. Gives the status to end with once nobody is left.
    fn reap(&mut self) -> Option<ExitStatus> {
        self.leaving.retain_mut(|process| process.reap().is_none());
        self.reap_candidate();
        self.reap_current();
        if self.stopping && self.current.is_none() {
            // It may have been told to stop while it waited to start another.
            self.over.get_or_insert_default();
        }
        self.over.filter(|_| self.leaving.is_empty())
    }

    fn reap_candidate(&mut self) {
        let Some((candidate, until)) = &mut self.candidate else { return };
        let ended = candidate.reap().map(|status| format!("it ended with {status}"));
        let late = (Instant::now() >= *until).then(|| "it was not ready in time".to_owned());
        if let Some(reason) = ended.or(late) {
            candidate.kill();
            self.candidate = None;
            self.log.warn(&format!("upgrade failed, nothing changes: {reason}"));
        }
    }

    fn reap_current(&mut self) {
        let Some(status) = self.current.as_mut().and_then(Process::reap) else { return };
        let Some(dead) = self.current.take() else { return };
        // One that never was ready says why itself, and would say it again.
        let is_over = self.stopping || status.success() || !self.has_served;
        if is_over && self.candidate.is_none() {
            self.over = Some(status);
            return;
        }
        let wait = self.backoff.died(dead.started.elapsed());
        let (id, ms) = (dead.id(), wait.as_millis());
        self.log.warn(&format!(
            "supervisor: process {id} died ({status}); starting another in {ms} ms"
        ));
        self.restart_at = Some(Instant::now() + wait);
    }

    fn start_what_is_due(&mut self) {
        let due = self.restart_at.is_some_and(|at| at <= Instant::now());
        // A candidate that is about to get ready is as good.
        if !due || self.candidate.is_some() || self.current.is_some() {
            return;
        }
        self.restart_at = None;
        match Process::start(&self.executable, &self.offer) {
            Ok(process) => self.current = Some(process),
            Err(error) => {
                let wait = self.backoff.died(Duration::ZERO);
                self.log.warn(&format!("supervisor: start another process: {error}"));
                self.restart_at = Some(Instant::now() + wait.max(Duration::from_millis(100)));
            }
        }
    }
}

/// The status of a process as one's own; a signal as shells tell it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
