//! Encoded bytes on their way to a socket.

/// Bytes that a codec has appended and the socket has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The codec appends here.
    pub(crate) bytes: Vec<u8>,
    sent: usize,
}

/// Memory that an outbox keeps while it is empty and its connection has exchanges.
const RETAIN_BYTES: usize = 64 * 1024;

impl Outbox {
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that the socket took so many bytes.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(RETAIN_BYTES);
            self.sent = 0;
        } else if self.sent > RETAIN_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Gives all memory back; an idle connection holds none.
    pub(crate) fn release_memory(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}
