//! From a connection's bytes to the end of each request.

use std::io;

use bulkhead_codec::{ErrorCode, Event, Heads, Tag};

use super::Worker;
use super::send::resume_uploads;
use crate::clock::since;
use crate::connection::{Client, Input, State};
use crate::flight::Cause;
use crate::later::Later;
use crate::outcome::Outcome;
use crate::pool::Pending;
use crate::workload::Answer;

/// Largest answer that is kept to be checked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// How a connection stands after its bytes were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Live,
    /// It did not come up: TLS failed, or the upgrade.
    Refused {
        cause: String,
        tls: bool,
    },
    /// It is over: what was in flight on it ends so.
    Lost(Outcome),
}

impl Worker {
    /// Something happened on a connection.
    pub(super) fn on_ready(&mut self, index: usize, readable: bool, ended: bool) {
        let Some(mut client) = self.slots.get_mut(index).and_then(|slot| slot.client.take()) else {
            return;
        };
        if client.state == State::Connecting {
            match client.connect_result() {
                Ok(true) => client.state = State::Handshaking,
                Ok(false) => {
                    self.slots[index].client = Some(client);
                    return;
                }
                Err(cause) => {
                    self.slots[index].client = Some(client);
                    self.connect_failed(index, &cause, false);
                    return;
                }
            }
        }
        if client.state == State::Handshaking && !client.is_handshaking() {
            let up = self.on_up(index, &mut client);
            if let Err(cause) = up {
                self.slots[index].client = Some(client);
                self.connect_failed(index, &cause, true);
                return;
            }
        }
        let mut standing = Standing::Live;
        if readable || ended {
            standing = self.read(index, &mut client, ended);
        }
        resume_uploads(&mut client, &mut self.flights);
        if standing == Standing::Live
            && let Err(cause) = client.flush()
        {
            standing = match client.state {
                State::Handshaking => Standing::Refused { cause: cause.to_string(), tls: true },
                _ => Standing::Lost(Outcome::Closed),
            };
        }
        if client.state == State::Upgrading && matches!(standing, Standing::Lost(_)) {
            let cause = client.codec.refusal();
            let cause =
                cause.unwrap_or_else(|| "the connection ended before its upgrade".to_owned());
            standing = Standing::Refused { cause, tls: false };
        }
        let must_close = client.codec.must_close();
        let draining = client.state == State::Draining;
        let idle = client.codec.active_streams() == 0;
        self.slots[index].client = Some(client);
        match standing {
            Standing::Refused { cause, tls } => {
                self.connect_failed(index, &io::Error::other(cause), tls);
            }
            Standing::Lost(outcome) => self.lose(index, outcome),
            Standing::Live if must_close && !idle => self.lose(index, Outcome::Closed),
            Standing::Live if must_close || (draining && idle) => self.retire(index),
            Standing::Live => self.list(index),
        }
    }

    fn read(&mut self, index: usize, client: &mut Client, ended: bool) -> Standing {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut standing = Standing::Live;
        while standing == Standing::Live {
            let input = client.read(&mut buffer);
            if client.state == State::Handshaking {
                standing = self.on_handshake(index, client, input.as_ref());
                if standing != Standing::Live {
                    break;
                }
            }
            match input {
                Ok(Input::Bytes { count, more }) => {
                    standing = self.take(index, client, &buffer[..count]);
                    if !more && !ended {
                        break;
                    }
                }
                Ok(Input::Nothing) => break,
                Ok(Input::End) => standing = self.on_end_of_input(index, client),
                Err(_) => standing = Standing::Lost(Outcome::Closed),
            }
        }
        self.buffer = buffer;
        standing
    }

    /// A read during the TLS handshake may have ended it, well or badly.
    fn on_handshake(
        &mut self,
        index: usize,
        client: &mut Client,
        input: Result<&Input, &io::Error>,
    ) -> Standing {
        match input {
            Err(cause) => Standing::Refused { cause: cause.to_string(), tls: true },
            Ok(Input::End) => {
                Standing::Refused { cause: "the server ended the handshake".to_owned(), tls: true }
            }
            Ok(_) if client.is_handshaking() => Standing::Live,
            Ok(_) => match self.on_up(index, client) {
                Ok(()) => Standing::Live,
                Err(cause) => Standing::Refused { cause: cause.to_string(), tls: true },
            },
        }
    }

    fn take(&mut self, index: usize, client: &mut Client, bytes: &[u8]) -> Standing {
        if client.input.is_empty() {
            let (rest, standing) = self.decode(index, client, bytes);
            client.input.extend_from_slice(&bytes[bytes.len() - rest..]);
            return standing;
        }
        let mut input = std::mem::take(&mut client.input);
        input.extend_from_slice(bytes);
        let (rest, standing) = self.decode(index, client, &input);
        let consumed = input.len() - rest;
        input.drain(..consumed);
        client.input = input;
        standing
    }

