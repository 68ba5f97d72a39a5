//! How long a connection may wait for what it waits for, and what becomes of it then. The time-outs of an
//! exchange are its own.

use std::time::{Duration, Instant};

use bulkhead_codec::ErrorCode;
use bulkhead_config::model::Limits;

use crate::arena::Key;
use crate::connection::{Side, UpstreamPhase};
use crate::timer::{Owner, TimerId};
use crate::worker::Worker;

/// A connection's timer looks at it at least this often while it is busy.
const BUSY_CHECK: Duration = Duration::from_secs(30);
/// How long a closed connection is given to read our last bytes.
const LINGER: Duration = Duration::from_secs(2);

impl Worker {
    /// The connection is to be looked at.
    pub(crate) fn connection_timer(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.timer = TimerId::NONE;
        if self.retirement_due(key).is_some_and(|due| due <= self.now) {
            self.retire_further(key);
            return self.set_connection_timer(key);
        }
        if self.keep_alive_timer(key) {
            return;
        }
        if self.connection_deadline(key).is_none_or(|due| due > self.now) {
            return self.set_connection_timer(key);
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        let what = connection.waits_for();
        let closing = connection.closing || connection.blocked_since.is_some();
        let idle = connection.is_downstream() && connection.streams() == 0;
        let polite = idle && !closing && !connection.lingering && connection.codec.is_some();
        connection.timed_out = connection.channel.is_handshaking();
        if !connection.lingering {
            self.shard.connection_timed_out(what);
        }
        if polite && connection.pending.is_empty() {
            if let Some(codec) = connection.codec.as_mut() {
                codec.refuse_new(ErrorCode::NO_ERROR, &mut connection.out.bytes);
            }
            connection.closing = true;
            self.touch(key);
            self.set_connection_timer(key);
        } else {
            self.connection_lost(key);
        }
    }

    /// When this connection has waited too long for what it waits for.
    fn connection_deadline(&self, key: Key) -> Option<Instant> {
        let connection = self.connections.get(key)?;
        let limits = &self.snapshot.limits;
        if connection.lingering {
            return Some(connection.active + LINGER);
        }
        if let Some(since) = connection.blocked_since {
            return Some(since + limits.write_timeout);
        }
        if connection.closing {
            return Some(connection.active + limits.write_timeout);
        }
        match &connection.side {
            Side::Upstream(upstream) => {
                let connect = self
                    .clusters
                    .get(upstream.cluster)
                    .map_or(Duration::from_secs(5), |cluster| cluster.entry.config.connect_timeout);
                (upstream.phase != UpstreamPhase::Ready).then_some(connection.opened + connect)
            }
            Side::Downstream(_) if connection.codec.is_none() => {
                Some(connection.opened + limits.head_timeout)
            }
            Side::Downstream(_) if connection.streams() > 0 => None,
            Side::Downstream(_) => Some(
                connection.head_since.map_or(connection.active + limits.idle_timeout, |since| {
                    since + limits.head_timeout
                }),
            ),
        }
    }

    /// Sets the timer to when the connection is to be looked at next.
    pub(crate) fn set_connection_timer(&mut self, key: Key) {
        let mut due =
            [self.connection_deadline(key), self.retirement_due(key)].into_iter().flatten().min();
        let Limits { head_timeout, write_timeout, .. } = self.snapshot.limits;
        let mut check = head_timeout.min(write_timeout).min(BUSY_CHECK);
        if let Some(connection) = self.connections.get(key)
            && let Some(keep_alive) = self.keep_alive(connection)
        {
            check = check.min(keep_alive.interval);
            let ping = self.keep_alive_due(key);
            due = due.map_or(ping, |due| Some(ping.map_or(due, |ping| ping.min(due))));
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.timers.cancel(connection.timer);
        // What a connection waits for changes without touching its timer, so the timer comes round
        // often enough for the shortest of the limits.
        let latest = self.now + check;
        let at = due.map_or(latest, |due| due.min(latest));
        connection.timer = self.timers.set(at, Owner::Connection(key));
    }
}
