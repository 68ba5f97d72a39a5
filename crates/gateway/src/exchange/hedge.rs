//! **Hedging**: an exchange whose first attempt takes long gets a second one at another endpoint, and
//! the first acceptable response head wins.
//!
//! The second attempt is an exchange of its own, without a client and without a record
//! ([`Role::Hedge`]): it is routed already, sends a copy of the request, and has the same limits. When
//! it wins, or the first attempt fails, the client's exchange takes over its upstream leg, and goes on
//! as if that had been its own from the start ([`Worker::adopt_hedge`]). So an exchange has one leg on
//! each side at any time, and all that is known of legs holds for both attempts.
//!
//! Who loses is given up: a stream with CANCEL, an HTTP/1 connection by closing it, which is counted.
//! It says nothing about its endpoint.

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, FailureKind, Retry};
use bulkhead_upstream::{Answer, AttemptOutcome, RetryMethods};

use super::backend::subset_of;
use super::ending::fresh;
use super::retry::answer_of;
use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase, Role};
use crate::faults::Fault;
use crate::overload::Wait;
use crate::snapshot::RouteEntry;
use crate::worker::Worker;

impl Worker {
    /// The first attempt takes long: sends the request to another endpoint as well, if it may be
    /// repeated, there is another one, and the budget has room.
    pub(super) fn hedge(&mut self, key: Key) {
        let Self { exchanges, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.hedge_at = None;
        let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint) else { return };
        let Some(cluster) = clusters.get_mut(id) else { return };
        let Some(address) = cluster.pool.address(endpoint) else { return };
        let mut tried = exchange.tried.clone();
        tried.add(&address);
        if !may_be_hedged(exchange) || !cluster.pool.has_untried(subset_of(exchange), &tried) {
            return;
        }
        let series = cluster.entry.series;
        if !cluster.pool.budget().take_retry(self.now) {
            return self.shard.retry_refused(series);
        }
        self.shard.hedged(series);
        exchange.attempts += 1;
        let Some(mut hedge) = self.copy_of(key, Role::Hedge(key)) else { return };
        hedge.tried = tried;
        // The attempt that it begins counts itself.
        hedge.attempts -= 1;
        let hedge = self.exchanges.insert(hedge);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.hedge = hedge;
        }
        self.guarded(hedge, |worker| {
            worker.faults.strike(Fault::HedgePanic);
            worker.attempt(hedge)
        });
    }

    /// The head in `heads.response` came to the second attempt. Gives the exchange whose answer it
    /// is, if it wins.
    pub(super) fn hedge_answers(&mut self, key: Key, client: Key, end: bool) -> Option<Key> {
        let exchange = self.exchanges.get(key)?;
        let head = &self.heads.response;
        if head.is_interim() && head.status != 101 {
            return None;
        }
        let answer = answer_of(exchange, head, end);
        let route = exchange.snapshot.route(exchange.route?);
        if head.status == 101 || !is_acceptable(route, answer) {
            self.waited(key, answer.status);
            self.discard_answer(key, answer.status, end);
            self.hedge_over(key, client);
            return None;
        }
        if let Some(cluster) = exchange.cluster.and_then(|id| self.clusters.get(id)) {
            self.shard.hedge_won(cluster.entry.series);
        }
        self.lose(client);
        // A panic from here on is the client's.
        self.in_hand.exchange = client;
        self.adopt_hedge(client);
        Some(client)
    }

    /// The first attempt has an answer that is not acceptable while the second has none: waits for
    /// that. False: there is no second attempt.
    pub(super) fn wait_for_hedge(&mut self, key: Key, answer: Answer, end: bool) -> bool {
        let Some(exchange) = self.exchanges.get(key) else { return false };
        let Some(route) = exchange.route.filter(|_| exchange.hedge != Key::NONE) else {
            return false;
        };
        if is_acceptable(exchange.snapshot.route(route), answer) {
            return false;
        }
        self.discard_answer(key, answer.status, end);
        self.adopt_hedge(key);
        true
    }

    /// The first attempt failed while the second goes on: so does the exchange. False: there is no
    /// second attempt, or the failure ends both.
    pub(super) fn go_on_with_hedge(&mut self, key: Key, failure: &Failure) -> bool {
        let Some(exchange) = self.exchanges.get(key) else { return false };
        let over = failure.retry == Retry::Never || exchange.has_responded();
        if exchange.hedge == Key::NONE || exchange.downstream.is_none() || over {
            return false;
        }
        self.adopt_hedge(key);
        true
    }

    /// Makes the second attempt's upstream leg that of the client's exchange, which has none any more.
    fn adopt_hedge(&mut self, key: Key) {
        self.note_tried(key);
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let hedge_key = std::mem::replace(&mut exchange.hedge, Key::NONE);
        let Some(mut hedge) = self.exchanges.remove(hedge_key) else { return };
        let Self { exchanges, connections, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.take_leg(&mut hedge);
        if let Some(leg) = exchange.upstream
            && let Some(connection) = connections.get_mut(leg.connection)
        {
            if let Some(codec) = connection.codec.as_mut() {
                codec.set_tag(leg.stream, key.to_tag());
            }
            for stalled in connection.stalled.iter_mut().filter(|it| **it == hedge_key) {
                *stalled = key;
            }
        }
        let waits = exchange.phase == Phase::Waiting;
        let chosen = exchange.endpoint.is_some();
        // Both attempts may share a connection, if only one endpoint is left since they began.
        let lost = exchange.upstream.is_some_and(|leg| {
            let cluster = exchange.cluster.and_then(|id| clusters.get(id));
            cluster.is_some_and(|cluster| cluster.pool.facts(leg.connection).is_none())
        });
        if waits && let Some(cluster) = exchange.cluster.and_then(|id| clusters.get_mut(id)) {
            cluster.pool.cancel_waiter(hedge_key.to_tag());
        }
        self.recycle(hedge);
        self.set_exchange_timer(key);
        let outcome = match waits {
            true if chosen => self.acquire(key),
            true => self.attempt(key),
            false if lost => {
                let detail = "the upstream closed the connection before its answer was whole";
                Err(Failure::upstream(FailureKind::UpstreamClosed, Retry::IfIdempotent, detail))
            }
            false => Ok(()),
        };
        self.settle(key, outcome);
    }

    /// The client's exchange needs its second attempt no more.
    pub(crate) fn drop_hedge(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.hedge_at = None;
        let hedge = std::mem::replace(&mut exchange.hedge, Key::NONE);
        if hedge != Key::NONE {
            self.lose(hedge);
            self.retire(hedge);
        }
    }

    /// The second attempt is of no use: the first goes on alone, and a retry goes elsewhere.
    pub(super) fn hedge_over(&mut self, key: Key, client: Key) {
        self.note_tried(key);
        let Some(tried) = self.exchanges.get(key).map(|hedge| hedge.tried.clone()) else { return };
        if let Some(exchange) = self.exchanges.get_mut(client)
            && exchange.hedge == key
        {
            exchange.hedge = Key::NONE;
            exchange.tried = tried;
        }
        self.retire(key);
    }

    /// Gives up an attempt because the other one has won.
    fn lose(&mut self, key: Key) {
        self.end_waiting(key, Wait::Abandoned);
        let Self { exchanges, connections, clusters, breakers, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.passes.leave_cluster(AttemptOutcome::Neutral, breakers, self.now);
        let open = std::mem::take(&mut exchange.attempt_open);
        if let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint)
            && let Some(cluster) = clusters.get_mut(id)
        {
            if open {
                let _never_ejected =
                    cluster.pool.finished(endpoint, self.now, AttemptOutcome::Neutral);
            }
            let codec = exchange
                .upstream
                .filter(|_| exchange.holds_slot)
                .and_then(|leg| connections.get(leg.connection)?.codec.as_ref());
            if codec.is_some_and(|codec| !codec.is_http2()) {
                self.shard.hedge_closed_connection(cluster.entry.series);
            }
        }
        self.detach_upstream(key, ErrorCode::CANCEL);
    }

    /// A new exchange for the same request, which must be whole, or to come.
    pub(super) fn copy_of(&mut self, key: Key, role: Role) -> Option<Box<Exchange>> {
        let spare = self.spare.pop();
        let original = self.exchanges.get(key)?;
        let mut copy = fresh(spare, &original.snapshot, self.now);
        copy.copy_request(original, role);
        Some(copy)
    }
}

/// Whether two attempts may be made at once: the body is at hand, and a repetition does no harm or
/// is what the route wants.
fn may_be_hedged(exchange: &Exchange) -> bool {
    let waits = exchange.awaits_head();
    let body = &exchange.request_body;
    let Some(route) = exchange.route.filter(|_| waits && exchange.hedge == Key::NONE) else {
        return false;
    };
    let (method, text) = (exchange.request.method(), exchange.request.method_text());
    let repeatable = match &exchange.snapshot.route(route).retry.methods {
        RetryMethods::Never => method.is_idempotent(),
        methods => methods.allow(method, text),
    };
    repeatable && exchange.tunnel.is_none() && body.ended && body.can_replay()
}

/// Whether an answer may win: not one that says that the endpoint cannot serve, or that the route
/// would throw away.
fn is_acceptable(route: &RouteEntry, answer: Answer) -> bool {
    !matches!(answer.status, 502..=504) && !route.retry.names(answer)
}
