//! One direction of a link: the stages of its faults, and the packets that wait for their time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::stage::{Fate, Passing, Stage};
use super::{Arrival, Impairment, PacketKind, Reply};
use crate::Effect;

/// Most packets that wait in a lane; more are dropped and counted as overflow.
pub const HELD_PACKETS_MAX: usize = 16_384;
/// Most bytes that wait in a lane.
pub const HELD_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Most faults of a lane at the same time.
pub const STAGES_MAX: usize = 16;
/// Most faults that have ended and whose counts are still known.
const ENDED_MAX: usize = 256;
/// Most copies that one packet may become, itself included.
pub const COPIES_MAX: usize = 4;

/// Names a fault of a lane.
pub type StageKey = u128;

/// A lane has [`STAGES_MAX`] faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a direction of a link bears at most {STAGES_MAX} faults at the same time; take one back first"
)]
pub struct TooManyFaults;

/// One direction of a link.
#[derive(Debug)]
pub struct Lane {
    stages: Vec<Placed>,
    /// What those did that have ended; the one that ended last is at the back.
    ended: VecDeque<(StageKey, Effect)>,
    held: BinaryHeap<Reverse<Held>>,
    held_bytes: usize,
    /// No packet whose order counts leaves before this.
    floor: Duration,
    sequence: u64,
    /// Highest sequence number that left.
    left: u64,
    counts: LaneCounts,
}

#[derive(Debug)]
struct Placed {
    key: StageKey,
    impairment: Impairment,
    expires: Duration,
    stage: Stage,
}

/// A packet that waits. Sorted by the time at which it leaves, then by that of its arrival.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    release: Duration,
    sequence: u64,
    slot: u32,
    length: u32,
    flip: Option<u32>,
}

/// What happened to packets of a lane since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Packets that came.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Packets that left, copies included.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Lost by a loss.
    pub lost: u64,
    /// Lost by a partition.
    pub cut: u64,
    /// Dropped because a queue was full: that of a bandwidth, or the lane's own.
    pub overflowed: u64,
    /// Kept for a time.
    pub delayed: u64,
    /// Sum of these times.
    pub delay_total: Duration,
    /// Copies that were made.
    pub duplicated: u64,
    /// Packets with a bit turned.
    pub corrupted: u64,
    /// Packets that left after one that came later (RFC 4737, section 3.3).
    pub reordered: u64,
    /// Packets in whose place the link itself answered.
    pub replied: u64,
}

/// A fault that is in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageReport {
    /// Its name.
    pub key: StageKey,
    /// What it does.
    pub impairment: Impairment,
    /// Packets that came to it.
    pub seen: u64,
    /// Packets that it did something to.
    pub struck: u64,
}

/// What became of a packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// How often it will leave.
    pub copies: usize,
    /// What is sent back in its place.
    pub reply: Option<Reply>,
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Where the carrier keeps its bytes.
    pub slot: u32,
    /// Length in bytes.
    pub length: usize,
    /// The bit to turn, counted from the first of the first byte.
    pub flip: Option<u32>,
    /// When it was to leave.
    pub due: Duration,
}

impl Default for Lane {
    fn default() -> Self {
        Self::new()
    }
}

impl Lane {
    /// A lane without faults. All its memory is taken now.
    pub fn new() -> Self {
        Self {
            stages: Vec::with_capacity(STAGES_MAX),
            ended: VecDeque::with_capacity(ENDED_MAX),
            held: BinaryHeap::with_capacity(HELD_PACKETS_MAX),
            held_bytes: 0,
            floor: Duration::ZERO,
            sequence: 0,
            left: 0,
            counts: LaneCounts::default(),
        }
    }

    /// Adds a fault until `expires`. A second one under the same key takes the first one's place.
    ///
    /// # Errors
    /// There are [`STAGES_MAX`].
    pub fn add(
        &mut self,
        key: StageKey,
        impairment: &Impairment,
        seed: u64,
        expires: Duration,
    ) -> Result<(), TooManyFaults> {
        let stage = Stage::new(impairment, seed);
        let placed = Placed { key, impairment: *impairment, expires, stage };
        if let Some(old) = self.stages.iter_mut().find(|old| old.key == key) {
            *old = placed;
            return Ok(());
        }
        if self.stages.len() == STAGES_MAX {
            return Err(TooManyFaults);
        }
        self.stages.push(placed);
        Ok(())
    }

    /// Moves the end of a fault to `expires`; false if there is none of that name. What it draws and
    /// counts goes on, as if it had been added for so long.
    pub fn renew(&mut self, key: StageKey, expires: Duration) -> bool {
        match self.stages.iter_mut().find(|placed| placed.key == key) {
            Some(placed) => placed.expires = expires,
            None => return false,
        }
        true
    }

    /// Takes a fault away. Packets that wait for others' sake keep their time; without any fault left
    /// all leave at once.
    pub fn remove(&mut self, key: StageKey) {
        self.end(|placed| placed.key == key);
    }

    /// Takes away what has expired; call it before the packets of `now`.
    pub fn expire(&mut self, now: Duration) {
        if self.stages.iter().any(|placed| placed.expires <= now) {
            self.end(|placed| placed.expires <= now);
        }
    }

