//! Verified tokens of one worker.
//!
//! Looked up by the whole token: a hash with a secret seed finds the slot, a full comparison decides.
//! Only verified tokens enter, so nobody without valid ones can fill it. Bounded by the entries of each
//! provider and by bytes over all; CLOCK decides who goes. Knows no time: the filter checks times.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;

use super::claim_headers::{ClaimHeaders, Rendered};
use super::provider::JwtProvider;
use super::token::Times;

/// Bytes of tokens and headers in one worker's cache at most.
const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an entry costs beside its text, roughly.
const ENTRY_BYTES: usize = 192;

/// What is known of a verified token.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) times: Times,
    pub(super) headers: Rendered,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    token: Box<[u8]>,
    claims: Arc<ClaimHeaders>,
    verified: Verified,
    bytes: usize,
    /// Used since the hand last passed.
    used: bool,
}

/// The tokens of one provider.
#[derive(Debug)]
struct Table {
    provider: Weak<JwtProvider>,
    revision: u64,
    index: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    hand: usize,
}

/// The verified tokens of one worker, within 16 MiB.
#[derive(Debug)]
pub struct JwtCache {
    /// Few: one for each provider that was met and still is.
    tables: Vec<Table>,
    seed: RandomState,
    bytes: usize,
    bytes_max: usize,
    hits: u64,
    pub(super) misses: u64,
}

impl Default for JwtCache {
    fn default() -> Self {
        Self::with_bytes_max(CACHE_BYTES_MAX)
    }
}

impl JwtCache {
    fn with_bytes_max(bytes_max: usize) -> Self {
        let seed = RandomState::default();
        Self { tables: Vec::new(), seed, bytes: 0, bytes_max, hits: 0, misses: 0 }
    }

    /// Requests whose token was found here.
    pub const fn hits(&self) -> u64 {
        self.hits
    }

    /// Requests whose token was not, and had to be verified.
    pub const fn misses(&self) -> u64 {
        self.misses
    }

    /// Tokens in it.
    pub fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its tokens and headers, with an estimate for the rest.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Routes that make other headers of the same token have entries of their own.
    pub(super) fn hash(&self, token: &[u8], claims: &ClaimHeaders) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(token);
        for (claim, header) in claims.names() {
            hasher.write(claim.as_bytes());
            hasher.write(header);
        }
        hasher.finish()
    }

    pub(super) fn get(
        &mut self,
        provider: &JwtProvider,
        hash: u64,
        token: &[u8],
        claims: &Arc<ClaimHeaders>,
    ) -> Option<&Verified> {
        let table = self.tables.iter_mut().find(|table| table.revision == provider.revision())?;
        let slot = *table.index.get(&hash)?;
        let entry = table.slots.get_mut(slot as usize)?.as_mut()?;
        if *entry.token != *token || !is_same(&entry.claims, claims) {
            return None;
        }
        entry.used = true;
        self.hits += 1;
        Some(&entry.verified)
    }

    pub(super) fn insert(
        &mut self,
        provider: &Arc<JwtProvider>,
        hash: u64,
        token: Box<[u8]>,
        claims: &Arc<ClaimHeaders>,
        verified: Verified,
    ) {
        let header_bytes: usize = verified.headers.iter().map(|(_, value)| value.len() + 24).sum();
        let bytes = token.len() + header_bytes + ENTRY_BYTES;
        if provider.cache_size() == 0 || bytes > self.bytes_max {
            return;
        }
        let at = self.table_of(provider);
        // The same hash again: the same token for other headers, or a collision.
        self.evict(at, |table| table.index.get(&hash).map(|&slot| slot as usize));
        while self.tables.get(at).is_some_and(|table| table.len() >= provider.cache_size()) {
            if !self.evict(at, Table::victim) {
                return;
            }
        }
        while self.bytes + bytes > self.bytes_max {
            let length = |&index: &usize| self.tables.get(index).map_or(0, Table::len);
            let largest = (0..self.tables.len()).max_by_key(length);
            if !largest.is_some_and(|from| self.evict(from, Table::victim)) {
                return;
            }
        }
        let Some(table) = self.tables.get_mut(at) else { return };
        let claims = Arc::clone(claims);
        table.put(Entry { hash, token, claims, verified, bytes, used: false });
        self.bytes += bytes;
    }

    /// The index of the provider's table, made if need be; those of gone providers are dropped then.
    fn table_of(&mut self, provider: &Arc<JwtProvider>) -> usize {
        let revision = provider.revision();
        if let Some(at) = self.tables.iter().position(|table| table.revision == revision) {
            return at;
        }
        self.tables.retain(|table| table.provider.strong_count() > 0);
        self.tables.push(Table {
            provider: Arc::downgrade(provider),
            revision,
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
        });
        self.bytes = self.tables.iter().map(Table::bytes).sum();
        self.tables.len() - 1
    }

    /// Removes the entry that `choose` names; `false`: it named none.
    fn evict(&mut self, at: usize, choose: impl FnOnce(&mut Table) -> Option<usize>) -> bool {
        let Some(table) = self.tables.get_mut(at) else { return false };
        let entry = choose(table).and_then(|slot| table.take(slot));
        self.bytes -= entry.as_ref().map_or(0, |entry| entry.bytes);
        entry.is_some()
    }
}

impl Table {
    fn len(&self) -> usize {
        self.index.len()
    }

    fn bytes(&self) -> usize {
        self.slots.iter().flatten().map(|entry| entry.bytes).sum()
    }

    fn put(&mut self, entry: Entry) {
        let hash = entry.hash;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(entry);
            self.index.insert(hash, slot);
        }
    }

    fn take(&mut self, slot: usize) -> Option<Entry> {
        let entry = self.slots.get_mut(slot)?.take()?;
        self.index.remove(&entry.hash);
        self.free.push(slot as u32);
        Some(entry)
    }

    /// CLOCK: the first entry at or after the hand that was not used since the hand passed it. The hand
    /// goes on behind it, so that what comes in its place has a whole round to be used again.
    fn victim(&mut self) -> Option<usize> {
        // Two rounds at most: the first clears every mark.
        for _ in 0..2 * self.slots.len() {
            let slot = self.hand % self.slots.len();
            self.hand = slot + 1;
            if let Some(entry) = self.slots.get_mut(slot)?
                && !std::mem::take(&mut entry.used)
            {
                return Some(slot);
            }
        }
        None
    }
}

fn is_same(ours: &Arc<ClaimHeaders>, theirs: &Arc<ClaimHeaders>) -> bool {
    Arc::ptr_eq(ours, theirs) || ours == theirs
}

/// Passes on a key that is a hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;
