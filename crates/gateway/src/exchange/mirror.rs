//! **Mirroring**: a copy of a request goes to another cluster as well, and its response is thrown away.
//!
//! The copy is an exchange of its own without a client ([`Role::Mirror`]). It has the request's head
//! from the start, and gets its body piece by piece. Nothing waits for it: what it does not take
//! is kept up to `buffer_bytes_max`, and beyond that it is cut off. It is never tried again, has no
//! record, and is counted apart from what clients ask for.

use std::time::Duration;

use bulkhead_message::Priority;
use bulkhead_telemetry::MirrorOutcome;
use bulkhead_upstream::AttemptOutcome;

use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase, Role};
use crate::faults::Fault;
use crate::flow::Direction;
use crate::snapshot::Mirror;
use crate::worker::Worker;

/// Tells the upstream that nobody waits for its answer.
const MARK: &[u8] = b"x-bulkhead-mirror";

/// How long a mirrored request may take where the route has no time-out of its own.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

impl Worker {
    /// Copies a request that was just routed, if its route has a mirror and the die says so.
    pub(super) fn mirror(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get(key) else { return };
        let snapshot = exchange.snapshot.clone();
        let Some(route) = exchange.route.map(|route| snapshot.route(route)) else { return };
        let Some(mirror) = &route.mirror else { return };
        if !may_be_mirrored(exchange) || !self.is_drawn(mirror) {
            return;
        }
        let Some(cluster) = self.clusters.get(mirror.cluster) else { return };
        // What nobody waits for goes first.
        let pressed = self.pressure.sheds(Priority::Sheddable).is_some();
        if pressed || self.mirrors >= mirror.in_flight_max {
            return self.shard.mirrored(cluster.entry.series, MirrorOutcome::Skipped);
        }
        let Some(mut copy) = self.copy_of(key, Role::Mirror) else { return };
        copy.request.fields.set_named(MARK, b"true");
        copy.request_body.forget();
        copy.cluster = Some(mirror.cluster);
        copy.attempts = 0;
        copy.deadline = Some(self.now + route.timeouts.request.unwrap_or(TIMEOUT_DEFAULT));
        let ended = copy.request_body.ended;
        let copy = self.exchanges.insert(copy);
        self.mirrors += 1;
        if let Some(exchange) = self.exchanges.get_mut(key).filter(|_| !ended) {
            exchange.mirror = copy;
        }
        self.guarded(copy, |worker| {
            worker.faults.strike(Fault::MirrorPanic);
            worker.attempt(copy)
        });
    }

    fn is_drawn(&mut self, mirror: &Mirror) -> bool {
        mirror.numerator >= mirror.denominator
            || self.rng.below(mirror.denominator) < mirror.numerator
    }

    /// A piece of the request body is to be copied.
    pub(super) fn mirror_data(&mut self, key: Key, bytes: &[u8], end: bool) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let mirror = exchange.mirror;
        if end {
            exchange.mirror = Key::NONE;
        }
        let Some(copy) = self.exchanges.get_mut(mirror) else { return };
        let route = copy.route.and_then(|route| copy.snapshot.route(route).mirror.as_ref());
        let most = route.map_or(0, |mirror| mirror.buffer_bytes_max);
        let body = &mut copy.request_body;
        if body.waiting().len() + bytes.len() > most {
            return self.cut_mirror(key, mirror);
        }
        copy.progressed = self.now;
        body.total += bytes.len() as u64;
        body.ended |= end;
        body.push(bytes, 0);
        self.flush_mirror(mirror);
    }

    /// The request ends with these trailers, which are to be copied.
    pub(super) fn mirror_trailers(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let mirror = std::mem::replace(&mut exchange.mirror, Key::NONE);
        let trailers = exchange.request_body.trailers.clone();
        let Some(copy) = self.exchanges.get_mut(mirror) else { return };
        copy.request_body.ended = true;
        copy.request_body.has_trailers = true;
        copy.request_body.trailers = trailers;
        self.flush_mirror(mirror);
    }

    fn flush_mirror(&mut self, mirror: Key) {
        self.guarded(mirror, |worker| {
            worker.flush_pipe(mirror, Direction::Request);
            Ok(())
        });
    }

    /// The copy does not get the rest of its request.
    pub(super) fn cut_mirror(&mut self, key: Key, mirror: Key) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.mirror = Key::NONE;
        }
        let Some(copy) = self.exchanges.get(mirror) else { return };
        if let Some(cluster) = copy.cluster.and_then(|id| self.clusters.get(id)) {
            self.shard.mirrored(cluster.entry.series, MirrorOutcome::CutOff);
        }
        self.detach_upstream(mirror, bulkhead_codec::ErrorCode::CANCEL);
        self.mirrors = self.mirrors.saturating_sub(1);
        self.retire(mirror);
    }

    /// The head in `heads.response` came to a copy; `end`: it is all of the answer.
    pub(super) fn mirror_answers(&mut self, key: Key, end: bool) {
        let status = self.heads.response.status;
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.progressed = self.now;
        if (100..200).contains(&status) && status != 101 {
            return;
        }
        self.waited(key, status);
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.attempt_outcome = AttemptOutcome::of_status(status);
        exchange.status = status;
        exchange.phase = Phase::Responding;
        exchange.response_ended = end;
        if end {
            self.upstream_ended(key);
            self.finish(key);
        }
    }

    /// Counts a copy that is over. It is no longer in the arena.
    pub(crate) fn mirror_over(&mut self, copy: &Exchange) {
        self.mirrors = self.mirrors.saturating_sub(1);
        self.give_back_passes(copy);
        let outcome = match copy.failure {
            None => MirrorOutcome::Completed,
            Some(_) => MirrorOutcome::Failed,
        };
        if let Some(cluster) = copy.cluster.and_then(|id| self.clusters.get(id)) {
            self.shard.mirrored(cluster.entry.series, outcome);
        }
    }
}

/// Not what becomes a tunnel, nor a body that is sent only if the upstream asks for it.
fn may_be_mirrored(exchange: &Exchange) -> bool {
    exchange.tunnel.is_none() && !exchange.expects_continue
}
