//! What is said: greetings, orders to an agent, answers and what it has seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::REASON_LETTERS_MAX;
use super::hex::Hex;
use crate::tally::{Slice, Tally};

/// First word of either side, so that something else at the port is told apart.
pub(super) const PROTOCOL: &str = "bulkhead-load";

/// The agent's first message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AgentGreeting {
    pub(super) protocol: String,
    pub(super) version: u32,
    pub(super) nonce: Hex,
    /// Whether a proof is asked for.
    pub(super) secret: bool,
}

/// The coordinator's first message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CoordinatorGreeting {
    pub(super) protocol: String,
    pub(super) version: u32,
    pub(super) nonce: Hex,
    pub(super) proof: Option<Hex>,
}

/// The agent's answer to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Welcome {
    Welcome { proof: Option<Hex> },
    Refused { reason: String },
}

/// What an agent is to run. Opaque to everything here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The arguments of `bulkhead load`.
    pub arguments: Vec<String>,
    /// Contents of the files that they name, by the name that they are given there.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Everything random is drawn from it.
    pub seed: u64,
}

/// A [`Job`] on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireJob {
    arguments: Vec<String>,
    files: BTreeMap<String, Hex>,
    /// As text: numbers are bounded.
    seed: String,
}

impl WireJob {
    pub(super) fn new(job: &Job) -> Self {
        let files = job.files.iter().map(|(name, bytes)| (name.clone(), Hex(bytes.clone())));
        Self {
            arguments: job.arguments.clone(),
            files: files.collect(),
            seed: job.seed.to_string(),
        }
    }

    /// `None`: the seed is none.
    pub(super) fn into_job(self) -> Option<Job> {
        Some(Job {
            arguments: self.arguments,
            files: self.files.into_iter().map(|(name, bytes)| (name, bytes.0)).collect(),
            seed: self.seed.parse().ok()?,
        })
    }
}

/// What the coordinator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Make a plan of this.
    Job(WireJob),
    /// Bring the connections up for these parts of the load.
    Prepare { first: usize, parts: usize },
    /// Answer at once.
    Ping,
    /// The first request is due so many microseconds after this has come. Answered at once.
    Start { after_us: u64 },
    /// Send nothing more.
    Stop,
    /// The coordinator is there.
    Alive,
}

/// What an agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// The job is a plan with so many threads and classes.
    Planned { threads: usize, classes: usize },
    /// It will not, and why.
    Refused { reason: String },
    /// The connections are up.
    Ready,
    /// To a ping.
    Pong,
    /// To the start.
    Starting,
    /// A second is over on all threads.
    Second(Box<Slice>),
    /// The run is over; `doubts`: why its figures say nothing about the target.
    Done { tally: Box<Tally>, doubts: Vec<String> },
    /// The agent is there.
    Alive,
}

impl Told {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::Refused { .. } => "refused",
            Self::Ready => "ready",
            Self::Pong => "pong",
            Self::Starting => "starting",
            Self::Second(_) => "second",
            Self::Done { .. } => "done",
            Self::Alive => "alive",
        }
    }
}

/// A reason of the other side as it may be shown: short, and nothing that moves a terminal's cursor.
pub(super) fn shown(reason: &str) -> String {
    let letters = reason.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    letters.take(REASON_LETTERS_MAX).collect()
}
