//! The journal as text: what must be on disk before anything is done, one record for each line, each
//! with a checksum; and what a journal that is read back knows.
//!
//! A line is sixteen hexadecimal digits (the first eight bytes of the SHA-256 of the rest), a space,
//! and the record as JSON. A last line that is torn (the machine or the process died in it) is left
//! out; damage anywhere else is an error, as what follows it may be missing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::hex_digest;
use crate::{ChaosId, Effect, Order, State};

/// Hexadecimal digits of a line's checksum.
const CHECKSUM_DIGITS: usize = 16;

/// What the journal is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// An order was accepted. Nothing has been done.
    Intent {
        /// The order.
        order: Box<Order>,
        /// How long it may last, in milliseconds.
        time_to_live_ms: u64,
        /// Who ordered it.
        actor: String,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
    },
    /// The injector said what taking back needs. From here on something may be in force.
    Handle {
        /// Which injection.
        id: ChaosId,
        /// What it said.
        handle: Value,
    },
    /// It has ended, and nothing is left.
    End {
        /// Which injection.
        id: ChaosId,
        /// How.
        state: State,
        /// When, in milliseconds since 1970.
        unix_ms: u64,
        /// Why, or what was seen.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// What it has done, if that was counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<Effect>,
    },
    /// Ids up to this time were forgotten: first line of a journal that was rewritten.
    Forgotten {
        /// In milliseconds since 1970.
        before_unix_ms: u64,
    },
}

/// An injection that a journal knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// What was ordered.
    pub order: Order,
    /// How long it might last.
    pub time_to_live: Duration,
    /// Who ordered it.
    pub actor: String,
    /// When, since 1970.
    pub accepted: Duration,
    /// What taking it back needs; nothing if nothing was injected.
    pub handle: Option<Value>,
    /// How and when it ended; nothing if something may be left of it.
    pub ended: Option<(State, Duration)>,
    /// What it has done, once it has ended and if that was counted.
    pub effect: Option<Effect>,
}

/// What a journal knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// All injections, by time.
    pub injections: Vec<Remembered>,
    /// Ids up to this time may have been forgotten, in milliseconds since 1970.
    pub forgotten_ms: u64,
    /// Bytes that make sense; what follows is a torn line.
    pub whole_bytes: u64,
}

/// A journal that cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the journal is damaged, so that faults may be unknown to it; look for what it \
     names, then move the journal away"
)]
pub struct DamagedJournal {
    /// Counted from 1.
    pub line: usize,
}

impl Record {
    /// Its line, with the line break.
    ///
    /// # Errors
    /// If it cannot be JSON, which no record of ours is.
    pub fn to_line(&self) -> serde_json::Result<String> {
        let text = serde_json::to_string(self)?;
        Ok(format!("{} {text}\n", checksum(&text)))
    }

    fn from_line(line: &str) -> Option<Self> {
        let (sum, text) = line.split_at_checked(CHECKSUM_DIGITS)?;
        let text = text.strip_prefix(' ')?;
        if sum != checksum(text) {
            return None;
        }
        serde_json::from_str(text).ok()
    }
}

impl Recovered {
    /// Reads a journal.
    ///
    /// # Errors
    /// [`DamagedJournal`], except for its last line.
    pub fn read(bytes: &[u8]) -> Result<Self, DamagedJournal> {
        let mut known = BTreeMap::new();
        let mut recovered = Self::default();
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, bytes)) = lines.next() {
            let whole = bytes.strip_suffix(b"\n");
            let line = whole.and_then(|line| std::str::from_utf8(line).ok());
            match line.and_then(Record::from_line) {
                Some(record) => recovered.apply(&mut known, record),
                None if lines.peek().is_none() => break,
                None => return Err(DamagedJournal { line: index + 1 }),
            }
            recovered.whole_bytes += bytes.len() as u64;
        }
        recovered.injections = known.into_values().collect();
        Ok(recovered)
    }

    fn apply(&mut self, known: &mut BTreeMap<ChaosId, Remembered>, record: Record) {
        match record {
            Record::Intent { order, time_to_live_ms, actor, unix_ms } => {
                known.entry(order.id).or_insert_with(|| Remembered {
                    order: *order,
                    time_to_live: Duration::from_millis(time_to_live_ms),
                    actor,
                    accepted: Duration::from_millis(unix_ms),
                    handle: None,
                    ended: None,
                    effect: None,
                });
            }
            Record::Handle { id, handle } => {
                if let Some(known) = known.get_mut(&id) {
                    known.handle = Some(handle);
                }
            }
            Record::End { id, state, unix_ms, effect, .. } => {
                if let Some(known) = known.get_mut(&id) {
                    known.effect = effect;
                    known.ended = Some((state, Duration::from_millis(unix_ms)));
                }
            }
            Record::Forgotten { before_unix_ms } => {
                self.forgotten_ms = self.forgotten_ms.max(before_unix_ms);
            }
        }
    }

    /// The records of a journal that knows the same, without the `ended_max`-th last and older of
    /// those that have ended.
    pub fn compacted(&self, ended_max: usize) -> Vec<Record> {
        let ended = self.injections.iter().filter(|known| known.ended.is_some()).count();
        let mut surplus = ended.saturating_sub(ended_max);
        let mut forgotten_ms = self.forgotten_ms;
        let mut records = Vec::new();
        for known in &self.injections {
            if known.ended.is_some() && surplus > 0 {
                surplus -= 1;
                forgotten_ms = forgotten_ms.max(known.order.id.unix_ms());
                continue;
            }
            records.extend(known.records());
        }
        records.insert(0, Record::Forgotten { before_unix_ms: forgotten_ms });
        records
    }
}

impl Remembered {
    fn records(&self) -> impl Iterator<Item = Record> {
        let id = self.order.id;
        let intent = Record::Intent {
            order: Box::new(self.order.clone()),
            time_to_live_ms: self.time_to_live.as_millis() as u64,
            actor: self.actor.clone(),
            unix_ms: self.accepted.as_millis() as u64,
        };
        let handle = self.handle.clone().map(|handle| Record::Handle { id, handle });
        let end = self.ended.map(|(state, at)| {
            let unix_ms = at.as_millis() as u64;
            Record::End { id, state, unix_ms, detail: None, effect: self.effect }
        });
        [Some(intent), handle, end].into_iter().flatten()
    }
}

fn checksum(text: &str) -> String {
    let mut digest = hex_digest(text.as_bytes());
    digest.truncate(CHECKSUM_DIGITS);
    digest
}

#[cfg(test)]
mod tests;
