//! The end of a worker in good order: takes nothing new, lets requests in flight end.

use std::time::{Duration, Instant};

use bulkhead_codec::{Codec, ErrorCode};
use bulkhead_message::{Failure, FailureKind};

use crate::arena::Key;
use crate::connection::Connection;
use crate::guard::InHand;
use crate::worker::{Exit, Worker};

/// Between GOAWAY(2³¹−1) and the final one: a round trip, so that requests on their way are served.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_millis(250);

/// So long an idle client of HTTP/1 may take for its next request, where another process serves
/// already and nobody waits for this one to end: closing at once would cross requests on their way.
const NEXT_REQUEST_GRACE: Duration = Duration::from_secs(2);
/// So long a client that has just connected may take for its first byte, or its handshake.
const FIRST_WORD_GRACE: Duration = Duration::from_secs(2);

impl Worker {
    /// Takes nothing new from now on, and tells the clients.
    pub(crate) fn begin_drain(&mut self, until: Instant, handed_over: bool) {
        self.draining = true;
        if handed_over {
            self.drop_listeners();
        } else {
            // Whoever was connected by the kernel already gets an answer.
            self.listen_on(Vec::new());
        }
        self.refuse_at = Some((self.now + DRAIN_GRACE).min(until));
        self.drain_until = Some(until);
        let grace = if handed_over { NEXT_REQUEST_GRACE } else { DRAIN_GRACE };
        self.idle_until = (self.now + grace).min(until);
        // The loop comes round for the second phase.
        self.next_housekeeping = self.now;
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if !connection.is_downstream() {
                continue;
            }
            self.in_hand = InHand::connection(key);
            self.announce_close(key);
            self.touch(key);
        }
        self.in_hand = InHand::NOTHING;
    }

    /// Tells a client that its connection ends. HTTP/1 can do so in an answer only: where none is
    /// under way it is the next request that is told, if one comes before the second phase.
    pub(crate) fn announce_close(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && connection.is_downstream()
            && let Some(codec) = connection.codec.as_mut()
            && (codec.is_http2() || codec.active_streams() > 0)
        {
            codec.announce_close(&mut connection.out.bytes);
        }
    }

    /// The second phase when it is due, and the end when nothing is left to serve.
    pub(crate) fn finished_draining(&mut self) -> Option<Exit> {
        let until = self.drain_until?;
        if self.refuse_at.is_some_and(|at| at <= self.now) {
            self.refuse_at = None;
            let keys = self.connections.keys();
            self.refuse_all(keys);
        } else if !self.beginners.is_empty() {
            let keys = std::mem::take(&mut self.beginners);
            self.refuse_all(keys);
        }
        self.next_housekeeping = self.next_housekeeping.min(self.now + Duration::from_millis(20));
        let begun = self.refuse_at.is_none() && self.beginners.is_empty();
        // Nobody waits for what mirrored requests bring.
        let asked = self.exchanges.len().saturating_sub(self.mirrors);
        let idle =
            asked == 0 && self.relays.len() == 0 && self.parcels.is_empty() && self.is_flushed();
        if self.now >= until {
            self.end_exchanges();
        }
        (begun && idle || self.now >= until).then_some(Exit::Stopped)
    }

    /// No request is taken on these any more, but one that has begun to come in.
    fn refuse_all(&mut self, keys: Vec<Key>) {
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if !connection.is_downstream() {
                continue;
            }
            if is_beginning(connection, self.now, self.idle_until) {
                self.beginners.push(key);
                continue;
            }
            self.in_hand = InHand::connection(key);
            match connection.codec.as_mut() {
                Some(codec) => {
                    codec.refuse_new(ErrorCode::NO_ERROR, &mut connection.out.bytes);
                }
                // It has not said anything until now.
                None => connection.closing = true,
            }
            self.touch(key);
        }
        self.in_hand = InHand::NOTHING;
        self.flush_dirty();
    }

    /// The time is over: tells who can be told, and leaves no exchange without its record.
    fn end_exchanges(&mut self) {
        let detail = "`drain_timeout` is over";
        let failure = Failure::gateway(FailureKind::DeadlineExceeded, detail);
        for key in self.exchanges.keys() {
            self.guarded(key, |_| Err(failure));
            self.guarded(key, |worker| {
                // An answer that its client does not take.
                worker.finish(key);
                Ok(())
            });
        }
        self.flush_dirty();
    }

    fn is_flushed(&self) -> bool {
        self.connections
            .keys()
            .into_iter()
            .filter_map(|key| self.connections.get(key))
            .all(|connection| connection.out.is_empty() && !connection.channel.wants_write())
    }
}

/// Whether a client is in the middle of a handshake or of a head, has only just come, or may still be
/// told with the answer to its next request that it is the last.
fn is_beginning(connection: &Connection, now: Instant, idle_until: Instant) -> bool {
    let http1 = matches!(connection.codec, Some(Codec::Http1(_)));
    let between_requests = http1 && connection.streams() == 0 && now < idle_until;
    let silent = connection.codec.is_none()
        && now.saturating_duration_since(connection.opened) < FIRST_WORD_GRACE;
    !connection.closing
        && !connection.input_closed
        && (silent
            || between_requests
            || connection.channel.is_handshaking()
            || connection.head_since.is_some())
}
