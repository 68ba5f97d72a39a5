//! When probes that have not arrived will not arrive any more.

use std::time::{Duration, Instant};

use crate::network::{CommandError, LaneReport, Link};

/// With other traffic on the link its counts do not tell whether probes are among the packets that the
/// box has taken, nor whether it still holds some; so long after their time it does not.
const AMID_TRAFFIC: Duration = Duration::from_millis(100);

/// Watches a lane through which probes are sent.
pub(super) struct Drain<'a> {
    link: &'a Link,
    lane: usize,
    received_before: u64,
    /// How long the box may hold a probe.
    patience: Duration,
    deadline: Instant,
}

impl<'a> Drain<'a> {
    /// Before the first probe is sent.
    pub(super) fn begin(
        link: &'a Link,
        lane: usize,
        patience: Duration,
        deadline: Instant,
    ) -> Result<Self, CommandError> {
        let mut drain = Self { link, lane, received_before: 0, patience, deadline };
        drain.received_before = drain.lane()?.counts.received;
        Ok(drain)
    }

    /// Whether the box has taken all of these probes, the last of which was sent at `last`, and has none
    /// left. What it sent on has arrived by then.
    pub(super) fn is_empty(&self, sent: u64, last: Instant) -> Result<bool, CommandError> {
        let lane = self.lane()?;
        let received = lane.counts.received - self.received_before;
        if received > sent {
            return Ok(last.elapsed() > self.patience + AMID_TRAFFIC);
        }
        Ok(received == sent && lane.held == 0)
    }

    fn lane(&self) -> Result<LaneReport, CommandError> {
        let report = self.link.report(self.deadline)?;
        Ok(if self.lane == 0 { report.upstream } else { report.downstream })
    }
}