    fn end(&mut self, is_over: impl Fn(&Placed) -> bool) {
        for over in self.stages.iter().filter(|placed| is_over(placed)) {
            if self.ended.len() == ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((over.key, over.stage.effect));
        }
        self.stages.retain(|placed| !is_over(placed));
        if self.stages.is_empty() {
            self.floor = Duration::ZERO;
        }
    }

    /// A packet came. Its bytes stay in the carrier's `slot` until it has left as often as is said.
    pub fn push(&mut self, now: Duration, length: usize, slot: u32, kind: PacketKind) -> Pushed {
        self.admit(now, Arrival { length, slot, kind, is_probe: false })
    }

    /// As [`Self::push`], of a packet that may be a probe of the lab.
    pub fn admit(&mut self, now: Duration, arrival: Arrival) -> Pushed {
        let Arrival { length, slot, .. } = arrival;
        self.counts.received += 1;
        self.counts.received_bytes += length as u64;
        self.sequence += 1;
        let mut pushed = Pushed { copies: 0, reply: None };
        let first = Passing { at: now, loose: false, flip: None };
        // Copies go through the stages after the one that made them.
        let mut copies = [(0, first); COPIES_MAX];
        let mut known = 1;
        let mut next = 0;
        while next < known {
            let (begin, mut packet) = copies[next];
            next += 1;
            let mut alive = true;
            for index in begin..self.stages.len() {
                match self.stages[index].stage.pass(packet, arrival) {
                    Fate::Passes(passed) => packet = passed,
                    Fate::PassesTwice(passed) => {
                        packet = passed;
                        if known < COPIES_MAX {
                            copies[known] = (index + 1, passed);
                            known += 1;
                            self.counts.duplicated += 1;
                        }
                    }
                    gone => {
                        if let Fate::Replies(reply) = gone {
                            pushed.reply = Some(reply);
                        }
                        self.counts.count_gone(gone);
                        alive = false;
                        break;
                    }
                }
            }
            if alive {
                pushed.copies += usize::from(self.hold(now, packet, length, slot));
            }
        }
        pushed
    }

    /// Lets a packet wait; false when there is no room.
    fn hold(&mut self, now: Duration, packet: Passing, length: usize, slot: u32) -> bool {
        if self.held.len() >= HELD_PACKETS_MAX || self.held_bytes + length > HELD_BYTES_MAX {
            self.counts.overflowed += 1;
            return false;
        }
        let mut release = packet.at;
        if !packet.loose {
            release = release.max(self.floor);
            self.floor = release;
        }
        if release > now {
            self.counts.delayed += 1;
            self.counts.delay_total += release - now;
        }
        self.counts.corrupted += u64::from(packet.flip.is_some());
        self.held_bytes += length;
        let (sequence, flip) = (self.sequence, packet.flip);
        self.held.push(Reverse(Held { release, sequence, slot, length: length as u32, flip }));
        true
    }

    /// The next packet whose time has come.
    pub fn pop(&mut self, now: Duration) -> Option<Released> {
        let due = self.held.peek().map(|Reverse(held)| held.release)?;
        // Nothing holds it any more: its fault was taken back.
        let free = self.stages.is_empty();
        if due > now && !free {
            return None;
        }
        let Reverse(held) = self.held.pop()?;
        let length = held.length as usize;
        self.held_bytes -= length;
        self.counts.delivered += 1;
        self.counts.delivered_bytes += length as u64;
        if held.sequence < self.left {
            self.counts.reordered += 1;
        }
        self.left = self.left.max(held.sequence);
        Some(Released { slot: held.slot, length, flip: held.flip, due: due.min(now) })
    }

    /// When something is to be done next without a packet coming: one leaves, or a fault expires.
    pub fn next_event(&self) -> Option<Duration> {
        let release = self.held.peek().map(|Reverse(held)| held.release);
        let expiry = self.stages.iter().map(|placed| placed.expires).min();
        release.into_iter().chain(expiry).min()
    }

    /// What happened so far.
    pub const fn counts(&self) -> LaneCounts {
        self.counts
    }

    /// The faults that are in force, in the order in which packets meet them.
    pub fn stages(&self) -> impl Iterator<Item = StageReport> {
        self.stages.iter().map(|placed| StageReport {
            key: placed.key,
            impairment: placed.impairment,
            seen: placed.stage.seen,
            struck: placed.stage.struck,
        })
    }

    /// What a fault has done to packets of others than the lab, in force or ended. `None`: it was not
    /// here, or too many have ended since.
    pub fn effect(&self, key: StageKey) -> Option<Effect> {
        let placed = self.stages.iter().find(|placed| placed.key == key);
        let ended = || self.ended.iter().rev().find(|(ended, _)| *ended == key);
        placed.map(|placed| placed.stage.effect).or_else(|| ended().map(|(_, effect)| *effect))
    }

    /// Whether no fault is in force.
    pub const fn is_free(&self) -> bool {
        self.stages.is_empty()
    }

    /// Packets that wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

impl LaneCounts {
    const fn count_gone(&mut self, fate: Fate) {
        match fate {
            Fate::Lost => self.lost += 1,
            Fate::Cut => self.cut += 1,
            Fate::Overflows => self.overflowed += 1,
            Fate::Replies(_) => self.replied += 1,
            Fate::Passes(_) | Fate::PassesTwice(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
