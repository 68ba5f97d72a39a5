//! Budgets against peers that cost us more than they do useful work.
//!
//! There is no clock here. A budget is refilled by what a useful peer does: streams that complete, body
//! bytes, data that it lets us send; and a little by each new batch of input, so that keep-alive PINGs
//! over days or key strokes one byte at a time never add up to a flood. What a peer can do between
//! two batches is bounded by the batch.

/// Cancelled or refused streams in a row, at least.
const RESETS_MIN: u32 = 256;

/// Frames in a row that carry no message (PING, SETTINGS, PRIORITY, unknown, …).
const CONTROLS_MAX: u32 = 1_024;
const CONTROLS_PER_BATCH: u32 = 8;

/// WINDOW_UPDATE frames beyond what our own sending explains.
const UPDATES_MAX: u32 = 8_192;
const UPDATES_PER_BATCH: u32 = 16;

/// What a DATA frame without body bytes costs, and one with fewer than this many.
const EMPTY_DATA_COST: u32 = 64;
const TINY_DATA_BYTES: usize = 4;
const DATA_PER_BATCH: u32 = 128;
const DATA_BUDGET_MIN: u32 = 25_600;

/// What the peer may still waste.
#[derive(Debug)]
pub(super) struct Guard {
    resets: u32,
    resets_max: u32,
    controls: u32,
    updates: u32,
    data: u32,
    data_max: u32,
}

/// A budget is used up; the text says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flood(pub(super) &'static str);

fn spend(budget: &mut u32, cost: u32, reason: &'static str) -> Result<(), Flood> {
    *budget = budget.checked_sub(cost).ok_or(Flood(reason))?;
    Ok(())
}

impl Guard {
    pub(super) fn new(streams_max: u32, connection_window_bytes: u32) -> Self {
        let resets_max = streams_max.saturating_mul(2).clamp(RESETS_MIN, 65_536);
        let data_max = (connection_window_bytes / 2).max(DATA_BUDGET_MIN);
        Self {
            resets: resets_max,
            resets_max,
            controls: CONTROLS_MAX,
            updates: UPDATES_MAX,
            data: data_max,
            data_max,
        }
    }

    /// All input was decoded; the next call brings more.
    #[inline]
    pub(super) fn batch_ended(&mut self) {
        self.controls = (self.controls + CONTROLS_PER_BATCH).min(CONTROLS_MAX);
        self.updates = (self.updates + UPDATES_PER_BATCH).min(UPDATES_MAX);
        self.data = (self.data + DATA_PER_BATCH).min(self.data_max);
    }

    /// A stream came to its good end.
    #[inline]
    pub(super) fn completed(&mut self) {
        self.resets = (self.resets + 1).min(self.resets_max);
        self.controls = CONTROLS_MAX;
    }

    /// The peer cancelled a request before it was answered (Rapid Reset).
    pub(super) fn cancelled(&mut self) -> Result<(), Flood> {
        spend(&mut self.resets, 1, "too many streams cancelled")
    }

    /// The peer made us reset a stream (MadeYouReset).
    pub(super) fn forced(&mut self) -> Result<(), Flood> {
        spend(&mut self.resets, 1, "too many streams in error")
    }

    /// A frame that carries no message.
    pub(super) fn control(&mut self, cost: u32) -> Result<(), Flood> {
        spend(&mut self.controls, cost, "too many control frames")
    }

    /// WINDOW_UPDATE.
    #[inline]
    pub(super) fn window_update(&mut self) -> Result<(), Flood> {
        spend(&mut self.updates, 1, "too many WINDOW_UPDATE frames")
    }

    /// DATA with so many body bytes, on a live stream and not its last.
    #[inline]
    pub(super) fn data(&mut self, bytes: usize) -> Result<(), Flood> {
        if bytes >= TINY_DATA_BYTES {
            self.data = self.data.saturating_add(bytes as u32).min(self.data_max);
            return Ok(());
        }
        let cost = if bytes == 0 { EMPTY_DATA_COST } else { (TINY_DATA_BYTES - bytes) as u32 };
        spend(&mut self.data, cost, "too many tiny DATA frames")
    }

    /// We sent a DATA frame, which the peer will give back as window.
    #[inline]
    pub(super) fn sent(&mut self, bytes: usize) {
        self.updates = (self.updates + 2 + (bytes >> 8) as u32).min(UPDATES_MAX);
    }
}

#[cfg(test)]
mod tests;
