//! Frames over TCP: four bytes of length (big endian), that many bytes of JSON and, in a session with a
//! secret, a tag over the frame's number and those bytes. A length beyond the limit of what is expected
//! is refused before a byte of it is read.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac::{Context, Key, Tag, verify};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::decode;
use super::{FRAME_TIMEOUT, TURN, WireError};

const LENGTH_BYTES: usize = 4;
/// Of HMAC-SHA256.
const TAG_BYTES: usize = 32;
const READ_BYTES: usize = 16 * 1024;

/// Keys of a session's frames, and how many there were.
struct Keys {
    ours: Key,
    theirs: Key,
    sent: u64,
    received: u64,
}

/// One connection, as frames.
pub(super) struct Frames {
    stream: TcpStream,
    keys: Option<Keys>,
    /// What has come of the next frame.
    buffer: Vec<u8>,
    /// When that began.
    begun: Option<Instant>,
}

impl Frames {
    pub(super) fn new(stream: TcpStream) -> Result<Self, WireError> {
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(TURN)))
            .and_then(|()| stream.set_write_timeout(Some(FRAME_TIMEOUT)))
            .map_err(WireError::Connection)?;
        Ok(Self { stream, keys: None, buffer: Vec::new(), begun: None })
    }

    /// From now on, frames have tags.
    pub(super) fn authenticate(&mut self, ours: Key, theirs: Key) {
        self.keys = Some(Keys { ours, theirs, sent: 0, received: 0 });
    }

    pub(super) fn send(&mut self, message: &impl Serialize) -> Result<(), WireError> {
        let body = serde_json::to_vec(message).map_err(WireError::Message)?;
        let tag = self.keys.as_mut().map(|keys| {
            keys.sent += 1;
            tag(&keys.ours, keys.sent, &body)
        });
        let tag = tag.as_ref().map_or(&[][..], Tag::as_ref);
        let bytes = body.len() + tag.len();
        let length = u32::try_from(bytes)
            .map_err(|_| WireError::TooLong { bytes, limit: u32::MAX as usize })?;
        let mut frame = Vec::with_capacity(LENGTH_BYTES + bytes);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&body);
        frame.extend_from_slice(tag);
        self.stream.write_all(&frame).map_err(|cause| match cause.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => WireError::Slow(FRAME_TIMEOUT),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => WireError::Closed,
            _ => WireError::Connection(cause),
        })
    }

    /// Waits a moment for a message of at most `limit` bytes. `None`: not yet.
    pub(super) fn poll<T: DeserializeOwned>(
        &mut self,
        limit: usize,
    ) -> Result<Option<T>, WireError> {
        let Some(mut frame) = self.poll_frame(limit)? else { return Ok(None) };
        if let Some(keys) = &mut self.keys {
            keys.received += 1;
            let body = frame.len().checked_sub(TAG_BYTES).ok_or(WireError::NotAuthentic)?;
            let tag = frame.split_off(body);
            verify(&keys.theirs, &numbered(keys.received, &frame), &tag)
                .map_err(|_| WireError::NotAuthentic)?;
        }
        decode(&frame).map(Some)
    }

    /// Waits for a message of at most `limit` bytes.
    pub(super) fn receive<T: DeserializeOwned>(
        &mut self,
        limit: usize,
        wait: Duration,
    ) -> Result<T, WireError> {
        let until = Instant::now() + wait;
        loop {
            if let Some(message) = self.poll(limit)? {
                return Ok(message);
            }
            if Instant::now() >= until {
                return Err(WireError::Silent(wait));
            }
        }
    }

    fn poll_frame(&mut self, limit: usize) -> Result<Option<Vec<u8>>, WireError> {
        // Bytes that come one by one must not hold up what else there is to do.
        let until = Instant::now() + TURN;
        loop {
            let mut missing = LENGTH_BYTES.saturating_sub(self.buffer.len());
            if let Some((length, body)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() {
                let bytes = u32::from_be_bytes(*length) as usize;
                let limit = limit + if self.keys.is_some() { TAG_BYTES } else { 0 };
                if bytes > limit {
                    return Err(WireError::TooLong { bytes, limit });
                }
                missing = bytes.saturating_sub(body.len());
                if missing == 0 {
                    let frame = body.to_vec();
                    self.buffer = Vec::new();
                    self.begun = None;
                    return Ok(Some(frame));
                }
            }
            if self.begun.is_some_and(|begun| begun.elapsed() > FRAME_TIMEOUT) {
                return Err(WireError::Slow(FRAME_TIMEOUT));
            }
            if Instant::now() >= until || !self.read_some(missing)? {
                return Ok(None);
            }
        }
    }

    /// Reads at most `missing` bytes, never beyond the frame. Whether any came.
    fn read_some(&mut self, missing: usize) -> Result<bool, WireError> {
        let mut part = [0; READ_BYTES];
        let end = missing.min(READ_BYTES);
        match self.stream.read(&mut part[..end]) {
            Ok(0) => Err(WireError::Closed),
            Ok(count) => {
                self.begun.get_or_insert_with(Instant::now);
                self.buffer.extend_from_slice(&part[..count]);
                Ok(true)
            }
            Err(cause) => match cause.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(false),
                ErrorKind::Interrupted => Ok(false),
                ErrorKind::ConnectionReset => Err(WireError::Closed),
                _ => Err(WireError::Connection(cause)),
            },
        }
    }
}

fn tag(key: &Key, number: u64, body: &[u8]) -> Tag {
    let mut context = Context::with_key(key);
    context.update(&number.to_be_bytes());
    context.update(body);
    context.sign()
}

/// What a tag is over: a frame cannot be left out, repeated or moved.
fn numbered(number: u64, body: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], body].concat()
}

#[cfg(test)]
mod tests;
