//! One load from several machines: agents send what a coordinator tells them to, and the coordinator
//! merges what they saw as it merges its own threads, histograms count by count.
//!
//! Frames over TCP: versioned, bounded, authenticated if there is a secret, and
//! **never encrypted**: whoever sees the network sees the job with its files. An agent never listens
//! beyond this machine without a secret, and serves one coordinator at a time. Neither side ever
//! believes the other: what breaks a rule ends the session with an error.

mod agent;
mod allowed;
mod coordinator;
mod decode;
mod error;
mod frame;
mod handshake;
mod hex;
mod link;
mod secret;
mod session;
pub(crate) mod sparse;
mod wire;

use std::time::Duration;

pub use agent::{Agent, AgentError, AgentOptions, BoxError, Plan, WorkloadFactory};
pub use allowed::AllowedTargets;
pub use coordinator::{AgentReport, Agents, CoordinatorOptions, start};
pub use error::{RemoteError, WireError};
pub use secret::{SECRET_BYTES_MIN, Secret, SecretError};
pub use wire::Job;

/// Version of the messages. Both sides have to have the same.
pub const VERSION: u32 = 1;
/// Agents of one run at most.
pub const AGENTS_MAX: usize = 64;
/// Generator threads of one agent at most.
pub const THREADS_MAX: usize = 1_024;
/// Classes of requests at most.
const CLASSES_MAX: usize = 4_096;
/// Bytes of a frame before the other side is known.
const GREETING_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a frame that orders something or answers an order.
const ORDER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the frame with the job; files take twice their size.
const JOB_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a frame with what was seen.
const SEEN_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Letters of a reason that the other side gives.
const REASON_LETTERS_MAX: usize = 500;
/// Wait for a connection to an agent, and for each message of the greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait for an agent to read a job, or to bring its connections up.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(180);
/// During the run: who says nothing for so long is gone. Each side says something every second.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How often each side says that it is there.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// A frame that has begun has to end within this time; so does each write.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an agent is waited for to close after its last message.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at what else there is to do, while waiting for the other side.
const TURN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
