//! Length-prefixed messages, as gRPC puts them into the body of a request or an answer.
//!
//! Never compresses: a compressed message is an error, because none is ever asked for.

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Appends one message with its prefix.
///
/// # Errors
/// If it is longer than a prefix can say (4 GiB).
pub fn push_message(message: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = u32::try_from(message.len()).map_err(|_| FrameError::TooLong)?;
    out.push(0);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    Ok(())
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The body ends within a message or its prefix.
    #[error("the body ends within a message")]
    Truncated,
    /// The first byte of a prefix is not 0.
    #[error("a message is compressed, or its prefix is wrong")]
    Compressed,
    /// The message is longer than 4 GiB.
    #[error("a message is longer than 4 GiB")]
    TooLong,
}

/// The messages of a whole body, in order; after an error there are no more.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Of a body.
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// How many there are.
    ///
    /// # Errors
    /// If one of them is not whole.
    pub fn count_whole(self) -> Result<usize, FrameError> {
        self.map(|message| message.map(|_| 1)).sum()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = split(self.rest);
        self.rest = message.map_or(&[], |(_, rest)| rest);
        Some(message.map(|(message, _)| message))
    }
}

/// The first message and what follows it.
fn split(body: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let Some((&[compressed, length @ ..], rest)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(FrameError::Truncated);
    };
    if compressed != 0 {
        return Err(FrameError::Compressed);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| FrameError::TooLong)?;
    rest.split_at_checked(length).ok_or(FrameError::Truncated)
}

#[cfg(test)]
mod tests;
