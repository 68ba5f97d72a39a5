//! What relays count: connections of layer 4, by route and cluster.

use bulkhead_message::{Outcome, RelayRecord};

use crate::counter::Counter;
use crate::series::ExchangeSeries;
use crate::shard::{Shard, side_index};

/// What one pair of route and cluster has counted.
#[derive(Debug, Default)]
pub(crate) struct RelayCells {
    pub(crate) complete: Counter,
    pub(crate) failed: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
}

impl Shard {
    /// A relay began. Every one must end in [`Shard::relay_ended`], here or on the worker that it was
    /// evacuated to, or in [`Shard::relay_lost`].
    pub fn relay_started(&self) {
        self.relays_started.increment();
    }

    /// A relay ended. Call exactly once for each.
    pub fn relay_ended(&self, series: &ExchangeSeries, record: &RelayRecord<'_>) {
        self.relays_ended.increment();
        let cells = self.relays.get_or_make(series.id as usize);
        cells.received_bytes.add(record.received_bytes);
        cells.sent_bytes.add(record.sent_bytes);
        match record.outcome {
            Outcome::Complete => cells.complete.increment(),
            Outcome::Failed { kind, side } => {
                cells.failed.increment();
                self.failures[side_index(side)].count(kind.as_str());
            }
        }
    }

    /// A relay was lost with its worker.
    pub fn relay_lost(&self) {
        self.relays_ended.increment();
    }
}
