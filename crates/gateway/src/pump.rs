//! The pump: socket → codec → events, and outbox → socket. One for every byte-stream protocol and for
//! both sides; what an event means is decided in [`crate::exchange`].

use bulkhead_codec::{Codec, ConnectionError, ErrorCode, Event};
use bulkhead_message::{Failure, FailureKind, Retry};
use bulkhead_transport::ReadOutcome;

use crate::arena::Key;
use crate::connection::{PENDING_BYTES_MAX, Side, UpstreamPhase};
use crate::faults::Fault;
use crate::guard::InHand;
use crate::outbox::Outbox;
use crate::sniff::speaks_http;
use crate::worker::Worker;

mod flush;

pub(crate) use flush::write_out;

/// How much is read at once; shared by all connections of a worker.
pub(crate) const READ_BYTES: usize = 128 * 1024;
/// Reads per connection and turn, so that one fast peer does not starve the others.
const READS_PER_TURN: usize = 8;

impl Worker {
    /// Reads and handles what a connection has to say.
    pub(crate) fn read(&mut self, key: Key) {
        if self.connections.get(key).is_some_and(|connection| connection.opening.is_some()) {
            return self.open(key);
        }
        // Out of the worker for the time of the pump: events borrow from it while the worker changes.
        let mut buffer = std::mem::take(&mut self.buffer);
        for round in 0..=READS_PER_TURN {
            let Some(connection) = self.connections.get_mut(key) else { break };
            let held = connection.paused || connection.yielding;
            if connection.input_closed || (held && !connection.lingering) {
                break;
            }
            if round == READS_PER_TURN {
                self.pump_again(key);
                break;
            }
            let kept = connection.pending.len();
            if buffer.len() < kept + READ_BYTES / 2 {
                buffer.resize(kept + READ_BYTES / 2, 0);
            }
            match connection.channel.read(&mut buffer[kept..]) {
                Ok(ReadOutcome::Bytes(count)) => {
                    buffer[..kept].copy_from_slice(&connection.pending);
                    // An idle connection holds no buffer.
                    connection.pending = Vec::new();
                    connection.heard = self.now;
                    if !connection.lingering {
                        connection.active = self.now;
                    }
                    if connection.is_downstream() {
                        self.shard.transferred(count as u64, 0);
                    }
                    let may_read_more = connection.channel.may_read_more() || connection.hung_up;
                    self.pump_and_keep(key, &buffer[..kept + count]);
                    if !may_read_more {
                        // Edge-triggered: more bytes will raise another event.
                        break;
                    }
                }
                Ok(ReadOutcome::WouldBlock) => break,
                Ok(ReadOutcome::Closed) => {
                    self.input_closed(key);
                    break;
                }
                Err(_) => {
                    self.connection_lost(key);
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    /// Handles input that waited, without reading.
    pub(crate) fn pump_pending(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let pending = std::mem::take(&mut connection.pending);
        let input_closed = connection.input_closed;
        if !pending.is_empty() {
            self.pump_and_keep(key, &pending);
        }
        let Some(connection) = self.connections.get_mut(key).filter(|_| input_closed) else {
            return;
        };
        if connection.streams() == 0 {
            connection.closing = true;
            self.touch(key);
        } else if connection.is_tunnel() {
            // It has become one after its peer had ended its half.
            self.settle_closed_input(key);
        }
    }

    fn pump_and_keep(&mut self, key: Key, input: &[u8]) {
        self.faults.strike(Fault::InputPanic);
        let left = self.pump(key, input);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.closing || connection.lingering {
            return;
        }
        connection.pending.extend_from_slice(&input[input.len() - left..]);
        let waits_for_head = left > 0 && connection.streams() == 0 && connection.is_downstream();
        connection.head_since =
            if waits_for_head { connection.head_since.or(Some(now)) } else { None };
        let is_http1 = matches!(connection.codec, Some(Codec::Http1(_)));
        if is_http1 && left > PENDING_BYTES_MAX && connection.streams() > 0 {
            connection.paused = true;
        }
    }

    /// Decodes and handles events until the input is used up. Gives how many bytes are left.
    fn pump(&mut self, key: Key, input: &[u8]) -> usize {
        let mut rest = input;
        let Some(connection) = self.connections.get_mut(key) else { return 0 };
        let is_downstream = connection.is_downstream();
        if connection.codec.is_none() && !self.choose_codec(key, rest) {
            return rest.len();
        }
        self.each_guarded(key, |worker| worker.pump_events(key, is_downstream, input, &mut rest))
    }

    /// Can be entered again after a panic: `rest` then begins behind the event that was in hand.
    fn pump_events(
        &mut self,
        key: Key,
        is_downstream: bool,
        input: &[u8],
        rest: &mut &[u8],
    ) -> usize {
        loop {
            self.in_hand = InHand::connection(key);
            let Self { connections, heads, .. } = self;
            let Some(connection) = connections.get_mut(key) else { return 0 };
            if connection.closing || connection.lingering {
                return 0;
            }
            let Some(codec) = connection.codec.as_mut() else { return rest.len() };
            match codec.next_event(rest, heads, &mut connection.out.bytes) {
                Ok(Some(event)) if is_downstream => self.downstream_event(key, event),
                Ok(Some(event)) => self.upstream_event(key, event),
                Ok(None) => break,
                Err(error) => {
                    let is_http1 = matches!(connection.codec, Some(Codec::Http1(_)));
                    if is_downstream && is_http1 && !connection.spoke && !speaks_http(input) {
                        // Neither protocol: an answer in one of them would only confuse.
                        connection.out = Outbox::default();
                    }
                    self.protocol_failed(key, error);
                    return 0;
                }
            }
        }
        self.after_codec(key);
        self.count_streams(key);
        rest.len()
    }

    /// Counts what went wrong on single streams of a connection, which the codec has settled itself.
    fn count_streams(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let downstream = connection.is_downstream();
        let counters = connection.codec.as_mut().and_then(Codec::take_counters);
        let Some(counters) = counters else { return };
        for (reason, count) in [
            ("reset_by_peer", counters.resets_received),
            ("protocol_error", counters.resets_forced),
            ("refused", counters.streams_refused),
            ("head_too_large", counters.heads_oversized),
        ] {
            if count > 0 {
                self.shard.stream_errors(downstream, reason, count);
            }
        }
    }

    /// What has to be looked at whenever a codec has worked: streams that can go on, output, the end.
    fn after_codec(&mut self, key: Key) {
        while let Some(connection) = self.connections.get_mut(key) {
            let Some((_, tag)) = connection.codec.as_mut().and_then(Codec::next_writable) else {
                break;
            };
            let exchange = self.take_in_hand(tag, 0, 0);
            self.stream_writable(key, exchange);
            self.in_hand.exchange = Key::NONE;
        }
        self.touch(key);
    }

    /// Puts a connection on the list of those to flush, if it has something to say or to end.
    #[inline]
    pub(crate) fn touch(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.codec.as_ref().is_some_and(Codec::must_close) {
            connection.closing = true;
        }
        if !connection.dirty
            && (connection.closing || !connection.out.is_empty() || connection.must_half_close())
        {
            connection.dirty = true;
            self.dirty.push(key);
        }
    }

    /// Asks for another pump of this connection in this turn's second half.
    pub(crate) fn pump_again(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.again
        {
            connection.again = true;
            self.again.push(key);
        }
    }

    /// Notes that the exchange of a stream is handled from now on.
    #[inline]
    fn take_in_hand(&mut self, tag: u64, stream: u32, flow_bytes: u32) -> Key {
        let exchange = Key::from_tag(tag);
        self.in_hand.exchange = exchange;
        self.in_hand.stream = stream;
        self.in_hand.flow_bytes = flow_bytes;
        exchange
    }

    fn downstream_event(&mut self, key: Key, event: Event<'_>) {
        match event {
            Event::Request { stream, end } => {
                if self.draining {
                    self.announce_close(key);
                }
                self.request_begins(key, stream, end);
            }
            Event::Data { tag, bytes, flow_bytes, end, stream } => {
                let exchange = self.take_in_hand(tag, stream, flow_bytes);
                if !self.request_data(exchange, bytes, flow_bytes, end) {
                    self.release(key, stream, flow_bytes);
                }
            }
            Event::Trailers { tag, .. } => {
                let exchange = self.take_in_hand(tag, 0, 0);
                self.request_trailers(exchange);
            }
            Event::Reset { tag, by_peer, .. } => {
                let exchange = self.take_in_hand(tag, 0, 0);
                if let Some(exchange) = self.exchanges.get_mut(exchange) {
                    exchange.downstream = None;
                }
                let kind =
                    if by_peer { FailureKind::ClientAborted } else { FailureKind::BadRequest };
                self.exchange_failed(
                    exchange,
                    Failure::downstream(kind, "the client's stream was reset"),
                );
            }
            Event::Pong(_) => self.ponged(key),
            Event::GoAway { .. } | Event::Ready | Event::Response { .. } => {}
        }
    }

    fn upstream_event(&mut self, key: Key, event: Event<'_>) {
        match event {
            Event::Response { tag, end, .. } => {
                let exchange = self.take_in_hand(tag, 0, 0);
                self.response_begins(exchange, end);
            }
            Event::Data { tag, bytes, flow_bytes, end, stream } => {
                let exchange = self.take_in_hand(tag, stream, flow_bytes);
                if !self.response_data(exchange, bytes, flow_bytes, end) {
                    self.release(key, stream, flow_bytes);
                }
            }
            Event::Trailers { tag, .. } => {
                let exchange = self.take_in_hand(tag, 0, 0);
                self.response_trailers(exchange);
            }
            Event::Reset { tag, code, by_peer, .. } => {
                let exchange = self.take_in_hand(tag, 0, 0);
                self.upstream_reset(exchange, code, by_peer);
            }
            Event::GoAway { .. } => self.pool_draining(key),
            Event::Ready => {
                self.pool_settings(key);
                self.settings_arrived(key);
            }
            Event::Pong(_) => self.ponged(key),
            Event::Request { .. } => {}
        }
    }

    pub(crate) fn release(&mut self, key: Key, stream: u32, flow_bytes: u32) {
        if flow_bytes > 0
            && let Some(connection) = self.connections.get_mut(key)
            && let Some(codec) = connection.codec.as_mut()
        {
            codec.release(stream, flow_bytes, &mut connection.out.bytes);
        }
    }

    /// The peer broke the protocol: what it is to be told is in the outbox.
    fn protocol_failed(&mut self, key: Key, error: ConnectionError) {
        self.count_streams(key);
        match error.code {
            ErrorCode::ENHANCE_YOUR_CALM => self.shard.flood(error.reason),
            _ => self.shard.protocol_error(error.reason),
        }
        let is_downstream = self.connections.get(key).is_some_and(|c| c.is_downstream());
        let failure = if is_downstream {
            Failure::downstream(FailureKind::BadRequest, error.reason)
        } else {
            Failure::upstream(FailureKind::UpstreamProtocol, Retry::IfIdempotent, error.reason)
        };
        if !is_downstream {
            // First: what fails may be tried again at once, and not on this connection.
            self.pool_closed(key);
        }
        self.fail_streams(key, failure);
        if let Some(connection) = self.connections.get_mut(key) {
            connection.closing = true;
            connection.pending = Vec::new();
        }
        self.touch(key);
    }

    /// The peer has ended its sending half.
    fn input_closed(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.lingering || connection.codec.is_none() {
            return self.connection_lost(key);
        }
        connection.input_closed = true;
        self.settle_closed_input(key);
    }

    /// Nothing more will come in here: ends what cannot be completed. An HTTP/1 client may end its
    /// half and still read the answers to all that it has sent, and the other half of a tunnel goes on;
    /// everything else is over.
    fn settle_closed_input(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_downstream = connection.is_downstream();
        let rest = connection.pending.clone();
        if !self.each_guarded(key, |worker| worker.end_events(key, is_downstream, &rest)) {
            return self.connection_lost(key);
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_http1 = matches!(connection.codec, Some(Codec::Http1(_)));
        let goes_on = is_downstream || connection.is_tunnel();
        if is_http1 && goes_on && connection.streams() > 0 {
            return;
        }
        if is_downstream && !connection.out.is_empty() {
            connection.closing = true;
            return self.touch(key);
        }
        self.connection_lost(key);
    }

    /// Handles what the end of the input means. False: the peer ended in the middle of something.
    fn end_events(&mut self, key: Key, is_downstream: bool, rest: &[u8]) -> bool {
        loop {
            self.in_hand = InHand::connection(key);
            let Some(connection) = self.connections.get_mut(key) else { return true };
            let Some(codec) = connection.codec.as_mut() else { return true };
            match codec.end_of_input(rest) {
                Ok(Some(event)) if is_downstream => self.downstream_event(key, event),
                Ok(Some(event)) => self.upstream_event(key, event),
                Ok(None) => return true,
                Err(error) => {
                    self.shard.protocol_error(error.reason);
                    return false;
                }
            }
        }
    }

    /// An upstream connection made progress in being set up.
    pub(crate) fn advance_connect(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Side::Upstream(upstream) = &mut connection.side else { return };
        if upstream.phase == UpstreamPhase::Connecting {
            match connection.channel.connect_result() {
                Ok(true) => upstream.phase = UpstreamPhase::Handshaking,
                Ok(false) => return,
                Err(_) => return self.connection_lost(key),
            }
        }
        if upstream.phase == UpstreamPhase::Handshaking {
            // The first flush sends the ClientHello; reading drives the rest.
            if connection.channel.is_handshaking() && connection.channel.flush().is_err() {
                return self.connection_lost(key);
            }
            self.read(key);
            let up = self.connections.get(key).is_some_and(|c| !c.channel.is_handshaking());
            if up {
                self.pool_ready(key);
            }
        }
    }
}
