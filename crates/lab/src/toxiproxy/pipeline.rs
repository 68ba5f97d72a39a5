//! What becomes of the bytes of one direction of a connection: a chain of stages, one per toxic.
//!
//! Pure: given `now` and random numbers. Bytes keep their order in every stage. A stage that leaves
//! the chain hands on what it holds, so that a toxic taken back costs no byte.

mod stage;

use std::collections::VecDeque;
use std::time::Instant;

use bulkhead_chaos::Random;
use bytes::Bytes;

use super::toxic::{Kind, Toxic};
use stage::Stage;

/// Bytes that wait in a pipeline at most, beyond the piece that was read last.
pub(super) const PENDING_BYTES_MAX: usize = 4 << 20;

/// What passes through a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Bytes, and when they entered.
    Data(Bytes, Instant),
    /// Nothing follows.
    End(Ending),
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The sender has closed its side: the other is to see just that.
    Finished,
    /// A toxic closes the connection.
    Cut,
    /// A toxic resets the connection.
    Reset,
}

/// One toxic at work, and whether it acts on this connection.
#[derive(Debug)]
struct Link {
    name: String,
    kind: Kind,
    stage: Stage,
    acts: bool,
}

/// The chain of one direction.
#[derive(Debug)]
pub(super) struct Pipeline {
    links: Vec<Link>,
    /// What has passed all stages.
    out: VecDeque<Item>,
    random: Random,
    /// Nothing is taken in any more.
    closed: bool,
}

impl Pipeline {
    pub(super) fn new(seed: u64) -> Self {
        let (links, out) = (Vec::new(), VecDeque::new());
        Self { links, out, random: Random::new(seed), closed: false }
    }

    /// Makes these the toxics at work, in order. Those that go on keep what they hold.
    pub(super) fn set<'a>(&mut self, now: Instant, toxics: impl Iterator<Item = &'a Toxic>) {
        let mut old = std::mem::take(&mut self.links);
        for toxic in toxics {
            let known = old
                .iter()
                .position(|link| link.name == toxic.name && link.kind.is_same_kind(toxic.kind));
            let mut link = match known {
                Some(index) => {
                    // Those before it have left the chain: what they hold is older than what
                    // follows, and goes to the one after them.
                    let left: Vec<Link> = old.drain(..index).collect();
                    let mut link = old.remove(0);
                    hand_on(left, link.stage.queue());
                    link
                }
                None => Link {
                    name: toxic.name.clone(),
                    kind: toxic.kind,
                    stage: Stage::new(toxic.kind, now),
                    acts: self.random.unit() < f64::from(toxic.toxicity),
                },
            };
            if link.kind != toxic.kind {
                link.kind = toxic.kind;
                link.stage.change(toxic.kind, now);
            }
            self.links.push(link);
        }
        hand_on(old, &mut self.out);
    }

    /// Takes what was read.
    pub(super) fn offer(&mut self, item: Item) {
        if !self.closed {
            self.closed = matches!(item, Item::End(_));
            self.first_queue().push_back(item);
        }
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        !self.closed && self.pending_bytes() < PENDING_BYTES_MAX
    }

    /// Moves on what is due, and says when to come again.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for index in 0..self.links.len() {
            let (before, after) = self.links.split_at_mut(index + 1);
            let Some(link) = before.last_mut() else { continue };
            let to = after.first_mut().map_or(&mut self.out, |link| link.stage.queue());
            let due = match link.acts {
                true => link.stage.advance(now, to, &mut self.random),
                false => {
                    to.append(link.stage.queue());
                    None
                }
            };
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    /// The next item that has passed.
    pub(super) fn take(&mut self) -> Option<Item> {
        self.out.pop_front()
    }

    fn first_queue(&mut self) -> &mut VecDeque<Item> {
        self.links.first_mut().map_or(&mut self.out, |link| link.stage.queue())
    }

    fn pending_bytes(&self) -> usize {
        let queues = self.links.iter().map(|link| link.stage.pending()).chain([&self.out]);
        queues
            .flatten()
            .map(|item| if let Item::Data(bytes, _) = item { bytes.len() } else { 0 })
            .sum()
    }
}

/// Gives what the stages hold that leave the chain to the one after them, behind what that holds, which
/// is older.
fn hand_on(links: Vec<Link>, to: &mut VecDeque<Item>) {
    for mut link in links.into_iter().rev() {
        // Who was cut off by a time-out cannot go on as if nothing had been lost.
        if link.acts && link.stage.has_dropped() {
            to.push_back(Item::End(Ending::Cut));
        }
        to.append(link.stage.queue());
    }
}

#[cfg(test)]
mod tests;
