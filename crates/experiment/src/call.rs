//! What an activity asks of the world, and what comes back.

mod http;
mod process;

pub use http::{HttpCall, HttpReply};
pub use process::{Arguments, ProcessCall, ProcessReply};

use serde_json::Value;

use crate::extension::Extension;
use crate::native::{self, LabCall};
use crate::substitution::Variables;

/// One call, with everything substituted.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// A request to a server.
    Http(HttpCall),
    /// A program.
    Process(ProcessCall),
    /// A fault of the lab.
    Lab(LabCall),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A server answered.
    Http(HttpReply),
    /// A program ended.
    Process(ProcessReply),
    /// The lab answered: an object with `id` and `state`, a list of such objects, or a number.
    Lab(Value),
    /// There is no answer. The reason goes into the journal.
    Failed(String),
}

impl Call {
    /// What a provider asks for.
    ///
    /// # Errors
    /// Why it makes no sense, now that everything in it is substituted.
    pub(crate) fn of(
        provider: &Value,
        variables: &Variables,
        extension: &Extension,
    ) -> Result<Self, String> {
        match provider.get("type").and_then(Value::as_str) {
            Some("http") => Ok(Self::Http(HttpCall::of(provider, variables)?)),
            Some("process") => Ok(Self::Process(ProcessCall::of(provider, variables)?)),
            _ => match native::call(&variables.substitute_if_any(provider), extension) {
                Some(call) => call.map(Self::Lab),
                None => Err("this provider is not run here".to_owned()),
            },
        }
    }
}

impl Outcome {
    /// The output of the activity, as Chaos Toolkit has it.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn output(self) -> Result<Value, String> {
        match self {
            Self::Http(reply) => reply.output(),
            Self::Process(reply) => Ok(reply.output()),
            Self::Lab(value) => Ok(value),
            Self::Failed(reason) => Err(reason),
        }
    }
}
