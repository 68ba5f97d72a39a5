//! A lab at work: the engine under a lock, and threads that carry out what it wants. Every step of it
//! takes no longer than giving lines and calls to other threads; nothing waits under the lock.

mod abort;
mod lever;
mod links;
mod lost;
mod orders;
mod resolve;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bulkhead_chaos::{
    ABORT_SAMPLE_INTERVAL, Answer, Approvals, AuditHead, ChaosId, Command, Engine, EngineOptions,
    Happening, InjectionReport, Number, Policy, Random, State,
};
use serde::Serialize;
use serde_json::json;

pub use lever::set_lever_file;
pub use orders::{DryRun, Ordered};

use crate::audit::AuditLog;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::events::Bus;
use crate::journal::Journal;
use crate::pool::{Job, Pool};
use crate::writer::{Files, Line, Waiting};
use crate::{LabError, Registry, Subscription};

/// How often the lever's file is looked for.
const LEVER_INTERVAL: Duration = Duration::from_millis(250);
/// Who acts where nobody asked.
const LAB: &str = "lab";

/// What a lab is made with.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Where journal, audit log and lever are.
    pub directory: PathBuf,
    /// Limits and times.
    pub engine: EngineOptions,
    /// Who may do what.
    pub policy: Policy,
    /// Of ids and jitter.
    pub seed: u64,
}

/// A lab. Dropping it takes nothing back; [`Lab::close`] does.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Let go of after the threads have ended.
    _directory: Directory,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    core: Mutex<Core>,
    /// Something happened to an injection.
    changed: Condvar,
    /// Something is due earlier than it was.
    wake: Condvar,
    waiting: Waiting,
    registry: Arc<Registry>,
    policy: Policy,
    clock: Clock,
    lever: PathBuf,
    /// Nothing new is accepted.
    ending: AtomicBool,
    /// The threads end.
    closing: AtomicBool,
}

#[derive(Debug)]
struct Core {
    engine: Engine,
    bus: Bus,
    random: Random,
    approvals: Approvals,
    watches: Vec<abort::Watched>,
    /// Whether the lever's file was there when it was last looked for.
    lever_file: bool,
    pool: Option<Pool>,
}

/// What a lab says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Whether nothing is injected at present.
    pub lever_engaged: bool,
    /// Injections that have not ended.
    pub live: usize,
    /// How many of them are in force, as far as is known.
    pub active: usize,
    /// How many could not be taken back so far.
    pub revert_failed: usize,
    /// How many may be alive.
    pub concurrent_max: usize,
    /// Injections that are remembered.
    pub remembered: usize,
    /// End of the audit log's chain: kept elsewhere, it shows whether lines were cut off.
    pub audit: AuditHead,
    /// Entries of the audit log that could not be written, and failures to bring it to the disk.
    pub audit_errors: u64,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Active, or ended, or not to be taken back.
    Settled,
    /// Ended.
    Ended,
}

impl Until {
    const fn is_reached(self, state: State) -> bool {
        state.is_terminal()
            || (matches!(self, Self::Settled)
                && matches!(state, State::Active | State::RevertFailed))
    }
}

