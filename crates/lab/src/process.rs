//! Faults in another process: stopped (its sockets stay open, and the kernel still answers for it) or
//! killed.
//!
//! A process is named by its number and its start time, and held by a pidfd while anything is done to
//! it, so that a later process with the same number is never struck. A stopped process would stay so
//! for ever if the lab died: so a [guardian](guard) continues it when the lab is gone or its time is
//! over.

mod find;
mod guardian;
mod proc;
mod restart;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{ChaosId, Fault, Order, ProcessFault, Target};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use serde_json::json;

pub(crate) use find::find;
use guardian::Guardian;
pub use guardian::{GuardianCommand, guard};
pub(crate) use proc::Stat;
pub use restart::RestartProcess;

use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Pause between two looks at a process whose state is about to change.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_micros(500);

/// The process with this number, as it is now.
///
/// # Errors
/// If there is none.
pub fn process_target(pid: u32) -> io::Result<Target> {
    let stat = Stat::read(pid)?;
    Ok(Target::Process { pid, start_time: stat.start_time })
}

/// A process, held.
pub(crate) struct Held {
    pidfd: OwnedFd,
}

impl Held {
    /// Nothing if it is gone, or another one has its number.
    pub(crate) fn open(pid: u32, start_time: u64) -> io::Result<Option<Self>> {
        let Some(number) = Pid::from_raw(pid.cast_signed()) else { return Ok(None) };
        let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Read after it was opened: if this is the right one, so is what the descriptor holds.
        let same = Stat::read(pid).is_ok_and(|stat| stat.start_time == start_time);
        Ok(same.then_some(Self { pidfd }))
    }

