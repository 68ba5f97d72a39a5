//! What one toxic does to the bytes that pass it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bulkhead_chaos::Random;
use bytes::Bytes;

use super::super::toxic::{Bandwidth, Kind, Latency, Slicer, micros, millis};
use super::{Ending, Item};

/// Where a rate would let less pass than a byte in this time, or more than there is.
const BANDWIDTH_SLICE: Duration = Duration::from_millis(100);

/// A toxic at work.
#[derive(Debug)]
pub(super) struct Stage {
    kind: Kind,
    /// What has come and not passed.
    queue: VecDeque<Item>,
    /// When the first of the queue may pass, once that is decided.
    due: Option<Instant>,
    /// When the last one passed.
    passed: Instant,
    /// When the toxic began to act.
    began: Instant,
    /// Bytes that have passed.
    bytes: u64,
    /// Bytes were thrown away.
    dropped: bool,
    /// The connection's end was decided here.
    ended: bool,
}

impl Stage {
    pub(super) fn new(kind: Kind, now: Instant) -> Self {
        let queue = VecDeque::new();
        let (due, bytes, dropped, ended) = (None, 0, false, false);
        Self { kind, queue, due, passed: now, began: now, bytes, dropped, ended }
    }

    /// Other attributes of the same kind.
    pub(super) fn change(&mut self, kind: Kind, now: Instant) {
        (self.kind, self.due, self.began) = (kind, None, now);
    }

    pub(super) const fn queue(&mut self) -> &mut VecDeque<Item> {
        &mut self.queue
    }

    pub(super) const fn pending(&self) -> &VecDeque<Item> {
        &self.queue
    }

