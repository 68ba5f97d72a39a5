//! The threads that call injectors: so many towards faults, and others back, so that what hangs on
//! the way there never delays the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use bulkhead_chaos::{Answer, Call, Effect, Number, Order};
use serde_json::Value;

use crate::clock::Clock;
use crate::{Evidence, InjectError, LabError, Registry, Surroundings};

/// A call that is to be made.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: Number,
    pub(crate) call: Call,
    pub(crate) order: Box<Order>,
    pub(crate) handle: Value,
    pub(crate) deadline: Instant,
}

/// Where calls are given to threads. They end when this is dropped and their call is over.
#[derive(Debug)]
pub(crate) struct Pool {
    forward: SyncSender<Job>,
    backward: SyncSender<Job>,
}

impl Pool {
    /// `done` is told what came of each call, on the thread that made it.
    pub(crate) fn start(
        (forward, backward): (usize, usize),
        registry: &Arc<Registry>,
        clock: Clock,
        done: &(impl Fn(Number, Answer) + Clone + Send + 'static),
    ) -> Result<Self, LabError> {
        let start = |name: &'static str, threads: usize| {
            // As many places as threads: the engine never has more calls out.
            let (sender, jobs) = sync_channel(threads);
            let jobs = Arc::new(Mutex::new(jobs));
            for _ in 0..threads {
                let (jobs, registry, done) =
                    (Arc::clone(&jobs), Arc::clone(registry), done.clone());
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || work(&jobs, &registry, clock, &done))
                    .map_err(LabError::Thread)?;
            }
            Ok::<_, LabError>(sender)
        };
        Ok(Self {
            forward: start("lab-inject", forward)?,
            backward: start("lab-revert", backward)?,
        })
    }

    /// Gives a call to a thread. It comes back if there is no place, which the engine sees to.
    pub(crate) fn give(&self, job: Job) -> Result<(), Number> {
        let sender = if job.call.is_backward() { &self.backward } else { &self.forward };
        let number = job.number;
        sender.try_send(job).map_err(|_| number)
    }
}

fn work(
    jobs: &Mutex<Receiver<Job>>,
    registry: &Registry,
    clock: Clock,
    done: &impl Fn(Number, Answer),
) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { break };
        let around = Surroundings { deadline: job.deadline, unix: clock.now() };
        // A panic of an injector costs one call.
        let answer = catch_unwind(AssertUnwindSafe(|| make(registry, &job, around)))
            .unwrap_or_else(|_| Answer::Unknown("the injector panicked".to_owned()));
        done(job.number, answer);
    }
}

fn make(registry: &Registry, job: &Job, around: Surroundings) -> Answer {
    let (order, handle) = (&job.order, &job.handle);
    match (job.call, registry.find(order)) {
        (Call::Prepare, _) => match registry.prepare(order, around) {
            Ok(handle) => Answer::Prepared(handle),
            Err(refusal) => Answer::Refused(refusal.to_string()),
        },
        // Of an order in the journal.
        (_, None) => {
            let kind = order.fault.kind();
            Answer::Permanent(format!(
                "this lab has no injector for {kind}; use the version that injected it"
            ))
        }
        (Call::Inject, Some(injector)) => done(injector.inject(order, handle, around)),
        (Call::Verify, Some(injector)) => seen(injector.verify(order, handle, around)),
        (Call::Revert, Some(injector)) => done(injector.revert(order, handle, around)),
        (Call::VerifyReverted, Some(injector)) => {
            let answer = seen(injector.verify_reverted(order, handle, around));
            let Answer::Seen { holds: true, seen, .. } = answer else { return answer };
            match injector.effect(order, handle, around) {
                Some(Effect { hits, seen: met }) => {
                    let seen = format!("{seen}; it struck {hits} of {met}");
                    Answer::Seen { holds: true, seen, effect: Some(Effect { hits, seen: met }) }
                }
                None => Answer::Seen { holds: true, seen, effect: None },
            }
        }
    }
}

fn done(result: Result<(), InjectError>) -> Answer {
    result.map_or_else(failed, |()| Answer::Done)
}

fn seen(result: Result<Evidence, InjectError>) -> Answer {
    result.map_or_else(failed, |Evidence { holds, seen }| Answer::Seen {
        holds,
        seen,
        effect: None,
    })
}

fn failed(error: InjectError) -> Answer {
    match error {
        InjectError::Transient(why) => Answer::Transient(why),
        InjectError::Permanent(why) => Answer::Permanent(why),
        InjectError::Unknown(why) => Answer::Unknown(why),
    }
}
