//! The coordinator: gives each agent its share of a job, lets all begin at once, and makes one load of
//! what they tell.
//!
//! Clocks of different machines are never compared. Each agent is told "in so many microseconds", less
//! half of its shortest round trip; it answers at once, so its beginning is known to lie within that
//! answer's round trip, which bounds the skew.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::frame::Frames;
use super::handshake;
use super::link::Link;
use super::wire::{Job, Order, Told, WireJob, shown};
use super::{
    AGENTS_MAX, GREETING_TIMEOUT, ORDER_BYTES_MAX, PREPARE_TIMEOUT, RemoteError, SILENCE_MAX,
    Secret, THREADS_MAX, WireError,
};
use crate::report::Summary;
use crate::{Load, LoadOptions};

/// Round trips that are measured before the start; the shortest counts.
const PINGS: usize = 8;
/// From the word to the first request, besides round trips.
const START_AFTER: Duration = Duration::from_millis(100);

/// Who generates the load.
#[derive(Clone, Debug)]
pub struct CoordinatorOptions {
    /// `HOST:PORT` each.
    pub agents: Vec<String>,
    /// That the agents have as well.
    pub secret: Option<Secret>,
}

/// What one agent did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AgentReport {
    /// As it was named.
    pub name: String,
    /// Generator threads.
    pub threads: usize,
    /// Shortest round trip.
    pub rtt_ms: f64,
    /// It began at most so much earlier or later than was meant.
    pub start_skew_ms_max: f64,
    /// Requests whose time came, of the measured part.
    pub scheduled: u64,
    /// Right answers.
    pub ok: u64,
    /// How late the generator was.
    pub lag_ms: Summary,
    /// CPU time of its threads.
    pub cpu_s: f64,
    /// CPU time of the thread that used most.
    pub cpu_s_max: f64,
    /// Why it is missing from the results, which are then incomplete.
    pub lost: Option<String>,
    /// Why its machine's figures say nothing about the target.
    pub doubts: Vec<String>,
}

/// The agents of a run. Complete once the load is over.
#[derive(Clone, Debug)]
pub struct Agents(pub(super) Arc<Vec<Mutex<AgentReport>>>);

impl Agents {
    /// What each did, in the order of the options.
    pub fn reports(&self) -> Vec<AgentReport> {
        let copy = |report: &Mutex<AgentReport>| {
            report.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        self.0.iter().map(copy).collect()
    }

    /// Why the figures of the run say nothing about the target.
    pub fn invalid_reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for AgentReport { name, lost, doubts, .. } in self.reports() {
            if let Some(lost) = lost {
                reasons.push(format!("agent {name} was lost, the figures lack its part: {lost}"));
            }
            reasons.extend(doubts.iter().map(|doubt| format!("agent {name}: {doubt}")));
        }
        reasons
    }

