//! Why a message is refused, and the answer that tells the peer.

use crate::{ConnectionError, ErrorCode};

use super::encode;

/// A message that cannot be accepted: the status that fits and a fixed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reject {
    pub(super) status: u16,
    pub(super) reason: &'static str,
}

impl Reject {
    pub(super) const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }

    /// 400: malformed or ambiguous.
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(400, reason)
    }

    /// As an error of the connection, for which an answer with `status` was written (0: none).
    pub(super) const fn into_error(self, status: u16) -> ConnectionError {
        let code = match self.status {
            414 | 431 => ErrorCode::ENHANCE_YOUR_CALM,
            _ => ErrorCode::PROTOCOL_ERROR,
        };
        ConnectionError { code, status, reason: self.reason }
    }

    /// Appends a complete answer. Without `body` (the request was `HEAD`) only its head.
    pub(super) fn answer(self, body: bool, out: &mut Vec<u8>) {
        encode::status_line(self.status, out);
        out.extend_from_slice(b"connection: close\r\ncontent-type: text/plain\r\n");
        encode::content_length(self.reason.len() as u64 + 1, out);
        out.extend_from_slice(b"\r\n");
        if body {
            out.extend_from_slice(self.reason.as_bytes());
            out.push(b'\n');
        }
    }
}
