//! Encoded bytes on their way to a socket.
//!
//! An idle connection holds no memory for them. So that one which is busy again need not let its
//! buffer grow from nothing, copying what it has step by step, buffers go round among the
//! connections of a worker.

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

/// What a buffer begins with: most heads, and small bodies with them.
const FIRST_BYTES: usize = 1024;

/// Bytes in all buffers that a worker keeps for reuse.
const SPARE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Empty buffers for reuse, each of [`FIRST_BYTES`] to [`RETAIN_BYTES`], the one used last on top:
/// it is in the processor's cache.
#[derive(Debug, Default)]
pub(crate) struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    /// How many of them nobody has needed since they were last looked through.
    unused: usize,
}

impl SpareBuffers {
    fn take(&mut self) -> Vec<u8> {
        match self.buffers.pop() {
            Some(buffer) => {
                self.bytes -= buffer.capacity();
                self.unused = self.unused.min(self.buffers.len());
                buffer
            }
            None => Vec::with_capacity(FIRST_BYTES),
        }
    }

    fn put(&mut self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes >= FIRST_BYTES && self.bytes + bytes <= SPARE_BYTES_MAX {
            self.bytes += bytes;
            self.buffers.push(buffer);
        }
    }

    /// Gives back what nobody has needed since the last call: for a slow tick.
    pub(crate) fn trim(&mut self) {
        for buffer in self.buffers.drain(..self.unused) {
            self.bytes -= buffer.capacity();
        }
        self.unused = self.buffers.len();
    }
}

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

    /// Where a codec appends what is the beginning of more: a head.
    #[inline]
    pub(crate) fn buffer(&mut self, spare: &mut SpareBuffers) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = spare.take();
        }
        &mut self.bytes
    }

    /// Gives all memory away; an idle connection holds none.
    pub(crate) fn release_memory(&mut self, spare: &mut SpareBuffers) {
        if self.is_empty() {
            spare.put(std::mem::take(&mut self.bytes));
            self.sent = 0;
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
        out.release_memory(&mut SpareBuffers::default());
        assert_eq!(out.position(), 11);
        assert!(!out.has_passed(out.position()));
    }

    #[test]
    fn memory_goes_round() {
        let mut spare = SpareBuffers::default();
        let mut out = Outbox::default();
        out.buffer(&mut spare).extend_from_slice(&[b'a'; 5_000]);
        out.release_memory(&mut spare);
        assert_eq!((out.len(), spare.bytes), (5_000, 0), "what waits is kept");
        out.advance(5_000);
        out.release_memory(&mut spare);
        assert_eq!(out.bytes.capacity(), 0);
        assert!(spare.bytes >= 5_000);

        let mut other = Outbox::default();
        let buffer = other.buffer(&mut spare);
        assert!(buffer.is_empty() && buffer.capacity() >= 5_000);
        assert_eq!((spare.bytes, spare.buffers.len()), (0, 0));
        let first = out.buffer(&mut spare).capacity();
        assert!((FIRST_BYTES..5_000).contains(&first), "there is no other");
    }

    #[test]
    fn what_is_not_needed_is_given_back() {
        let mut spare = SpareBuffers::default();
        let [mut first, mut second] = [Outbox::default(), Outbox::default()];
        for out in [&mut first, &mut second] {
            out.buffer(&mut spare);
        }
        for out in [&mut first, &mut second] {
            out.release_memory(&mut spare);
        }
        spare.trim();
        first.buffer(&mut spare);
        first.release_memory(&mut spare);
        assert_eq!(spare.buffers.len(), 2);
        spare.trim();
        assert_eq!(spare.buffers.len(), 1, "one was enough");
        spare.trim();
        assert_eq!((spare.buffers.len(), spare.bytes), (0, 0));
    }

    #[test]
    fn spare_memory_is_bounded() {
        let mut spare = SpareBuffers::default();
        for _ in 0..2 * SPARE_BYTES_MAX / RETAIN_BYTES {
            let mut out = Outbox::default();
            out.bytes.resize(2 * RETAIN_BYTES, 0);
            out.advance(2 * RETAIN_BYTES);
            out.release_memory(&mut spare);
        }
        assert!((SPARE_BYTES_MAX - RETAIN_BYTES..=SPARE_BYTES_MAX).contains(&spare.bytes));
        let sum: usize = spare.buffers.iter().map(Vec::capacity).sum();
        assert_eq!(spare.bytes, sum);
    }
}
