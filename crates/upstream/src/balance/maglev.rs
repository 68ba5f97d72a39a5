//! A Maglev table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
//! NSDI 2016, §3.4): each endpoint has a permutation of the table's entries, and in turn takes the
//! first one of it that is still free. One look finds a key's endpoint, and shares are even to within
//! one entry; when an endpoint leaves, a few keys of others move as well.

use super::HashLoad;
use super::hash::nth;
use super::hashed::Member;

/// Default of [`Maglev::table_size`], which the paper recommends; 256 KiB in each worker.
pub const MAGLEV_TABLE_SIZE: u32 = 65_537;

/// Settings of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maglev {
    /// Entries, of 4 bytes each. Must be prime, so that each step width visits all entries, and
    /// should be a hundred times the number of endpoints or more.
    pub table_size: u32,
    /// Bound of the load.
    pub load_max: HashLoad,
}

impl Default for Maglev {
    fn default() -> Self {
        Self { table_size: MAGLEV_TABLE_SIZE, load_max: None }
    }
}

#[derive(Debug)]
pub(super) struct MaglevTable {
    /// Place by entry.
    entries: Vec<u32>,
}

/// One endpoint's way through the table.
struct Walk {
    place: u32,
    weight: u64,
    /// Right to a turn: one costs as much as the heaviest endpoint gets per round.
    credit: u64,
    next: u64,
    step: u64,
}

const FREE: u32 = u32::MAX;

impl MaglevTable {
    pub(super) fn build(settings: &Maglev, members: &[Member]) -> Self {
        let size = u64::from(settings.table_size.max(2));
        let walk = |member: &Member| {
            let hash = member.hash();
            Walk {
                place: member.place,
                weight: u64::from(member.weight),
                credit: 0,
                next: nth(hash, 1) % size,
                step: nth(hash, 2) % (size - 1) + 1,
            }
        };
        let mut walks: Vec<Walk> = members.iter().map(walk).collect();
        let heaviest = walks.iter().map(|walk| walk.weight).max().unwrap_or(0);
        if heaviest == 0 {
            return Self { entries: Vec::new() };
        }
        let mut entries = vec![FREE; size as usize];
        let mut free = size;
        loop {
            for walk in &mut walks {
                walk.credit += walk.weight;
                if walk.credit < heaviest {
                    continue;
                }
                walk.credit -= heaviest;
                walk.take(&mut entries, size);
                free -= 1;
                if free == 0 {
                    return Self { entries };
                }
            }
        }
    }

    pub(super) fn probe(&self, hash: u64, step: u64) -> Option<u32> {
        self.entries.get((nth(hash, step) % (self.entries.len() as u64).max(1)) as usize).copied()
    }
}

impl Walk {
    /// Takes the next free entry. There must be one.
    fn take(&mut self, entries: &mut [u32], size: u64) {
        loop {
            let entry = &mut entries[self.next as usize];
            self.next = (self.next + self.step) % size;
            if *entry == FREE {
                *entry = self.place;
                return;
            }
        }
    }
}