    pub(super) fn note(&self, index: usize, write: impl FnOnce(&mut AgentReport)) {
        if let Some(report) = self.0.get(index) {
            write(&mut report.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Seconds that a run may take longer than it was to, until an agent that tells of more is lost.
const SECONDS_SPARE: u64 = 10;

/// An agent before the run.
struct Member {
    name: String,
    frames: Frames,
    threads: usize,
    rtt: Duration,
}

/// Begins a run of `job` on all agents. `options` are what the job comes to here, for the window and
/// the classes; nothing is sent from here.
///
/// # Errors
/// If an agent cannot be had or will not: then none begins.
pub fn start(
    coordinator: &CoordinatorOptions,
    job: &Job,
    options: LoadOptions,
) -> Result<(Load, Agents), RemoteError> {
    check(&coordinator.agents)?;
    let mut members = Vec::with_capacity(coordinator.agents.len());
    for name in &coordinator.agents {
        members.push(Member::connect(name, coordinator.secret.as_ref())?);
    }
    let order = Order::Job(WireJob::new(job));
    for member in &mut members {
        member.send("give the job to", &order)?;
    }
    let mut parts = 0;
    for member in &mut members {
        member.await_plan(options.classes.len())?;
        parts += member.threads;
    }
    let mut first = 0;
    for member in &mut members {
        member.send("give its share to", &Order::Prepare { first, parts })?;
        first += member.threads;
    }
    for member in &mut members {
        member.await_ready()?;
    }
    for member in &mut members {
        member.measure()?;
    }
    begin(members, options)
}

fn check(agents: &[String]) -> Result<(), RemoteError> {
    if agents.is_empty() || agents.len() > AGENTS_MAX {
        let text = format!("{} agents; 1 to {AGENTS_MAX} are possible", agents.len());
        return Err(RemoteError::Agents(text));
    }
    for (index, name) in agents.iter().enumerate() {
        if agents[..index].contains(name) {
            return Err(RemoteError::Agents(format!("agent {name} is named twice")));
        }
    }
    Ok(())
}

/// Gives the word to all, then leaves each to a thread.
fn begin(mut members: Vec<Member>, options: LoadOptions) -> Result<(Load, Agents), RemoteError> {
    let slowest = members.iter().map(|member| member.rtt).max().unwrap_or_default();
    let start = Instant::now() + START_AFTER + slowest * 2 * (members.len() as u32);
    let mut reports = Vec::with_capacity(members.len());
    for member in &mut members {
        reports.push(Mutex::new(member.begin_at(start)?));
    }
    let agents = Agents(Arc::new(reports));
    let parts = members.len();
    // Bounded: an agent tells a second once, and a few things besides.
    let seconds = options.whole().saturating_add(options.timeout).as_secs() as usize;
    let (sender, messages) = sync_channel(parts.saturating_mul(seconds.min(86_400)) + 64);
    let seconds_max = seconds as u64 + SECONDS_SPARE;
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::with_capacity(parts);
    for (index, member) in members.into_iter().enumerate() {
        let link = Link {
            frames: member.frames,
            index,
            agents: agents.clone(),
            classes: options.classes.len(),
            seconds_max,
            stop: Arc::clone(&stop),
            sender: sender.clone(),
        };
        let name = format!("load-agent-{index}");
        threads.push(std::thread::Builder::new().name(name).spawn(move || link.run())?);
    }
    drop(sender);
    let load = Load::new(Arc::new(options), messages, threads, stop, parts);
    Ok((load.begun_at(start), agents))
}

impl Member {
    fn connect(name: &str, secret: Option<&Secret>) -> Result<Self, RemoteError> {
        let failed = |source| RemoteError::Connect { agent: name.to_owned(), source };
        let mut last = std::io::Error::other("the name has no address");
        let mut stream = None;
        for address in name.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, GREETING_TIMEOUT) {
                Ok(connected) => {
                    stream = Some(connected);
                    break;
                }
                Err(cause) => last = cause,
            }
        }
        let Some(stream) = stream else { return Err(failed(last)) };
        let greeted = Frames::new(stream).and_then(|mut frames| {
            handshake::connect(&mut frames, secret)?;
            Ok(frames)
        });
        let frames = greeted.map_err(|source| RemoteError::Agent {
            agent: name.to_owned(),
            step: "greet",
            source,
        })?;
        Ok(Self { name: name.to_owned(), frames, threads: 0, rtt: Duration::ZERO })
    }

    fn failed(&self, step: &'static str, source: WireError) -> RemoteError {
        RemoteError::Agent { agent: self.name.clone(), step, source }
    }

    fn send(&mut self, step: &'static str, order: &Order) -> Result<(), RemoteError> {
        self.frames.send(order).map_err(|source| self.failed(step, source))
    }

    /// The next that it tells; that it refuses is an error.
    fn hear(&mut self, step: &'static str, wait: Duration) -> Result<Told, RemoteError> {
        let told = match self.frames.receive(ORDER_BYTES_MAX, wait) {
            Ok(Told::Refused { reason }) => Err(WireError::Refused(shown(&reason))),
            other => other,
        };
        told.map_err(|source| self.failed(step, source))
    }

    fn await_plan(&mut self, classes: usize) -> Result<(), RemoteError> {
        const STEP: &str = "give the job to";
        match self.hear(STEP, PREPARE_TIMEOUT)? {
            Told::Planned { classes: theirs, .. } if theirs != classes => {
                Err(self.failed(STEP, WireError::OtherPlan { theirs, ours: classes }))
            }
            Told::Planned { threads, .. } if (1..=THREADS_MAX).contains(&threads) => {
                self.threads = threads;
                Ok(())
            }
            told => Err(self.failed(STEP, WireError::OutOfPlace(told.name()))),
        }
    }

    fn await_ready(&mut self) -> Result<(), RemoteError> {
        const STEP: &str = "bring up the connections of";
        match self.hear(STEP, PREPARE_TIMEOUT)? {
            Told::Ready => Ok(()),
            told => Err(self.failed(STEP, WireError::OutOfPlace(told.name()))),
        }
    }

    /// The shortest of some round trips.
    fn measure(&mut self) -> Result<(), RemoteError> {
        const STEP: &str = "measure the way to";
        self.rtt = SILENCE_MAX;
        for _ in 0..PINGS {
            let sent = Instant::now();
            self.send(STEP, &Order::Ping)?;
            match self.hear(STEP, SILENCE_MAX)? {
                Told::Pong => self.rtt = self.rtt.min(sent.elapsed()),
                told => return Err(self.failed(STEP, WireError::OutOfPlace(told.name()))),
            }
        }
        Ok(())
    }

    fn begin_at(&mut self, start: Instant) -> Result<AgentReport, RemoteError> {
        const STEP: &str = "start";
        let sent = Instant::now();
        let after = start.saturating_duration_since(sent).saturating_sub(self.rtt / 2);
        let after_us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.send(STEP, &Order::Start { after_us })?;
        match self.hear(STEP, SILENCE_MAX)? {
            Told::Starting => {}
            told => return Err(self.failed(STEP, WireError::OutOfPlace(told.name()))),
        }
        // It counts from a moment between these two.
        let (earliest, latest) = (sent + after, Instant::now() + after);
        let skew =
            start.saturating_duration_since(earliest).max(latest.saturating_duration_since(start));
        Ok(AgentReport {
            name: self.name.clone(),
            threads: self.threads,
            rtt_ms: self.rtt.as_secs_f64() * 1e3,
            start_skew_ms_max: skew.as_secs_f64() * 1e3,
            ..AgentReport::default()
        })
    }
}
