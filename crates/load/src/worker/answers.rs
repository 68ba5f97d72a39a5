//! From a connection's bytes to the end of each request.

use bulkhead_codec::{ErrorCode, Event, Heads, Tag};

use super::Worker;
use super::send::resume_uploads;
use crate::clock::since;
use crate::connection::{Client, Input, State};
use crate::outcome::Outcome;
use crate::workload::Answer;

/// Largest answer that is kept to be checked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// How a connection stands after its bytes were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Live,
    /// It is over: what was in flight on it ends so.
    Lost(Outcome),
}

impl Worker {
    /// Something happened on a connection.
    pub(super) fn on_ready(&mut self, index: usize, readable: bool, ended: bool) {
        let Some(mut client) = self.slots.get_mut(index).and_then(|slot| slot.client.take()) else {
            return;
        };
        let was_connecting = client.state == State::Connecting;
        if was_connecting {
            match client.connect_result() {
                Ok(true) => {
                    client.state = State::Up;
                    self.tally.connections_opened += 1;
                    self.slots[index].backoff_ns = 0;
                }
                Ok(false) => {
                    self.slots[index].client = Some(client);
                    return;
                }
                Err(cause) => {
                    self.slots[index].client = Some(client);
                    self.connect_failed(index, &cause);
                    return;
                }
            }
        }
        let mut standing = Standing::Live;
        if readable || ended {
            standing = self.read(&mut client, ended);
        }
        resume_uploads(&mut client, &mut self.flights);
        if standing == Standing::Live && client.flush().is_err() {
            standing = Standing::Lost(Outcome::Closed);
        }
        let must_close = client.codec.must_close();
        let draining = client.state == State::Draining;
        let idle = client.codec.active_streams() == 0;
        self.slots[index].client = Some(client);
        match standing {
            Standing::Lost(outcome) => self.lose(index, outcome),
            Standing::Live if must_close || (draining && idle) => self.retire(index),
            Standing::Live if draining => self.replace(index),
            Standing::Live => {}
        }
    }

    fn read(&mut self, client: &mut Client, ended: bool) -> Standing {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut standing = Standing::Live;
        while standing == Standing::Live {
            match client.read(&mut buffer) {
                Ok(Input::Bytes { count, more }) => {
                    standing = self.take(client, &buffer[..count]);
                    if !more && !ended {
                        break;
                    }
                }
                Ok(Input::Nothing) => break,
                Ok(Input::End) => standing = self.on_end_of_input(client),
                Err(_) => standing = Standing::Lost(Outcome::Closed),
            }
        }
        self.buffer = buffer;
        standing
    }

    fn take(&mut self, client: &mut Client, bytes: &[u8]) -> Standing {
        if client.input.is_empty() {
            let (rest, standing) = self.decode(client, bytes);
            client.input.extend_from_slice(&bytes[bytes.len() - rest..]);
            return standing;
        }
        let mut input = std::mem::take(&mut client.input);
        input.extend_from_slice(bytes);
        let (rest, standing) = self.decode(client, &input);
        let consumed = input.len() - rest;
        input.drain(..consumed);
        client.input = input;
        standing
    }

    /// Gives how many bytes at the end of `input` were left.
    fn decode(&mut self, client: &mut Client, mut input: &[u8]) -> (usize, Standing) {
        let now = since(self.start);
        let mut heads = std::mem::take(&mut self.heads);
        let standing = loop {
            match client.codec.next_event(&mut input, &mut heads, &mut client.out) {
                Ok(Some(event)) => self.on_event(client, event, &mut heads, now),
                Ok(None) => break Standing::Live,
                Err(_) => break Standing::Lost(Outcome::Protocol),
            }
        };
        self.heads = heads;
        (input.len(), standing)
    }

    fn on_end_of_input(&mut self, client: &mut Client) -> Standing {
        let now = since(self.start);
        let rest = std::mem::take(&mut client.input);
        let mut heads = Heads::default();
        while let Ok(Some(event)) = client.codec.end_of_input(&rest) {
            self.on_event(client, event, &mut heads, now);
        }
        Standing::Lost(Outcome::Closed)
    }

