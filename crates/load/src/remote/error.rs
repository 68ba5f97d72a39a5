//! What can go wrong between a coordinator and its agents.

use std::io;
use std::time::Duration;

/// Why nothing more can be said to, or heard from, the other side.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The system says so.
    #[error("the connection failed")]
    Connection(#[source] io::Error),
    /// The other side has ended the connection.
    #[error("the other side closed the connection")]
    Closed,
    /// Nothing came.
    #[error("nothing came within {} s", .0.as_secs())]
    Silent(Duration),
    /// A frame began and did not end.
    #[error("a frame did not end within {} s", .0.as_secs())]
    Slow(Duration),
    /// A frame is longer than its kind may be.
    #[error("a frame of {bytes} bytes; {limit} is the limit")]
    TooLong {
        /// As announced.
        bytes: usize,
        /// For frames of this kind.
        limit: usize,
    },
    /// A frame was changed on its way, or is not the other side's.
    #[error("a frame is not authentic")]
    NotAuthentic,
    /// A frame holds no message.
    #[error("a frame that is no message")]
    Message(#[source] serde_json::Error),
    /// A message with numbers beyond all measure.
    #[error("a message with numbers beyond all measure")]
    Numbers,
    /// A message at the wrong time, or that contradicts earlier ones.
    #[error("`{0}` came out of place")]
    OutOfPlace(&'static str),
    /// The other side is something else.
    #[error("the other side is no load agent or coordinator")]
    OtherProtocol,
    /// The other side speaks another version.
    #[error("the other side speaks version {theirs}, we speak {ours}")]
    Version {
        /// Of the other side.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// The job comes to something else there.
    #[error("the job comes to {theirs} classes of requests there and to {ours} here")]
    OtherPlan {
        /// Of the agent.
        theirs: usize,
        /// Ours.
        ours: usize,
    },
    /// Only one side has a secret.
    #[error("the agent has no secret to prove; give it the one that the coordinator has")]
    NoSecretThere,
    /// Only one side has a secret.
    #[error("the agent asks for a secret and none was given")]
    NoSecretHere,
    /// Both have one, but not the same.
    #[error("the secrets of agent and coordinator are not the same")]
    OtherSecret,
    /// The other side will not, and says why.
    #[error("refused: {0}")]
    Refused(String),
}

/// Why a run over agents cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is none, or there are too many, or one twice.
    #[error("{0}")]
    Agents(String),
    /// No connection to an agent.
    #[error("connect to agent {agent}")]
    Connect {
        /// As it was named.
        agent: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An agent fails before the run.
    #[error("{step} agent {agent}")]
    Agent {
        /// As it was named.
        agent: String,
        /// What we were doing.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: WireError,
    },
    /// The system refuses a thread.
    #[error("start the coordinator")]
    System(#[from] io::Error),
}
