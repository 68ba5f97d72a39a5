//! HTTP/2 keep-alive: a PING when nothing was heard for a while, and the end of a connection whose
//! peer does not answer it. Anything that is heard counts as life.
//!
//! The connection's timer drives it ([`crate::deadline`]). What an unanswered PING of ours was asked
//! moves with the connection in an evacuation.

use std::time::Instant;

use bulkhead_config::model::KeepAlive;

use crate::arena::Key;
use crate::connection::{Connection, Side};
use crate::worker::Worker;

/// Payload of our PINGs, of which one is unanswered at most.
const PAYLOAD: [u8; 8] = *b"bulkhead";

impl Worker {
    /// The keep-alive of a connection, if it is to have one.
    pub(crate) fn keep_alive(&self, connection: &Connection) -> Option<&KeepAlive> {
        let settings = match &connection.side {
            Side::Upstream(upstream) => {
                self.clusters.get(upstream.cluster)?.entry.config.http2_keep_alive.as_ref()
            }
            Side::Downstream(_) => self.snapshot.limits.http2_keep_alive.as_ref(),
        };
        let speaks_http2 = connection.codec.as_ref().is_some_and(|codec| codec.is_http2());
        settings.filter(|_| speaks_http2 && !connection.closing && !connection.lingering)
    }

    /// When a connection needs a PING, or has waited too long for the answer to one.
    pub(crate) fn keep_alive_due(&self, key: Key) -> Option<Instant> {
        let connection = self.connections.get(key)?;
        let settings = self.keep_alive(connection)?;
        if let Some(asked) = connection.pinged.filter(|&asked| connection.heard <= asked) {
            return asked.checked_add(settings.timeout);
        }
        let watched = settings.while_idle || connection.streams() > 0;
        watched.then(|| connection.heard.checked_add(settings.interval)).flatten()
    }

    /// Does what is due. True: the connection is gone.
    pub(crate) fn keep_alive_timer(&mut self, key: Key) -> bool {
        if self.keep_alive_due(key).is_none_or(|due| due > self.now) {
            return false;
        }
        let Some(connection) = self.connections.get_mut(key) else { return true };
        if connection.pinged.is_some_and(|asked| connection.heard <= asked) {
            self.shard.connection_timed_out("keep_alive");
            self.connection_lost(key);
            return true;
        }
        connection.pinged = Some(self.now);
        if let Some(codec) = connection.codec.as_mut() {
            codec.ping(PAYLOAD, &mut connection.out.bytes);
        }
        self.touch(key);
        false
    }

    /// The peer answered a PING.
    pub(crate) fn ponged(&mut self, key: Key) {
        let Self { connections, clusters, .. } = self;
        let Some(connection) = connections.get_mut(key) else { return };
        let Some(asked) = connection.pinged.take() else { return };
        if let Side::Upstream(upstream) = &connection.side
            && let Some(cluster) = clusters.get(upstream.cluster)
        {
            let round_trip = self.now.saturating_duration_since(asked);
            self.shard.upstream_round_trip(cluster.entry.series, round_trip);
        }
    }
}