    fn on_event(&mut self, client: &mut Client, event: Event<'_>, heads: &mut Heads, now: u64) {
        match event {
            Event::Response { tag, end, .. } => {
                if heads.response.is_interim() {
                    return;
                }
                let Some(place) = place_of(tag) else { return };
                if let Some(flight) = self.flights.get(place) {
                    std::mem::swap(&mut flight.head, &mut heads.response);
                }
                if end {
                    self.finish(place, now);
                }
            }
            Event::Data { stream, tag, bytes, flow_bytes, end } => {
                if flow_bytes > 0 {
                    client.codec.release(stream, flow_bytes, &mut client.out);
                }
                let Some(place) = place_of(tag) else { return };
                if let Some(flight) = self.flights.get(place)
                    && flight.body.len() + bytes.len() <= BODY_BYTES_MAX
                {
                    flight.body.extend_from_slice(bytes);
                }
                if end {
                    self.finish(place, now);
                }
            }
            Event::Trailers { tag, .. } => {
                let Some(place) = place_of(tag) else { return };
                if let Some(flight) = self.flights.get(place) {
                    std::mem::swap(&mut flight.trailers, &mut heads.trailers);
                }
                self.finish(place, now);
            }
            Event::Reset { tag, code, .. } => {
                let Some(place) = place_of(tag) else { return };
                let outcome = match code {
                    ErrorCode::REFUSED_STREAM => Outcome::GoAway,
                    _ => Outcome::Reset,
                };
                self.fail(place, outcome, now, "the stream was reset");
            }
            Event::GoAway { .. } => client.state = State::Draining,
            Event::Request { .. } | Event::Ready | Event::Pong(_) => {}
        }
    }

    /// A whole answer is there.
    fn finish(&mut self, place: usize, now: u64) {
        let Some(flight) = self.flights.get(place) else { return };
        let answer = Answer {
            class: flight.class,
            key: flight.key,
            head: &flight.head,
            body: &flight.body,
            trailers: &flight.trailers,
        };
        match self.workload.check(&answer) {
            Ok(()) => {
                let latency = now.saturating_sub(flight.intended_ns);
                let service = now.saturating_sub(flight.sent_ns);
                self.tally.on_ok(flight.class, latency, service, &mut self.slice);
            }
            Err(mismatch) => {
                let detail = || describe(&answer);
                let outcome = mismatch.into();
                self.tally.on_failed(flight.class, outcome, now, detail, &mut self.slice);
            }
        }
        self.flights.end(place);
    }

    /// A request has failed.
    pub(super) fn fail(&mut self, place: usize, outcome: Outcome, now: u64, detail: &'static str) {
        let Some(flight) = self.flights.get(place) else { return };
        let detail = || {
            let waited = now.saturating_sub(flight.sent_ns) / 1_000_000;
            format!(
                "{detail}, {waited} ms after it was sent (connection {}, stream {})",
                flight.connection, flight.stream
            )
        };
        self.tally.on_failed(flight.class, outcome, now, detail, &mut self.slice);
        self.flights.end(place);
    }
}

/// The place that a tag stands for.
pub(super) fn place_of(tag: Tag) -> Option<usize> {
    usize::try_from(tag).ok()?.checked_sub(1)
}

fn describe(answer: &Answer<'_>) -> String {
    let start: String = String::from_utf8_lossy(answer.body).chars().take(80).collect();
    let grpc = answer.trailers.get(bulkhead_message::Known::GrpcStatus);
    let grpc = grpc.or_else(|| answer.head.fields.get(bulkhead_message::Known::GrpcStatus));
    let grpc = String::from_utf8_lossy(grpc.unwrap_or(b"none"));
    format!(
        "status {}, grpc-status {grpc}, {} bytes of body: {start:?}",
        answer.head.status,
        answer.body.len()
    )
}
