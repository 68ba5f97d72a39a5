//! Whether an answer's messages are what was expected. Knows no status: that is the transport's.

use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};

use crate::frame::{FrameError, Messages};
use crate::json::{self, JsonError};
use crate::method::{CallKind, Method, at_top};

/// What is expected of an answer whose status is 0.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// Number of messages.
    count: Option<usize>,
    /// The messages themselves.
    messages: Option<Vec<DynamicMessage>>,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongAnswer {
    /// Its messages are not whole.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// There are more or fewer than expected.
    #[error("{got} messages, and {expected} are expected")]
    Count {
        /// So many.
        expected: usize,
        /// And so many came.
        got: usize,
    },
    /// A message is not of the method's type.
    #[error("message {0} cannot be decoded")]
    Undecodable(usize),
    /// A message has another content.
    #[error("message {0} is not the expected one")]
    Different(usize),
}

impl Expectation {
    /// Whole messages: one if the server streams none, else any number.
    pub fn of(method: &Method) -> Self {
        let one = matches!(method.kind(), CallKind::Unary | CallKind::ClientStreaming);
        Self { count: one.then_some(1), messages: None }
    }

    /// So many messages.
    #[must_use]
    pub const fn with_count(mut self, count: usize) -> Self {
        self.count = Some(count);
        self
    }

    /// These messages: a JSON object, or a list of them. Fields that are left out must not be set.
    ///
    /// # Errors
    /// With the place in the text.
    pub fn with_messages(mut self, method: &Method, json: &str) -> Result<Self, JsonError> {
        let messages: Result<Vec<_>, _> =
            json::read(json, &method.output())?.iter().map(without_defaults).collect();
        let messages = messages.map_err(|error| at_top(error.to_string()))?;
        self.count = Some(messages.len());
        self.messages = Some(messages);
        Ok(self)
    }

    /// Whether nothing but the number of messages is looked at.
    pub const fn is_shallow(&self) -> bool {
        self.messages.is_none()
    }

    /// Looks at the body of an answer; gives the number of its messages.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self, body: &[u8]) -> Result<usize, WrongAnswer> {
        let got = Messages::new(body).count_whole()?;
        if let Some(expected) = self.count.filter(|&expected| expected != got) {
            return Err(WrongAnswer::Count { expected, got });
        }
        let expected = self.messages.as_deref().unwrap_or_default();
        for (place, (message, expected)) in Messages::new(body).zip(expected).enumerate() {
            let message = DynamicMessage::decode(expected.descriptor(), message?)
                .map_err(|_| WrongAnswer::Undecodable(place))?;
            // Some servers write defaults, which the mapping of protobuf takes for not set.
            if message != *expected && without_defaults(&message)? != *expected {
                return Err(WrongAnswer::Different(place));
            }
        }
        Ok(got)
    }
}

/// As it is after a journey over the wire, where defaults are not written.
fn without_defaults(message: &DynamicMessage) -> Result<DynamicMessage, WrongAnswer> {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(message.descriptor(), bytes.as_slice())
        .map_err(|_| WrongAnswer::Undecodable(0))
}