    /// One that is gone meanwhile is no error: whether it is so.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is seen of the process of an order: nothing if it is gone.
fn look(order: &Order) -> Option<Stat> {
    let (pid, start_time) = process(order)?;
    Stat::read(pid).ok().filter(|stat| stat.start_time == start_time)
}

const fn process(order: &Order) -> Option<(u32, u64)> {
    match order.target {
        Target::Process { pid, start_time } => Some((pid, start_time)),
        _ => None,
    }
}

/// Looks until it is so, or three quarters of the time are over: that nothing was seen is an answer too,
/// and one that comes after the deadline is taken for none.
pub(crate) fn look_until(deadline: Instant, mut is_so: impl FnMut() -> Evidence) -> Evidence {
    let begin = Instant::now();
    let until = begin + deadline.saturating_duration_since(begin) * 3 / 4;
    loop {
        let evidence = is_so();
        if evidence.holds || Instant::now() + LOOK_INTERVAL >= until {
            return evidence;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn permanent(error: &io::Error) -> InjectError {
    InjectError::Permanent(error.to_string())
}

/// What both faults ask of a process.
fn prepare(order: &Order) -> Result<Stat, Refusal> {
    let Some((pid, _)) = process(order) else {
        return Err(Refusal::new(
            "the target is no process",
            "name a process by `pid` and `start_time`",
        ));
    };
    if pid <= 1 || pid == std::process::id() {
        return Err(Refusal::new(
            format!("process {pid} is init or the lab itself"),
            "choose another process",
        ));
    }
    let Some(stat) = look(order) else {
        return Err(Refusal::new(
            format!("process {pid} is gone, or another one has its number"),
            "look its number and start time up again",
        ));
    };
    let allowed = Pid::from_raw(pid.cast_signed()).map(test_kill_process);
    if let Some(Err(error)) = allowed {
        return Err(Refusal::new(
            format!("process {pid} may not be signalled: {error}"),
            "run the lab as the same user",
        ));
    }
    if stat.is_dead() {
        return Err(Refusal::new(format!("process {pid} has ended"), "choose one that is alive"));
    }
    Ok(stat)
}

/// Stops a process.
#[derive(Debug)]
pub struct StopProcess {
    guardian: Guardian,
    /// Which injection has stopped which process: two would be undone by the end of the first.
    stopped: Mutex<HashMap<u32, ChaosId>>,
}

impl StopProcess {
    /// `guardian`: how to start a process that calls [`guard`].
    pub fn new(guardian: GuardianCommand) -> Self {
        Self { guardian: Guardian::new(guardian), stopped: Mutex::default() }
    }

    fn stopped(&self) -> MutexGuard<'_, HashMap<u32, ChaosId>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another injection is what has stopped it.
    fn is_of_another(&self, order: &Order) -> bool {
        process(order).is_some_and(|(pid, _)| {
            self.stopped().get(&pid).is_some_and(|owner| *owner != order.id)
        })
    }
}

impl Injector for StopProcess {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Process(ProcessFault::Stop))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        let stat = prepare(order)?;
        if stat.is_stopped() {
            return Err(Refusal::new(
                "the process is stopped or traced already",
                "continue it first; taking back would continue it",
            ));
        }
        self.guardian.wake().map_err(|error| {
            Refusal::new(
                format!("no guardian can be started: {error}"),
                "check the lab's executable",
            )
        })?;
        Ok(json!({"signal": "SIGSTOP", "revert": "SIGCONT", "command": stat.command}))
    }

    fn inject(&self, order: &Order, _: &Handle, around: Surroundings) -> Result<(), InjectError> {
        let gone = || InjectError::Permanent("the process is gone".to_owned());
        let (pid, start_time) = process(order).ok_or_else(gone)?;
        let held = Held::open(pid, start_time).map_err(|error| permanent(&error))?;
        let held = held.ok_or_else(gone)?;
        let owner = *self.stopped().entry(pid).or_insert(order.id);
        if owner != order.id {
            return Err(InjectError::Permanent(format!("{owner} has stopped this process")));
        }
        // The guardian knows of it before it is stopped.
        self.guardian
            .hold(pid, start_time, around.left(order), around.deadline)
            .map_err(|error| InjectError::Transient(format!("the guardian: {error}")))?;
        match held.signal(Signal::STOP) {
            Ok(true) => Ok(()),
            Ok(false) => Err(gone()),
            Err(error) => Err(permanent(&error)),
        }
    }

    fn verify(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let evidence = look_until(around.deadline, || seen(order, Stat::is_stopped));
        let is_held = |(pid, start_time)| self.guardian.holds(pid, start_time);
        if evidence.holds && !process(order).is_some_and(is_held) {
            return Err(InjectError::Unknown("the guardian is gone".to_owned()));
        }
        Ok(evidence)
    }

    fn revert(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        let Some((pid, start_time)) = process(order) else { return Ok(()) };
        if self.is_of_another(order) {
            return Ok(());
        }
        let unknown = |error: io::Error| InjectError::Unknown(error.to_string());
        if let Some(held) = Held::open(pid, start_time).map_err(unknown)? {
            held.signal(Signal::CONT).map_err(unknown)?;
        }
        self.guardian.release(pid, start_time);
        self.stopped().remove(&pid);
        Ok(())
    }

    fn verify_reverted(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        if self.is_of_another(order) {
            let seen = "another injection has stopped it".to_owned();
            return Ok(Evidence { holds: true, seen });
        }
        Ok(look_until(around.deadline, || match look(order) {
            None => Evidence { holds: true, seen: "the process is gone".to_owned() },
            Some(_) => seen(order, |stat| !stat.is_stopped()),
        }))
    }
}

/// Kills a process. Nothing takes that back; whoever supervises the process does.
#[derive(Clone, Copy, Debug, Default)]
pub struct KillProcess;

impl Injector for KillProcess {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Process(ProcessFault::Kill))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        let stat = prepare(order)?;
        Ok(json!({"signal": "SIGKILL", "revert": null, "command": stat.command}))
    }

    fn inject(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        kill(order)
    }

    fn verify(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        Ok(look_until(around.deadline, || see_dead(order)))
    }

    fn revert(&self, _: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        Ok(())
    }

    fn verify_reverted(
        &self,
        _: &Order,
        _: &Handle,
        _: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let seen = "a process that was killed leaves nothing to take back".to_owned();
        Ok(Evidence { holds: true, seen })
    }
}

/// One that is gone was killed by an attempt before, or ended by itself: as good.
fn kill(order: &Order) -> Result<(), InjectError> {
    let Some((pid, start_time)) = process(order) else { return Ok(()) };
    let held = Held::open(pid, start_time).map_err(|error| permanent(&error))?;
    if let Some(held) = held {
        held.signal(Signal::KILL).map_err(|error| permanent(&error))?;
    }
    Ok(())
}

fn see_dead(order: &Order) -> Evidence {
    match look(order) {
        None => Evidence { holds: true, seen: "the process is gone".to_owned() },
        Some(_) => seen(order, Stat::is_dead),
    }
}

fn seen(order: &Order, is_so: impl Fn(&Stat) -> bool) -> Evidence {
    let Some(stat) = look(order) else {
        return Evidence { holds: false, seen: "the process is gone".to_owned() };
    };
    let seen = format!("{} is in state {}", stat.command, stat.state);
    Evidence { holds: is_so(&stat), seen }
}
