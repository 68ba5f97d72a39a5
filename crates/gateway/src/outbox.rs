//! Encoded bytes on their way to a socket.

/// Bytes that a codec has appended and the socket has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The codec appends here.
    pub(crate) bytes: Vec<u8>,
    sent: usize,
    /// Bytes that the socket has taken since the connection began.
    taken: u64,
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

    /// Where the next byte that is appended stands in all that the connection ever says.
    pub(crate) fn position(&self) -> u64 {
        self.taken + self.len() as u64
    }

    /// Whether the socket has taken any byte from `position` on.
    pub(crate) const fn has_passed(&self, position: u64) -> bool {
        self.taken > position
    }

    /// Notes that the socket took so many bytes.
    pub(crate) fn advance(&mut self, count: usize) {
        self.taken += count as u64;
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
            *self = Self { taken: self.taken, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_tell_what_has_left() {
        let mut out = Outbox::default();
        out.bytes.extend_from_slice(b"first");
        let second = out.position();
        out.bytes.extend_from_slice(b"second");
        out.advance(5);
        assert!(!out.has_passed(second));
        out.advance(1);
        assert!(out.has_passed(second));
        out.advance(5);
        out.release_memory();
        assert_eq!(out.position(), 11);
        assert!(!out.has_passed(out.position()));
    }
}