    pub(super) const fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Moves on what may pass by now, and says when the next may.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        to: &mut VecDeque<Item>,
        random: &mut Random,
    ) -> Option<Instant> {
        if self.ended {
            self.queue.clear();
            return None;
        }
        match self.kind {
            Kind::Noop => {
                to.append(&mut self.queue);
                None
            }
            Kind::Latency(latency) => self.delay(latency, now, to, random),
            Kind::Bandwidth(bandwidth) => self.throttle(bandwidth, now, to),
            Kind::SlowClose(close) => self.close_late(millis(close.delay), now, to),
            Kind::Timeout(timeout) => self.time_out(millis(timeout.timeout), now, to),
            Kind::ResetPeer(timeout) => self.reset(millis(timeout.timeout), now, to),
            Kind::Slicer(slicer) => self.slice(slicer, now, to, random),
            Kind::LimitData(limit) => {
                self.limit(limit.bytes.max(0) as u64, to);
                None
            }
        }
    }

    /// Each piece comes so long after it was read, drawn for each anew, and never before the one
    /// that it follows.
    fn delay(
        &mut self,
        latency: Latency,
        now: Instant,
        to: &mut VecDeque<Item>,
        random: &mut Random,
    ) -> Option<Instant> {
        while let Some(item) = self.queue.front() {
            let due = match (self.due, item) {
                (Some(due), _) => due,
                (None, Item::Data(_, since)) => *since + drawn(latency, random),
                (None, Item::End(_)) => now,
            };
            if due > now {
                self.due = Some(due);
                return Some(due);
            }
            self.due = None;
            let item = self.queue.pop_front()?;
            to.push_back(entering(item, due));
        }
        None
    }

    /// Pieces take as long as they have bytes, in slices.
    fn throttle(
        &mut self,
        bandwidth: Bandwidth,
        now: Instant,
        to: &mut VecDeque<Item>,
    ) -> Option<Instant> {
        let Some(per_ms) = usize::try_from(bandwidth.rate).ok().filter(|&rate| rate > 0) else {
            // Nothing passes; when the toxic is taken back, all does.
            return None;
        };
        while let Some(item) = self.queue.front_mut() {
            let Item::Data(bytes, since) = item else {
                to.extend(self.queue.pop_front());
                continue;
            };
            let slice =
                bytes.len().min(per_ms.saturating_mul(BANDWIDTH_SLICE.as_millis() as usize));
            let takes = Duration::from_secs_f64(slice as f64 / per_ms as f64 / 1e3);
            let due = *self.due.get_or_insert_with(|| self.passed.max(*since) + takes);
            if due > now {
                return Some(due);
            }
            (self.due, self.passed) = (None, due);
            to.push_back(Item::Data(bytes.split_to(slice), due));
            if bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        None
    }

    fn close_late(
        &mut self,
        delay: Duration,
        now: Instant,
        to: &mut VecDeque<Item>,
    ) -> Option<Instant> {
        while let Some(item) = self.queue.front() {
            if matches!(item, Item::End(_)) {
                let due = *self.due.get_or_insert(now + delay);
                if due > now {
                    return Some(due);
                }
            }
            to.extend(self.queue.pop_front());
        }
        None
    }

    fn time_out(
        &mut self,
        timeout: Duration,
        now: Instant,
        to: &mut VecDeque<Item>,
    ) -> Option<Instant> {
        for item in self.queue.drain(..) {
            match item {
                Item::Data(..) => self.dropped = true,
                Item::End(_) => {
                    self.ended = true;
                    to.push_back(Item::End(Ending::Cut));
                    return None;
                }
            }
        }
        if timeout.is_zero() {
            return None;
        }
        let due = self.began + timeout;
        if due > now {
            return Some(due);
        }
        self.ended = true;
        to.push_back(Item::End(Ending::Cut));
        None
    }

    fn reset(
        &mut self,
        timeout: Duration,
        now: Instant,
        to: &mut VecDeque<Item>,
    ) -> Option<Instant> {
        if self.queue.is_empty() && self.due.is_none() {
            return None;
        }
        self.dropped |= !self.queue.is_empty();
        self.queue.clear();
        let due = *self.due.get_or_insert(now + timeout);
        if due > now {
            return Some(due);
        }
        self.ended = true;
        to.push_back(Item::End(Ending::Reset));
        None
    }

    fn slice(
        &mut self,
        slicer: Slicer,
        now: Instant,
        to: &mut VecDeque<Item>,
        random: &mut Random,
    ) -> Option<Instant> {
        while let Some(item) = self.queue.front_mut() {
            if let Some(due) = self.due.filter(|&due| due > now) {
                return Some(due);
            }
            self.due = None;
            let Item::Data(bytes, _) = item else {
                to.extend(self.queue.pop_front());
                continue;
            };
            let size = slice_size(slicer, random).min(bytes.len());
            to.push_back(Item::Data(bytes.split_to(size), now));
            self.due = Some(now + micros(slicer.delay));
            if bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        None
    }

    fn limit(&mut self, limit: u64, to: &mut VecDeque<Item>) {
        while let Some(item) = self.queue.pop_front() {
            let Item::Data(mut bytes, since) = item else {
                to.push_back(item);
                return;
            };
            let left = limit.saturating_sub(self.bytes);
            let passing: Bytes = bytes.split_to(bytes.len().min(left as usize));
            self.bytes += passing.len() as u64;
            if !passing.is_empty() {
                to.push_back(Item::Data(passing, since));
            }
            if self.bytes >= limit {
                self.ended = true;
                to.push_back(Item::End(Ending::Cut));
                return;
            }
        }
    }
}

/// Uniform over `latency` ± `jitter`, which may be cut off at 0.
fn drawn(latency: Latency, random: &mut Random) -> Duration {
    let jitter = millis(latency.jitter);
    let spread = jitter.mul_f64(2.0 * random.unit());
    (millis(latency.latency) + spread).saturating_sub(jitter)
}

fn slice_size(slicer: Slicer, random: &mut Random) -> usize {
    let average = slicer.average_size.max(1) as u64;
    let variation = (slicer.size_variation.max(0) as u64).min(average - 1);
    (average - variation + random.below(2 * variation + 1)) as usize
}

/// An item as it comes to the next stage.
fn entering(item: Item, at: Instant) -> Item {
    match item {
        Item::Data(bytes, _) => Item::Data(bytes, at),
        end @ Item::End(_) => end,
    }
}
