//! Body bytes of one direction of an exchange, on their way from one connection to the other.
//!
//! A pipe holds only what the receiving side would not take yet. The sending side is granted more
//! (`owed`, released to its codec) only when its bytes have left, so a pipe is bounded by the receive
//! window, or for HTTP/1 by the pause at `buffer_bytes_max`. A request's pipe keeps what it has
//! passed on as well, up to a limit, so that another attempt can send it again.

use bulkhead_message::Fields;

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    bytes: Vec<u8>,
    /// How many of `bytes` were passed on.
    sent: usize,
    /// Keep what was passed on.
    keep: bool,
    /// Flow-control bytes of the source that are not released yet.
    pub(crate) owed: u32,
    /// The source has ended.
    pub(crate) ended: bool,
    /// The end was passed on.
    pub(crate) end_sent: bool,
    /// The source ended with `trailers`.
    pub(crate) has_trailers: bool,
    pub(crate) trailers: Fields,
    /// Total body bytes that came in.
    pub(crate) total: u64,
    /// The source is paused until the pipe has drained (HTTP/1).
    pub(crate) paused: bool,
}

impl Pipe {
    /// Makes it empty; keeps up to `retain` bytes of memory.
    pub(crate) fn clear(&mut self, retain: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > retain {
            self.bytes.shrink_to(retain);
        }
        self.sent = 0;
        self.keep = false;
        self.owed = 0;
        self.ended = false;
        self.end_sent = false;
        self.has_trailers = false;
        self.trailers.clear();
        self.total = 0;
        self.paused = false;
    }

    /// From now on, keeps what is passed on.
    pub(crate) const fn keep(&mut self) {
        self.keep = true;
    }

    /// Makes an empty pipe hold what another one does, from the beginning, which that has kept.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.keep = true;
        self.ended = other.ended;
        self.has_trailers = other.has_trailers;
        self.trailers.clone_from(&other.trailers);
        self.total = other.total;
    }

    /// Goes on where another pipe with the same bytes stands.
    pub(crate) const fn go_on_as(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.bytes, &mut other.bytes);
        self.sent = other.sent;
        self.keep = other.keep;
        self.end_sent = other.end_sent;
    }

    /// Forgets what was passed on: no other attempt can be made with this body.
    pub(crate) fn forget(&mut self) {
        self.keep = false;
        if self.sent > 0 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Appends bytes that came in. Gives up keeping when more than `keep_max` would be kept.
    pub(crate) fn push(&mut self, bytes: &[u8], keep_max: usize) {
        if self.keep && self.bytes.len() + bytes.len() > keep_max {
            self.forget();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What is to be passed on.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that so many of the waiting bytes were passed on.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent += count;
        if !self.keep && self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Takes back the last bytes that came in. False: some of them were passed on.
    pub(crate) fn drop_last(&mut self, count: usize) -> bool {
        let waiting = self.waiting().len();
        if count <= waiting {
            self.bytes.truncate(self.bytes.len() - count);
        }
        count <= waiting
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether everything that came in so far can be sent again from the beginning.
    pub(crate) const fn can_replay(&self) -> bool {
        self.keep || self.total == 0
    }

    /// Starts over for another attempt.
    pub(crate) const fn rewind(&mut self) {
        self.sent = 0;
        self.end_sent = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_bytes_come_again_after_a_rewind() {
        let mut pipe = Pipe::default();
        pipe.keep();
        pipe.push(b"abc", 10);
        pipe.advance(3);
        pipe.push(b"def", 10);
        assert_eq!(pipe.waiting(), b"def");
        pipe.rewind();
        assert_eq!(pipe.waiting(), b"abcdef");
        assert!(pipe.can_replay());
    }

    #[test]
    fn only_what_was_not_passed_on_is_taken_back() {
        let mut pipe = Pipe::default();
        pipe.push(b"abcdef", 0);
        pipe.advance(2);
        assert!(pipe.drop_last(0) && pipe.drop_last(3));
        assert_eq!(pipe.waiting(), b"c");
        assert!(!pipe.drop_last(2));
        assert_eq!(pipe.waiting(), b"c");
    }

    #[test]
    fn beyond_the_limit_nothing_is_kept_and_nothing_is_lost() {
        let mut pipe = Pipe::default();
        pipe.keep();
        pipe.total = 9;
        pipe.push(b"abc", 8);
        pipe.advance(2);
        pipe.push(b"defghi", 8);
        assert!(!pipe.can_replay());
        assert_eq!(pipe.waiting(), b"cdefghi");
        pipe.advance(7);
        assert!(pipe.is_drained() && pipe.bytes.is_empty());
    }
}
