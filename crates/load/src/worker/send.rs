//! From the queue to a connection.

use bulkhead_codec::{Codec, ErrorCode, OpenError, Tag};
use bulkhead_message::BodyLength;

use super::Worker;
use crate::clock::since;
use crate::connection::Client;
use crate::flight::Flights;
use crate::outcome::Outcome;

impl Worker {
    /// Sends what waits, as far as there are free streams.
    pub(super) fn send_queued(&mut self, now: u64) {
        while let Some(&(intended, number)) = self.queue.front() {
            let Some(index) = self.pick() else { return };
            if !self.send(index, intended, number, now) {
                return;
            }
            self.queue.pop_front();
        }
    }

    /// The next connection in turn that has room.
    fn pick(&mut self) -> Option<usize> {
        for _ in 0..self.pool.len() {
            self.cursor = (self.cursor + 1) % self.pool.len();
            let index = *self.pool.get(self.cursor)?;
            let client = self.slots.get(index).and_then(|slot| slot.client.as_ref());
            if client.is_some_and(|client| client.room(self.options.streams_max) > 0) {
                return Some(index);
            }
        }
        None
    }

    fn send(&mut self, index: usize, intended: u64, number: u64, now: u64) -> bool {
        let Some(client) = self.slots.get_mut(index).and_then(|slot| slot.client.as_mut()) else {
            return false;
        };
        let request = &mut self.request;
        request.clear();
        self.workload.prepare(number, request);
        let end = request.body.is_empty();
        if !end && request.head.body == BodyLength::None {
            request.head.body = BodyLength::Known(request.body.len() as u64);
        }
        let place = self.flights.begin(intended + self.options.timeout.as_nanos() as u64);
        let tag = place as Tag + 1;
        let stream = match client.codec.open(&request.head, end, tag, &mut client.out) {
            Ok(stream) => stream,
            Err(OpenError::Full | OpenError::Closing) => {
                self.flights.end(place);
                return false;
            }
        };
        if let Some(flight) = self.flights.get(place) {
            flight.intended_ns = intended;
            flight.sent_ns = now;
            flight.class = request.class;
            flight.key = request.key;
            flight.connection = index;
            flight.stream = stream;
            if !end {
                // A stream that is gone already shows as a reset.
                let sent = client.codec.send_data(stream, &request.body, true, &mut client.out);
                let sent = sent.unwrap_or(request.body.len());
                flight.upload.extend_from_slice(&request.body[sent..]);
            }
        }
        self.tally.on_sent(request.class, intended, now);
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(index);
        }
        true
    }

    /// Writes each connection that has something to send, once.
    pub(super) fn flush_dirty(&mut self) {
        for place in 0..self.dirty.len() {
            let index = self.dirty[place];
            let Some(client) = self.slots.get_mut(index).and_then(|slot| slot.client.as_mut())
            else {
                continue;
            };
            client.dirty = false;
            if client.flush().is_err() {
                self.lose(index, Outcome::Closed);
            }
        }
        self.dirty.clear();
    }

    /// The time of a request in flight is over.
    pub(super) fn give_up(&mut self, place: usize) {
        let Some(flight) = self.flights.get(place) else { return };
        let (index, stream) = (flight.connection, flight.stream);
        if let Some(client) = self.slots.get_mut(index).and_then(|slot| slot.client.as_mut()) {
            client.codec.reset(stream, ErrorCode::CANCEL, &mut client.out);
            if !client.dirty {
                client.dirty = true;
                self.dirty.push(index);
            }
            if client.codec.must_close() {
                self.retire(index);
            }
        }
        let now = since(self.start);
        self.fail(place, Outcome::Timeout, now, "no whole answer within the time-out");
    }
}

/// Goes on with uploads that flow control had held back.
pub(super) fn resume_uploads(client: &mut Client, flights: &mut Flights) {
    while let Some((stream, tag)) = Codec::next_writable(&mut client.codec) {
        let Some(flight) = super::answers::place_of(tag).and_then(|place| flights.get(place))
        else {
            continue;
        };
        let rest = &flight.upload[flight.upload_sent..];
        // A stream that is gone already shows as a reset.
        let sent = client.codec.send_data(stream, rest, true, &mut client.out);
        flight.upload_sent += sent.unwrap_or(rest.len());
    }
}
