//! The one record of a finished exchange: metrics, and the access log where it is on.

use bulkhead_message::{ExchangeRecord, Failure, Known, Outcome, TunnelRecord};

use crate::exchange_state::Exchange;
use crate::worker::Worker;

impl Worker {
    /// Records an exchange. Called exactly once for each, by `finish`.
    pub(crate) fn record(&mut self, exchange: &Exchange) {
        self.give_back_passes(exchange);
        let snapshot = &exchange.snapshot;
        let route = exchange.route.map(|route| snapshot.route(route));
        let cluster = exchange.cluster.and_then(|id| self.clusters.get(id));
        let endpoint = match (&self.access_log, cluster, exchange.endpoint) {
            // Only the log names the endpoint: formatting it costs more than all the metrics.
            (Some(_), Some(cluster), Some(endpoint)) => {
                cluster.pool.address(endpoint).map(|address| address.to_string())
            }
            _ => None,
        };
        let tunnel =
            exchange.tunnel.zip(exchange.tunnel_since).map(|(tunnel, since)| TunnelRecord {
                protocol: tunnel.kind.as_str(),
                handshake: since.saturating_duration_since(exchange.started),
            });
        let record = ExchangeRecord {
            client: exchange.client,
            method: exchange.request.method_text(),
            authority: exchange.request.authority(),
            target: exchange.request.target(),
            version: exchange.version,
            route: route.map_or("", |route| &route.name),
            cluster: cluster.map_or("", |cluster| &cluster.entry.config.name),
            endpoint: endpoint.as_deref().unwrap_or(""),
            status: exchange.status,
            grpc_status: exchange.grpc_status,
            tunnel,
            outcome: exchange.failure.map_or(
                Outcome::Complete,
                |Failure { kind, side, .. }| Outcome::Failed { kind, side },
            ),
            attempts: exchange.attempts,
            request_bytes: exchange.request_body.total,
            response_bytes: exchange.response_body.total,
            duration: self.now.saturating_duration_since(exchange.started),
            revision: snapshot.revision,
            request_id: match &snapshot.intake.request_ids {
                Some(ids) => ids.of(&exchange.request.fields),
                None => exchange.request.fields.get(Known::XRequestId),
            },
            fault: exchange.fault.as_ref().and_then(|fault| fault.kind),
            fault_group: exchange
                .fault
                .as_ref()
                .and_then(|fault| self.record_faults(exchange, fault)),
            tls: exchange.tls.as_ref().and_then(|tls| tls.record()),
        };
        let series = match (route, exchange.cluster) {
            (Some(route), Some(id)) => route.series(id),
            (Some(route), None) => &route.unserved,
            (None, _) => &snapshot.unrouted,
        };
        self.shard.record(series, &record);
        if let Some(log) = &mut self.access_log {
            log.write(&record, crate::clock::unix());
        }
    }
}
