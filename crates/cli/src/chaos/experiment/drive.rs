//! Carries out what a run asks for: a thread for each call, one loop that takes in what they bring.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bulkhead_experiment::{Call, CallId, Event, Note, Outcome, Runner};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::lab::Lab;
use super::surroundings::Surroundings;
use super::{http, process};

/// Events that wait to be taken in; who brings more waits.
const EVENTS_MAX: usize = 64;
/// Signals that end the process, roll-backs or not.
const SIGNALS_MAX: u32 = 3;

/// Says that nobody waits for a call any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs it to its end. `began` is the time of day that the runner was given.
pub(super) fn run(
    mut runner: Runner,
    began: Duration,
    lab: Lab,
    surroundings: &Surroundings,
) -> anyhow::Result<Runner> {
    let (sender, events) = mpsc::sync_channel(EVENTS_MAX);
    watch_signals(sender.clone())?;
    let started = Instant::now();
    let mut cancellations: HashMap<CallId, Cancelled> = HashMap::new();
    let mut event = Event::Tick;
    loop {
        if let Event::Returned(id, _) = &event {
            cancellations.remove(id);
        }
        let next = runner.step(began + started.elapsed(), event);
        tell(&next.notes)?;
        for id in next.cancelled {
            if let Some(cancelled) = cancellations.remove(&id) {
                cancelled.0.store(true, Ordering::Relaxed);
            }
        }
        for (id, call) in next.calls {
            let cancelled = Cancelled::default();
            cancellations.insert(id, cancelled.clone());
            let work =
                Work { call, lab: lab.clone(), surroundings: surroundings.clone(), cancelled };
            begin(id, work, sender.clone())?;
        }
        if next.finished {
            return Ok(runner);
        }
        let now = began + started.elapsed();
        let wait = next.wake_at.map(|wake_at| wake_at.saturating_sub(now));
        event = match wait {
            // The sender that is kept here holds the channel open.
            None => events.recv().context("wait for a call")?,
            Some(wait) => match events.recv_timeout(wait) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => Event::Tick,
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("nobody is left to wait for"),
            },
        };
    }
}

struct Work {
    call: Call,
    lab: Lab,
    surroundings: Surroundings,
    cancelled: Cancelled,
}

fn begin(id: CallId, work: Work, sender: SyncSender<Event>) -> anyhow::Result<()> {
    let body = move || {
        let outcome = match &work.call {
            Call::Http(call) => http::call(call, &work.cancelled),
            Call::Process(call) => process::call(call, &work.surroundings, &work.cancelled),
            Call::Lab(call) => work.lab.call(call, &work.cancelled),
        };
        let outcome = outcome.unwrap_or_else(Outcome::Failed);
        // The run may be over by now.
        let _nobody_waits = sender.send(Event::Returned(id, outcome));
    };
    thread::Builder::new().name("activity".to_owned()).spawn(body).context("start a thread")?;
    Ok(())
}

fn watch_signals(sender: SyncSender<Event>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("watch for signals")?;
    let body = move || {
        let mut count = 0;
        for _ in signals.forever() {
            count += 1;
            if count >= SIGNALS_MAX {
                std::process::exit(130);
            }
            if sender.send(Event::Interrupted).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(body).context("start a thread")?;
    Ok(())
}

fn tell(notes: &[Note]) -> anyhow::Result<()> {
    let mut stderr = io::stderr().lock();
    for note in notes {
        match note {
            Note::Step(text) => writeln!(stderr, "{text}"),
            Note::Warning(text) => writeln!(stderr, "warning: {text}"),
        }
        .context("write progress")?;
    }
    Ok(())
}
