//! Relays and the end of their worker: what a panic costs, how they move to a sibling, and what
//! becomes of them when time is up.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bulkhead_message::{Failure, FailureKind};
use bulkhead_upstream::AttemptOutcome;

use super::Relay;
use crate::arena::Key;
use crate::evacuation::Parcel;
use crate::faults::Fault;
use crate::guard::InHand;
use crate::timer::TimerId;
use crate::worker::Worker;

impl Worker {
    /// Runs a step of a relay. A panic ends this relay only.
    pub(crate) fn guard_relay(&mut self, key: Key, step: impl FnOnce(&mut Self)) -> bool {
        let outer = self.in_hand;
        self.in_hand = InHand { relay: key, ..InHand::NOTHING };
        let calm = catch_unwind(AssertUnwindSafe(|| step(self))).is_ok();
        if !calm {
            self.relay_panicked(key);
        }
        self.in_hand = outer;
        calm
    }

    /// A panic while this relay was being handled: it is over.
    #[cold]
    pub(crate) fn relay_panicked(&mut self, key: Key) {
        self.shard.panicked();
        self.restore_buffer();
        let failure = Failure::gateway(FailureKind::Internal, "a panic in the gateway");
        if catch_unwind(AssertUnwindSafe(|| self.relay_failed(key, failure))).is_err() {
            self.forget_relay(key);
        }
    }

    /// Takes a relay out whose orderly end panics as well; its record may be missing.
    fn forget_relay(&mut self, key: Key) {
        let Some(mut relay) = self.relays.remove(key) else { return };
        self.timers.cancel(relay.timer);
        relay.passes.leave_cluster(AttemptOutcome::Neutral, &mut self.breakers, self.now);
        self.shard.relay_lost();
        self.shared.connection_left();
    }

    /// Ends all relays: the time that a drain gives is over.
    pub(crate) fn cut_off_relays(&mut self) {
        for key in self.relays.keys() {
            let detail = "the gateway stopped";
            let failure = Failure::gateway(FailureKind::DeadlineExceeded, detail);
            self.guard_relay(key, |worker| worker.relay_failed(key, failure));
        }
    }

    /// Takes the relays out of this worker, each a parcel; what the poll does not give up is lost,
    /// and counted.
    pub(crate) fn pack_relays(&mut self) {
        for key in self.relays.keys() {
            let Some(relay) = self.relays.get_mut(key) else { continue };
            let registry = self.poll.registry();
            let mut taken = registry.deregister(&mut relay.client);
            if let Some(channel) = relay.endpoint_channel.as_mut() {
                taken = taken.and_then(|()| registry.deregister(channel));
            }
            if taken.is_err() {
                self.count_lost(1);
                let detail = "the relay could not be moved";
                self.relay_failed(key, Failure::gateway(FailureKind::Internal, detail));
                continue;
            }
            let Some(mut relay) = self.relays.remove(key) else { continue };
            relay.timer = TimerId::NONE;
            relay.again = false;
            self.parcels.push_back(Parcel::of_relay(relay));
        }
    }

    /// Takes over a relay of a killed sibling.
    pub(crate) fn absorb_relay(&mut self, mut relay: Box<Relay>) {
        let state = relay.cluster.and_then(|id| self.clusters.get_mut(id));
        // It goes by another id here.
        relay.endpoint = state.and_then(|state| {
            let endpoint = state.pool.endpoint_at(relay.address.clone()?)?;
            if relay.attempt_open {
                state.pool.started(endpoint);
            }
            Some(endpoint)
        });
        relay.attempt_open &= relay.endpoint.is_some();
        relay.passes.adopt(&mut self.breakers);
        let key = self.relays.insert(relay);
        self.shard.evacuated_in(1);
        let calm = self.guard_relay(key, |worker| {
            worker.faults.strike(Fault::AbsorbPanic);
            if worker.faults.take(Fault::AbsorbError) || worker.watch_relay(key).is_err() {
                worker.shared.count_lost(1);
                let detail = "the relay could not be moved";
                return worker.relay_failed(key, Failure::gateway(FailureKind::Internal, detail));
            }
            worker.set_relay_timer(key);
            worker.relay_again(key);
        });
        if !calm {
            self.shared.count_lost(1);
        }
    }

    /// What an evacuation that went wrong has left behind is lost.
    pub(crate) fn lose_relays(&mut self) {
        for key in self.relays.keys() {
            self.count_lost(1);
            self.relay_panicked(key);
        }
    }
}
