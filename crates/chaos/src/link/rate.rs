//! A bottleneck: a token bucket that delays, and a queue with a limit.

use std::time::Duration;

/// When each packet of a bottleneck leaves, without simulating the queue: what waits is what the
/// bucket still owes (the virtual scheduling algorithm of ITU-T I.371, with a queue).
#[derive(Clone, Debug)]
pub(super) struct Rate {
    bytes_per_second: f64,
    /// How far the schedule may lie behind the time: what a full bucket is worth.
    credit: Duration,
    queue_bytes: f64,
    /// When all that was accepted has been paid for.
    paid: Duration,
}

impl Rate {
    pub(super) fn new(bytes_per_second: f64, burst_bytes: u32, queue_bytes: u32) -> Self {
        Self {
            bytes_per_second,
            credit: Duration::from_secs_f64(f64::from(burst_bytes) / bytes_per_second),
            queue_bytes: f64::from(queue_bytes),
            paid: Duration::ZERO,
        }
    }

    /// When the last bit of the packet has passed; `None` when the queue is full.
    pub(super) fn pass(&mut self, now: Duration, length: usize) -> Option<Duration> {
        let begin = self.paid.max(now.saturating_sub(self.credit));
        let end = begin + Duration::from_secs_f64(length as f64 / self.bytes_per_second);
        // What waits in front of it, the one that is being sent included.
        let waiting = begin.saturating_sub(now).as_secs_f64() * self.bytes_per_second;
        if waiting + length as f64 > self.queue_bytes {
            return None;
        }
        self.paid = end;
        Some(end.max(now))
    }
}
