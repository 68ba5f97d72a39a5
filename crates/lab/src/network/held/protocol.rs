//! What a lab and a process that holds something for it say to each other: lines of JSON.

use std::io::{self, BufRead, Read as _};
use std::time::Duration;

use bulkhead_chaos::{Call, Effect, Order};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LinkRequest;
use crate::{Evidence, Handle, InjectError, Refusal};

/// Bytes of a line towards the holder. A Unix socket takes so many as one piece, all or nothing, so that
/// the lab need not wait for a holder that does not read.
pub(in crate::network) const ASK_BYTES_MAX: usize = 16 << 10;
/// Bytes of a line that is read.
pub(super) const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is said of an answer to something else than what was asked.
const ODD: &str = "the process that holds it answered something else";

/// The first line for a link: which is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::network) struct Make {
    pub(in crate::network) name: String,
    pub(in crate::network) subnet: u8,
    pub(in crate::network) request: LinkRequest,
}

/// The answer to the first line: where it is, what is held, or why there is nothing.
pub(in crate::network) type Made<P> = Result<P, String>;

/// Every further line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::network) struct Ask {
    pub(in crate::network) number: u64,
    pub(in crate::network) want: Want,
    /// Until the answer is of no use any more.
    pub(in crate::network) left: Duration,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::network) enum Want {
    /// A step of an injector.
    Call {
        call: Call,
        order: Box<Order>,
        /// Nothing where the holder needs none.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        handle: Handle,
        /// The time of day, since 1970.
        unix: Duration,
    },
    /// What a fault has done.
    Effect {
        order: Box<Order>,
        #[serde(default, skip_serializing_if = "Value::is_null")]
        handle: Handle,
    },
    /// What the link has counted.
    Counts,
}

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::network) struct Reply {
    pub(in crate::network) number: u64,
    pub(in crate::network) outcome: Outcome,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::network) enum Outcome {
    Prepared(Result<Handle, Refusal>),
    Done(Result<(), InjectError>),
    Seen(Result<Evidence, InjectError>),
    Effect(Option<Effect>),
    Counts(Result<Value, String>),
}

impl Outcome {
    pub(in crate::network) fn prepared(self) -> Result<Handle, Refusal> {
        match self {
            Self::Prepared(prepared) => prepared,
            _ => Err(Refusal::new(ODD, "use one version of the program for both")),
        }
    }

    pub(in crate::network) fn done(self) -> Result<(), InjectError> {
        match self {
            Self::Done(done) => done,
            _ => Err(InjectError::Unknown(ODD.to_owned())),
        }
    }

    pub(in crate::network) fn seen(self) -> Result<Evidence, InjectError> {
        match self {
            Self::Seen(seen) => seen,
            _ => Err(InjectError::Unknown(ODD.to_owned())),
        }
    }
}

/// The next line; nothing at the end.
pub(in crate::network) fn read<T: DeserializeOwned>(
    input: &mut impl BufRead,
    bytes_max: u64,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    input.by_ref().take(bytes_max).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return if line.is_empty() { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// As a line.
pub(in crate::network) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, Outcome, Reply, line, read};
    use crate::InjectError;

    #[test]
    fn what_is_said_is_heard() {
        let error = InjectError::Unknown("late".to_owned());
        let reply = Reply { number: 7, outcome: Outcome::Done(Err(error.clone())) };
        let mut said = line(&reply).unwrap();
        said.extend(line(&Reply { number: 8, outcome: Outcome::Done(Ok(())) }).unwrap());
        let mut input = said.as_slice();
        let heard: Reply = read(&mut input, LINE_BYTES_MAX).unwrap().unwrap();
        assert!(
            matches!(heard, Reply { number: 7, outcome: Outcome::Done(Err(it)) } if it == error)
        );
        let heard: Reply = read(&mut input, LINE_BYTES_MAX).unwrap().unwrap();
        assert!(matches!(heard, Reply { number: 8, outcome: Outcome::Done(Ok(())) }));
        assert!(read::<Reply>(&mut input, LINE_BYTES_MAX).unwrap().is_none());
    }

    #[test]
    fn half_a_line_and_one_too_long_are_errors() {
        let said = line(&Reply { number: 7, outcome: Outcome::Done(Ok(())) }).unwrap();
        let mut half = &said[..said.len() - 1];
        assert!(read::<Reply>(&mut half, LINE_BYTES_MAX).is_err());
        assert!(read::<Reply>(&mut said.as_slice(), 10).is_err());
        assert!(read::<Reply>(&mut b"{}\n".as_slice(), 10).is_err());
    }
}