    /// Gives how many bytes at the end of `input` were left.
    fn decode(&mut self, index: usize, client: &mut Client, mut input: &[u8]) -> (usize, Standing) {
        let now = since(self.start);
        let target = self.slots[index].target;
        let mut heads = std::mem::take(&mut self.heads);
        let standing = loop {
            match client.codec.next_event(&mut input, &mut heads, &mut client.out) {
                Ok(Some(event)) => self.on_event(target, client, event, &mut heads, now),
                Ok(None) => break Standing::Live,
                Err(_) => break Standing::Lost(Outcome::Protocol),
            }
        };
        self.heads = heads;
        (input.len(), standing)
    }

    fn on_end_of_input(&mut self, index: usize, client: &mut Client) -> Standing {
        let now = since(self.start);
        let rest = std::mem::take(&mut client.input);
        let target = self.slots[index].target;
        let mut heads = Heads::default();
        while let Ok(Some(event)) = client.codec.end_of_input(&rest) {
            self.on_event(target, client, event, &mut heads, now);
        }
        Standing::Lost(Outcome::Closed)
    }

    fn on_event(
        &mut self,
        target: usize,
        client: &mut Client,
        event: Event<'_>,
        heads: &mut Heads,
        now: u64,
    ) {
        match event {
            Event::Response { tag, end, .. } => {
                // 101 is final: after it the connection is another protocol's.
                if heads.response.is_interim() && heads.response.status != 101 {
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
            Event::GoAway { .. } => {
                if client.state == State::Up {
                    client.state = State::Draining;
                    let pool = &mut self.pools[target];
                    pool.up -= 1;
                    pool.want(now);
                }
            }
            Event::Ready if client.state == State::Upgrading => self.on_usable(target, client),
            Event::Request { .. } | Event::Ready | Event::Pong(_) => {}
        }
    }

    /// A whole answer is there.
    fn finish(&mut self, place: usize, now: u64) {
        let Some(flight) = self.flights.get(place) else { return };
        if now > flight.deadline_ns {
            self.fail(place, Outcome::Timeout, now, "the whole answer came after the time-out");
            return;
        }
        let answer = Answer {
            class: flight.class,
            key: flight.key,
            head: &flight.head,
            body: &flight.body,
            trailers: &flight.trailers,
        };
        let (class, intended) = (flight.class, flight.intended_ns);
        self.tally.on_answer(class, intended, answer.head.status, answer.body.len());
        match self.workload.check(&answer) {
            Ok(()) => {
                self.tally.on_ok(class, intended, flight.sent_ns, now, &mut self.slice);
                let next = self.workload.next(&answer);
                self.flights.end(place);
                match next {
                    Some(next) if self.sending => {
                        let due = now + next.after.as_nanos() as u64;
                        self.later.put(due, Later::Follow(next.key));
                    }
                    Some(next) => {
                        self.workload.abandon(next.key);
                        self.arrival_over(now);
                    }
                    None => self.arrival_over(now),
                }
            }
            Err(mismatch) => {
                let detail = || describe(&answer);
                let outcome = mismatch.into();
                let slice = &mut self.slice;
                self.tally.on_failed(class, outcome, intended, now, detail, slice);
                self.workload.abandon(flight.key);
                self.flights.end(place);
                self.arrival_over(now);
            }
        }
    }

    /// A request has failed, or is sent again.
    pub(super) fn fail(&mut self, place: usize, outcome: Outcome, now: u64, detail: &'static str) {
        let Some(flight) = self.flights.get(place) else { return };
        let (cause, key) = (flight.cause, flight.key);
        if flight.attempt < self.options.retries
            && outcome.is_transport()
            && now <= flight.deadline_ns
        {
            let pending = Pending {
                intended_ns: flight.intended_ns,
                cause,
                attempt: flight.attempt + 1,
                class: flight.class,
            };
            let target = self.options.classes[flight.class].target;
            self.flights.end(place);
            if let Cause::Arrival(_) = cause {
                self.workload.abandon(key);
            }
            // Before those that wait: it is older. Sent in the next turn.
            self.pools[target].waiting.push_front(pending);
            return;
        }
        let detail = || {
            let waited = now.saturating_sub(flight.sent_ns) / 1_000_000;
            format!(
                "{detail}, {waited} ms after it was sent (connection {}, stream {})",
                flight.connection, flight.stream
            )
        };
        let (class, intended) = (flight.class, flight.intended_ns);
        self.tally.on_failed(class, outcome, intended, now, detail, &mut self.slice);
        self.flights.end(place);
        self.workload.abandon(key);
        self.arrival_over(now);
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
