//! From the schedule to a connection.

use bulkhead_codec::{ErrorCode, Tag};
use bulkhead_message::{BodyLength, Scheme};

use super::Worker;
use crate::clock::since;
use crate::connection::{Client, State};
use crate::flight::{Cause, Flights};
use crate::later::Later;
use crate::outcome::Outcome;
use crate::pool::Pending;

impl Worker {
    /// Sends a request now if a stream is free, or lets it wait for one.
    pub(super) fn dispatch(&mut self, mut pending: Pending, now: u64) {
        let target = self.write_request(&mut pending);
        let none_waits = self.pools[target].waiting.is_empty();
        if none_waits && self.send_written(target, &pending, now) {
            return;
        }
        if let Cause::Arrival(_) = pending.cause {
            // It is written again when its turn comes.
            self.workload.abandon(self.request.key);
        }
        let pool = &mut self.pools[target];
        if pool.waiting.len() < self.options.waiting_max {
            pool.waiting.push_back(pending);
            return;
        }
        if self.tally.window.contains(&pending.intended_ns) {
            self.tally.dropped += 1;
        }
        self.fail_waiting(&pending, Outcome::Unsent, now);
    }

    /// Sends what waits, as far as there are free streams.
    pub(super) fn send_waiting(&mut self, now: u64) {
        for target in 0..self.pools.len() {
            while !self.pools[target].free.is_empty()
                && let Some(mut pending) = self.pools[target].waiting.pop_front()
            {
                self.write_request(&mut pending);
                if !self.send_written(target, &pending, now) {
                    if let Cause::Arrival(_) = pending.cause {
                        self.workload.abandon(self.request.key);
                    }
                    self.pools[target].waiting.push_front(pending);
                    break;
                }
            }
        }
    }

    /// Lets the workload write a request; says which target it is for.
    fn write_request(&mut self, pending: &mut Pending) -> usize {
        let request = &mut self.request;
        request.clear();
        match pending.cause {
            Cause::Arrival(number) => self.workload.prepare(number, request),
            Cause::Follow(key) => {
                self.workload.follow(key, request);
                request.key = key;
            }
        }
        request.class = request.class.min(self.options.classes.len() - 1);
        pending.class = request.class;
        let target = self.options.classes[request.class].target.min(self.pools.len() - 1);
        let secure = self.options.targets[target].tls.is_some();
        request.head.scheme = if secure { Scheme::Https } else { Scheme::Http };
        target
    }

    /// Puts the written request on the next connection in turn that has room.
    fn send_written(&mut self, target: usize, pending: &Pending, now: u64) -> bool {
        let streams_max = self.options.targets[target].streams_max;
        while let Some(index) = self.pools[target].free.pop_front() {
            self.slots[index].listed = false;
            let client = self.slots[index].client.as_ref();
            if client.is_some_and(|client| client.room(streams_max) > 0)
                && self.send(index, pending, now)
            {
                self.list(index);
                return true;
            }
        }
        false
    }

    /// Notes that a connection may have room.
    pub(super) fn list(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let streams_max = self.options.targets[slot.target].streams_max;
        let has_room = slot.client.as_ref().is_some_and(|client| client.room(streams_max) > 0);
        if has_room && !slot.listed {
            slot.listed = true;
            self.pools[slot.target].free.push_back(index);
        }
    }

    fn send(&mut self, index: usize, pending: &Pending, now: u64) -> bool {
        let slot = &mut self.slots[index];
        let Some(client) = slot.client.as_mut() else { return false };
        let request = &mut self.request;
        let end = request.body.is_empty();
        if !end && request.head.body == BodyLength::None {
            request.head.body = BodyLength::Known(request.body.len() as u64);
        }
        let deadline_ns = pending.intended_ns + self.options.timeout.as_nanos() as u64;
        let place = self.flights.begin(deadline_ns);
        let tag = place as Tag + 1;
        let opened = client.codec.open(&request.head, end, tag, &mut client.out);
        let Ok(stream) = opened else {
            self.flights.end(place);
            return false;
        };
        if let Some(flight) = self.flights.get(place) {
            flight.intended_ns = pending.intended_ns;
            flight.sent_ns = now;
            flight.cause = pending.cause;
            flight.attempt = pending.attempt;
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
        self.tally.on_sent(request.class, pending.intended_ns, now, pending.attempt > 0);
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(index);
        }
        slot.requests += 1;
        let most = self.options.targets[slot.target].connection_requests_max;
        if most.is_some_and(|most| slot.requests >= most) {
            self.drain(index, now);
        }
        true
    }

    /// Writes each connection that has something to send, once.
    pub(super) fn flush_dirty(&mut self) {
        for place in 0..self.dirty.len() {
            let index = self.dirty[place];
            let Some(client) = self.slots[index].client.as_mut() else { continue };
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
        let now = since(self.start);
        self.fail(place, Outcome::Timeout, now, "no whole answer within the time-out");
        let Some(client) = self.slots[index].client.as_mut() else { return };
        client.codec.reset(stream, ErrorCode::CANCEL, &mut client.out);
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(index);
        }
        if client.codec.is_spoilt() {
            self.drain(index, now);
        }
        let Some(client) = self.slots[index].client.as_ref() else { return };
        let idle = client.codec.active_streams() == 0;
        if client.codec.must_close() || (client.state == State::Draining && idle) {
            self.retire(index);
        } else {
            self.list(index);
        }
    }

    /// A request that was never sent, or is not sent again, has failed.
    pub(super) fn fail_waiting(&mut self, pending: &Pending, outcome: Outcome, now: u64) {
        let connect = self.options.classes.get(pending.class).map_or(0, |class| class.target);
        let error = self.pools.get(connect).and_then(|pool| pool.error.as_ref());
        let detail = || match error {
            Some(error) => format!("no connection within the time-out: {}", error.cause),
            None => "no free stream within the time-out".to_owned(),
        };
        let intended = pending.intended_ns;
        self.tally.on_failed(pending.class, outcome, intended, now, detail, &mut self.slice);
        if let Cause::Follow(key) = pending.cause {
            self.workload.abandon(key);
        }
        self.arrival_over(now);
    }

    /// What began with an arrival has ended; in a closed loop the client goes on.
    pub(super) fn arrival_over(&mut self, now: u64) {
        if self.clients_max == 0 {
            return;
        }
        if self.think_ns > 0 {
            self.later.put(now + self.think_ns, Later::Ready);
        } else {
            self.clients -= 1;
        }
    }
}

/// Goes on with uploads that flow control had held back.
pub(super) fn resume_uploads(client: &mut Client, flights: &mut Flights) {
    while let Some((stream, tag)) = client.codec.next_writable() {
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
