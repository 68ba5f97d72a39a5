//! Body bytes from one leg of an exchange to the other, with back-pressure all the way: what the
//! receiving side does not take stays in a [`crate::pipe::Pipe`], and the sending side is granted no
//! more until it has left.

use bulkhead_codec::{ErrorCode, SendError};
use bulkhead_message::{Failure, FailureKind, Retry};

use crate::arena::Key;
use crate::connection::OUT_BYTES_MAX;
use crate::exchange_state::{Leg, Phase};
use crate::faults::Fault;
use crate::worker::Worker;

mod shaped;

pub(crate) use shaped::Room;

/// Which body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Client → endpoint.
    Request,
    /// Endpoint → client.
    Response,
}

impl Worker {
    /// Passes response bytes on without a copy into the pipe where the client takes them at once.
    /// True: the flow-control bytes are kept back.
    pub(crate) fn pass_on_response(
        &mut self,
        key: Key,
        bytes: &[u8],
        flow: u32,
        end: bool,
    ) -> bool {
        let Self { exchanges, connections, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return false };
        if exchange.fault.is_some() {
            return self.pass_on_shaped(key, bytes, flow, end);
        }
        let body = &mut exchange.response_body;
        body.total += bytes.len() as u64;
        body.ended |= end;
        let Some(leg) = exchange.downstream else { return false };
        let mut taken = 0;
        if body.is_drained()
            && let Some(connection) = connections.get_mut(leg.connection)
            && connection.out.len() < OUT_BYTES_MAX
            && let Some(codec) = connection.codec.as_mut()
        {
            match codec.send_data(leg.stream, bytes, end, &mut connection.out.bytes) {
                Ok(count) => taken = count,
                Err(error) => {
                    self.response_unsendable(key, error);
                    return false;
                }
            }
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(leg.connection);
            }
            if taken == bytes.len() {
                body.end_sent = end;
                return false;
            }
        }
        body.push(&bytes[taken..], 0);
        body.owed += flow;
        self.in_hand.flow_bytes = 0;
        self.flush_pipe(key, Direction::Response);
        true
    }

    /// Passes on what waits in a pipe, as far as the receiving side takes it, and grants the sending
    /// side as much again.
    pub(crate) fn flush_pipe(&mut self, key: Key, direction: Direction) {
        self.faults.strike(Fault::PipePanic);
        let Self { exchanges, connections, dirty, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        if direction == Direction::Request && exchange.awaits_tunnel() {
            return;
        }
        let faulty = exchange.fault.is_some();
        let room = if faulty { Room::of(exchange, direction, self.now) } else { Room::ALL };
        let (body, to, from) = match direction {
            Direction::Request => {
                (&mut exchange.request_body, exchange.upstream, exchange.downstream)
            }
            Direction::Response => {
                (&mut exchange.response_body, exchange.downstream, exchange.upstream)
            }
        };
        let in_tunnel = exchange.phase == Phase::Tunnel;
        let before = body.waiting().len();
        let mut refused = None;
        if let Some(to) = to
            && let Some(connection) = connections.get_mut(to.connection)
            && let Some(codec) = connection.codec.as_mut()
            && !body.end_sent
        {
            let out = &mut connection.out;
            let full = out.len() >= OUT_BYTES_MAX;
            if full && !connection.stalled.contains(&key) {
                connection.stalled.push(key);
            }
            refused = body.pass_on(codec, to.stream, full, room, &mut out.bytes).err();
            if !connection.dirty && !connection.out.is_empty() {
                connection.dirty = true;
                dirty.push(to.connection);
            }
        }
        let left = body.waiting().len();
        if faulty && let Some(fault) = &mut exchange.fault {
            fault.shaping(direction).passed(before - left, before.min(room.bytes));
        }
        if left > 0 && direction == Direction::Request {
            exchange.body_rate.hold();
        }
        // Whoever has sent all is not held: its connection may carry another exchange by now.
        let whole = match direction {
            Direction::Request => body.ended,
            Direction::Response => body.ended || exchange.response_ended,
        };
        let pause = left > self.snapshot.limits.buffer_bytes_max as usize && !whole;
        // Padding and what a fast path has passed on already are granted once all is out.
        let grant = if left == 0 { body.owed } else { body.owed.min((before - left) as u32) };
        body.owed -= grant;
        let resume = body.paused && left == 0;
        let hold = pause && !body.paused;
        body.paused = (body.paused || pause) && !resume;
        if let Some(from) = from {
            self.grant(from, grant, hold, resume);
        }
        if faulty && refused.is_none() {
            self.flushed_shaped(key, direction, left);
        }
        match (refused, direction) {
            (None, Direction::Request) if !in_tunnel => {}
            (None, _) => self.response_sent(key),
            (Some(error), Direction::Request) => self.request_unsendable(key, error),
            (Some(error), Direction::Response) => self.response_unsendable(key, error),
        }
    }

    /// Grants a sender `flow` bytes; holds or resumes one that has no windows (HTTP/1).
    fn grant(&mut self, from: Leg, flow: u32, hold: bool, resume: bool) {
        let Some(connection) = self.connections.get_mut(from.connection) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        if codec.is_http2() {
            if flow > 0 {
                codec.release(from.stream, flow, &mut connection.out.bytes);
                self.touch(from.connection);
            }
        } else if hold {
            connection.paused = true;
        } else if resume {
            connection.paused = false;
            self.pump_again(from.connection);
        }
    }

    /// The upstream's stream takes no more: it has answered, or it is gone.
    fn request_unsendable(&mut self, key: Key, error: SendError) {
        match error {
            SendError::Closed => {
                let Some(exchange) = self.exchanges.get_mut(key) else { return };
                exchange.request_body.forget();
                let waiting = exchange.request_body.waiting().len();
                exchange.request_body.advance(waiting);
            }
            SendError::Invalid(detail) => {
                let failure = Failure::downstream(FailureKind::BadRequest, detail);
                self.exchange_failed(key, failure);
            }
        }
    }

    /// The client's stream takes no more, though its exchange lives.
    fn response_unsendable(&mut self, key: Key, error: SendError) {
        let failure = match error {
            SendError::Closed => {
                if let Some(exchange) = self.exchanges.get_mut(key) {
                    exchange.downstream = None;
                }
                Failure::downstream(FailureKind::ClientAborted, "the client's stream is closed")
            }
            SendError::Invalid(detail) => {
                Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail)
            }
        };
        self.exchange_failed(key, failure);
    }

    /// A stream of this connection that was blocked can go on.
    pub(crate) fn stream_writable(&mut self, connection: Key, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.progressed = self.now;
        let is_downstream = exchange.downstream.is_some_and(|leg| leg.connection == connection);
        let direction = if is_downstream { Direction::Response } else { Direction::Request };
        self.flush_pipe(key, direction);
    }

    /// The upstream's answer is whole. Its slot is free once the request is out as well.
    pub(crate) fn upstream_ended(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.response_ended
            && std::mem::take(&mut exchange.response_body.paused)
            && let Some(leg) = exchange.upstream
        {
            // Else nobody would read the answer to the next request on it.
            self.grant(leg, 0, false, true);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.response_ended && exchange.request_body.end_sent {
            let outcome = exchange.outcome();
            self.tell_endpoint(key, outcome);
            self.release_slot(key);
        }
    }

    /// Forgets an upstream stream that its codec has dropped already.
    pub(crate) fn stream_gone(&mut self, key: Key) {
        self.release_slot(key);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.upstream = None;
        }
    }

    /// Ends what ties an exchange to an upstream: its stream, its slot, its place in the queue.
    pub(crate) fn detach_upstream(&mut self, key: Key, code: ErrorCode) {
        let Self { exchanges, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        if exchange.phase == Phase::Waiting
            && let Some(cluster) = exchange.cluster.and_then(|id| clusters.get_mut(id))
        {
            cluster.pool.cancel_waiter(key.to_tag());
        }
        if exchange.attempt_open || exchange.limited {
            let outcome = exchange.outcome();
            self.tell_endpoint(key, outcome);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(leg) = exchange.upstream else { return };
        let owed = std::mem::take(&mut exchange.response_body.owed);
        let live = exchange.holds_slot;
        if let Some(connection) = self.connections.get_mut(leg.connection)
            && let Some(codec) = connection.codec.as_mut()
        {
            if live {
                codec.reset(leg.stream, code, &mut connection.out.bytes);
            }
            if owed > 0 {
                // The stream may be gone; the connection's window is still owed.
                codec.release(leg.stream, owed, &mut connection.out.bytes);
            }
        }
        self.release_slot(key);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.upstream = None;
        }
        self.touch(leg.connection);
    }
}
