//! The end of a relay, and its one record.

use bulkhead_message::{Failure, Outcome, RelayRecord};
use bulkhead_upstream::AttemptOutcome;

use super::Relay;
use crate::arena::Key;
use crate::opening::Opening;
use crate::snapshot::Relaying;
use crate::worker::Worker;

impl Worker {
    /// Ends a relay: closes both sides and records it. Without a failure both have ended in order;
    /// with one, neither may take what it got for the whole.
    pub(super) fn finish_relay(
        &mut self,
        key: Key,
        failure: Option<Failure>,
        outcome: AttemptOutcome,
    ) {
        self.tell_relay_endpoint(key, outcome);
        let Some(mut relay) = self.relays.remove(key) else { return };
        self.timers.cancel(relay.timer);
        // Dropping the descriptors ends the registrations as well.
        let _ = self.poll.registry().deregister(&mut relay.client);
        if let Some(channel) = relay.endpoint_channel.as_mut() {
            let _ = self.poll.registry().deregister(channel);
        }
        if let Some(series) = relay.open_series {
            self.shard.upstream_closed(series);
        }
        self.record_relay(&relay, failure);
        self.shared.connection_left();
        if failure.is_some() {
            relay.client.abort();
            if let Some(channel) = relay.endpoint_channel {
                channel.abort();
            }
        }
    }

    fn record_relay(&mut self, relay: &Relay, failure: Option<Failure>) {
        let (cluster, series) = relay.route.facts(relay.backend);
        let endpoint = match (&self.access_log, &relay.address) {
            (Some(_), Some(address)) => address.to_string(),
            _ => String::new(),
        };
        let passes_tls = matches!(relay.entry.relaying, Relaying::Tls { .. });
        let record = RelayRecord {
            client: relay.source.map(|source| source.ip().to_canonical()),
            protocol: if passes_tls { "tls" } else { "tcp" },
            listener: &relay.entry.name,
            server_name: relay.server_name.as_deref(),
            route: &relay.route.name,
            cluster,
            endpoint: &endpoint,
            outcome: outcome_of(failure),
            attempts: relay.attempts,
            received_bytes: relay.up.total,
            sent_bytes: relay.down.total,
            duration: self.now.saturating_duration_since(relay.started),
            revision: relay.route.revision,
        };
        self.shard.relay_ended(series, &record);
        if let Some(log) = &mut self.access_log {
            log.write_relay(&record, crate::clock::unix());
        }
    }

    /// Records a connection that no route takes.
    pub(crate) fn record_unrouted(
        &mut self,
        opening: &Opening,
        server_name: Option<&str>,
        failure: Failure,
    ) {
        let record = RelayRecord {
            client: opening.source.map(|source| source.ip().to_canonical()),
            protocol: "tls",
            listener: &opening.entry.name,
            server_name,
            route: "",
            cluster: "",
            endpoint: "",
            outcome: outcome_of(Some(failure)),
            attempts: 0,
            received_bytes: 0,
            sent_bytes: 0,
            duration: std::time::Duration::ZERO,
            revision: self.snapshot.revision,
        };
        self.shard.relay_started();
        self.shard.relay_ended(&self.snapshot.unrouted, &record);
        if let Some(log) = &mut self.access_log {
            log.write_relay(&record, crate::clock::unix());
        }
    }
}

fn outcome_of(failure: Option<Failure>) -> Outcome {
    failure.map_or(Outcome::Complete, |Failure { kind, side, .. }| Outcome::Failed { kind, side })
}
