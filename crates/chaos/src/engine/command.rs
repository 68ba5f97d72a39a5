//! What the engine wants done, and what it is told of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ChaosId, Effect, Order, Record, State, Target};

/// Names a write or call, so that its answer finds back.
pub type Number = u64;

/// A step of an injector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// May it be? Changes nothing.
    Prepare,
    /// Make it so.
    Inject,
    /// Is it so?
    Verify,
    /// Take it back.
    Revert,
    /// Is it gone?
    VerifyReverted,
}

impl Call {
    /// Whether it takes back; such calls have threads of their own.
    pub const fn is_backward(self) -> bool {
        matches!(self, Self::Revert | Self::VerifyReverted)
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Append to the journal. With `answer`, tell [`crate::Engine::written`] once it is on disk.
    Write {
        /// What.
        record: Record,
        /// Under which number to tell.
        answer: Option<Number>,
    },
    /// Call an injector; never blocks, as the engine keeps to the number of threads.
    Call {
        /// Under which number to tell [`crate::Engine::returned`].
        number: Number,
        /// Which step.
        call: Call,
        /// For what.
        order: Box<Order>,
        /// What `prepare` said; null for `prepare` itself.
        handle: Value,
        /// When the call must be over, on the engine's clock.
        deadline: Duration,
    },
    /// Tell whoever listens.
    Publish(Happening),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `prepare`: it may be; this is what taking back needs.
    Prepared(Value),
    /// `prepare`: it may not be.
    Refused(String),
    /// `inject`, `revert`: done.
    Done,
    /// `verify`, `verify_reverted`: this was seen.
    Seen {
        /// Whether what was looked for is so.
        holds: bool,
        /// What was seen.
        seen: String,
        /// `verify_reverted`: what the fault has done, if that is counted.
        effect: Option<Effect>,
    },
    /// Nothing was changed; trying again may help.
    Transient(String),
    /// Nothing was changed; trying again will not help.
    Permanent(String),
    /// Something may have been changed.
    Unknown(String),
}

/// A change of state, as it is told on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// Ascending from 1, without gaps, for each engine.
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Which injection.
    pub id: ChaosId,
    /// Family and kind of the fault.
    pub kind: String,
    /// What it strikes.
    pub target: Target,
    /// Who ordered it.
    pub actor: String,
    /// Where it was; nothing for the first.
    pub from: Option<State>,
    /// Where it is.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// Why, or what was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it has done, once it is gone and if that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}