impl Lab {
    /// Opens a lab, and begins to take back what an earlier one has left.
    ///
    /// # Errors
    /// [`LabError`].
    pub fn open(options: LabOptions, registry: Registry) -> Result<Self, LabError> {
        options.policy.check()?;
        let directory = Directory::open(&options.directory)?;
        let clock = Clock::start();
        let remembered_max = options.engine.remembered_max;
        let mut engine = Engine::new(options.engine, options.seed)?;
        let (journal, recovered) = Journal::open(&directory.journal(), remembered_max)?;
        let audit_path = directory.audit();
        let audit = AuditLog::open(&audit_path)
            .map_err(|source| LabError::Audit { path: audit_path, source })?;
        let lever = directory.lever();
        let lever_file = lever.exists();
        engine.set_lever(clock.now(), lever_file, "the lever is engaged");
        let calls = (engine.options().forward_calls_max, engine.options().backward_calls_max);
        let shared = Arc::new(Shared {
            core: Mutex::new(Core {
                engine,
                bus: Bus::new(),
                random: Random::new(options.seed ^ clock.now().as_nanos() as u64),
                approvals: Approvals::default(),
                watches: Vec::new(),
                lever_file,
                pool: None,
            }),
            changed: Condvar::new(),
            wake: Condvar::new(),
            waiting: Waiting::default(),
            registry: Arc::new(registry),
            policy: options.policy,
            clock,
            lever,
            ending: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let files = Files { journal, audit, ended_max: remembered_max };
        let threads = shared.start(files, calls)?;
        shared.step(|engine, now| {
            engine.recover(now, recovered.injections, recovered.forgotten_ms);
        });
        Ok(Self { shared, threads, _directory: directory })
    }

    /// What a lab says of itself.
    pub fn status(&self) -> Status {
        let core = self.shared.core();
        let (audit, audit_errors) = self.shared.waiting.audit_head();
        let count = |state: State| core.engine.live().filter(|it| it.state == state).count();
        Status {
            lever_engaged: core.engine.lever(),
            live: core.engine.live().count(),
            active: count(State::Active),
            revert_failed: count(State::RevertFailed),
            concurrent_max: core.engine.options().concurrent_max,
            remembered: core.engine.injections().count(),
            audit,
            audit_errors,
        }
    }

    /// What is known of an injection.
    pub fn injection(&self, id: ChaosId) -> Option<InjectionReport> {
        Some(self.shared.core().engine.injection(id)?.report())
    }

    /// The latest injections, newest first; at most `limit`.
    pub fn injections(&self, live_only: bool, limit: usize) -> Vec<InjectionReport> {
        let core = self.shared.core();
        let injections = core.engine.injections().rev();
        let wanted = injections.filter(|it| !live_only || !it.state.is_terminal());
        wanted.take(limit).map(bulkhead_chaos::Injection::report).collect()
    }

    /// Waits until all of these have come so far, or the time is over, and tells where they are.
    pub fn wait(&self, ids: &[ChaosId], until: Until, time: Duration) -> Vec<InjectionReport> {
        let deadline = Instant::now() + time;
        let mut core = self.shared.core();
        loop {
            let known: Vec<_> = ids.iter().filter_map(|id| core.engine.injection(*id)).collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || known.iter().all(|it| until.is_reached(it.state)) {
                return known.into_iter().map(bulkhead_chaos::Injection::report).collect();
            }
            let waited = self.shared.changed.wait_timeout(core, left);
            core = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has happened after the happening with this number, as far as it is kept, and what will.
    pub fn subscribe(&self, after: u64) -> Subscription {
        self.shared.core().bus.subscribe(after)
    }

    /// How long an injection may take until it is active.
    pub fn overall(&self) -> Duration {
        Duration::from_millis(self.shared.core().engine.options().overall_ms)
    }

    /// Its rules.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// Accepts nothing more, takes everything back and waits for that. How many could not be taken
    /// back: the next lab with this directory will try again.
    pub fn take_everything_back(&self, patience: Duration) -> usize {
        self.shared.ending.store(true, Ordering::Release);
        let live = self.stop_everything(LAB, "the lab ends");
        let left = self.wait(&live, Until::Ended, patience);
        left.iter().filter(|it| !it.state.is_terminal()).count()
    }

    /// [`Lab::take_everything_back`], and ends.
    pub fn close(self, patience: Duration) -> usize {
        self.take_everything_back(patience)
    }

    /// Threads that hang in a call are left to themselves; all others end.
    fn end(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_all();
        self.shared.core().pool = None;
        self.shared.waiting.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to do.
            let _ = thread.join();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(
        self: &Arc<Self>,
        files: Files,
        calls: (usize, usize),
    ) -> Result<Vec<JoinHandle<()>>, LabError> {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let answered = Arc::clone(self);
        let done = move |number: Number, answer: Answer| {
            answered.step(|engine, now| engine.returned(now, number, answer));
        };
        let pool = Pool::start(calls, &self.registry, self.clock, &done)?;
        self.core().pool = Some(pool);
        let writer = Arc::clone(self);
        let write = move || {
            files.write_all(&writer.waiting, |number, result| {
                writer.step(|engine, now| engine.written(now, number, result));
            });
        };
        let ticker = Arc::clone(self);
        let watcher = Arc::clone(self);
        Ok(vec![
            named("lab-writer").spawn(write).map_err(LabError::Thread)?,
            named("lab-clock").spawn(move || ticker.tick()).map_err(LabError::Thread)?,
            named("lab-abort").spawn(move || watcher.watch()).map_err(LabError::Thread)?,
        ])
    }

    /// One step of the engine, and what it wants of that.
    fn step<T>(&self, step: impl FnOnce(&mut Engine, Duration) -> T) -> T {
        let mut core = self.core();
        let result = step(&mut core.engine, self.clock.now());
        self.obey(&mut core);
        result
    }

    fn obey(&self, core: &mut Core) {
        // A call that cannot be given to a thread has failed, of which the engine wants something more.
        loop {
            let commands = core.engine.commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                self.carry_out(core, command);
            }
        }
        self.wake.notify_all();
    }

    fn carry_out(&self, core: &mut Core, command: Command) {
        match command {
            Command::Write { record, answer } => {
                self.waiting.push(Line::Journal { record, answer });
            }
            Command::Call { number, call, order, handle, deadline } => {
                let deadline = self.clock.instant(deadline);
                let job = Job { number, call, order, handle, deadline };
                let given = core.pool.as_ref().map_or(Err(number), |pool| pool.give(job));
                // While the lab ends there are no threads any more: the next one takes it back.
                if given.is_err() && core.pool.is_some() {
                    let answer = Answer::Transient("no thread is free".to_owned());
                    core.engine.returned(self.clock.now(), number, answer);
                }
            }
            Command::Publish(happening) => {
                self.audit_happening(core, &happening);
                core.bus.publish(&happening);
                self.changed.notify_all();
            }
        }
    }

    /// What is worth a line: with which rules it was injected, and how it went.
    fn audit_happening(&self, core: &Core, happening: &Happening) {
        let state = happening.state;
        let telling = state.is_terminal()
            || matches!(state, State::Permitted | State::Active | State::RevertFailed);
        let Some(injection) = core.engine.injection(happening.id).filter(|_| telling) else {
            return;
        };
        let detail = match state {
            State::Permitted => json!({
                "order": injection.order,
                "rules": injection.handle,
            }),
            _ => {
                json!({"id": happening.id, "attempts": happening.attempts, "seen": happening.detail})
            }
        };
        self.audit(&happening.actor, state.name(), detail);
    }

    fn audit(&self, actor: &str, action: &'static str, detail: serde_json::Value) {
        let unix_ms = self.clock.now().as_millis() as u64;
        self.waiting.push(Line::Audit { unix_ms, actor: actor.to_owned(), action, detail });
    }

    /// The clock's thread: what is due happens, and the lever's file is looked for.
    fn tick(&self) {
        let mut core = self.core();
        let mut lever_due = Duration::ZERO;
        while !self.closing.load(Ordering::Acquire) {
            let now = self.clock.now();
            if now >= lever_due {
                lever_due = now + LEVER_INTERVAL;
                self.follow_lever(&mut core, now);
            }
            core.engine.tick(now);
            self.obey(&mut core);
            let due = core.engine.next_tick().unwrap_or(lever_due).min(lever_due);
            let pause = due.saturating_sub(self.clock.now()).max(Duration::from_millis(1));
            core = self.wake.wait_timeout(core, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread that looks at the metrics of abort conditions, and at what holds injections.
    fn watch(&self) {
        while !self.closing.load(Ordering::Acquire) {
            let due = Instant::now() + ABORT_SAMPLE_INTERVAL;
            self.look();
            self.look_for_lost();
            let mut core = self.core();
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() || self.closing.load(Ordering::Acquire) {
                    break;
                }
                let waited = self.wake.wait_timeout(core, left);
                core = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}
