//! How pressed a worker is, from the memory of the process and the length of its own turns. Pure:
//! what is measured is told to it; [`crate::overload`] measures.
//!
//! Pressure has steps ([`Level`]), each with an action: shed what matters least, shed the ordinary,
//! take nothing new. A step is left only when the measure is clearly below where it began, so that
//! the gateway does not flutter.

use std::time::{Duration, Instant};

use bulkhead_message::Priority;

/// Shares of the ceiling at which the steps begin, in percent.
const MEMORY_STEPS: [u64; 3] = [85, 92, 97];
/// A step ends so many percentage points below its beginning.
const MEMORY_MARGIN: u64 = 3;
/// How often memory is looked at: at a gigabyte a second this is a hundred megabytes late.
pub(crate) const MEMORY_INTERVAL: Duration = Duration::from_millis(100);
/// Weight of one turn in the average: about the last ten turns count.
const TURN_WEIGHT: f64 = 0.1;

/// How pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// All is served.
    #[default]
    Calm,
    /// Sheddable requests are shed.
    Elevated,
    /// Default ones too.
    High,
    /// Everything new is shed, and nothing is accepted.
    Full,
}

impl Level {
    const STEPS: [Self; 3] = [Self::Elevated, Self::High, Self::Full];

    const fn sheds(self, priority: Priority) -> bool {
        match priority {
            Priority::Sheddable => self as u8 >= Self::Elevated as u8,
            Priority::Default => self as u8 >= Self::High as u8,
            Priority::Critical => self as u8 >= Self::Full as u8,
        }
    }
}

/// The pressure on one worker.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    memory: Level,
    turns: Level,
    /// Seconds, weighted average.
    turn_average: f64,
    /// When memory is looked at next.
    pub(crate) next_look: Option<Instant>,
}

impl Pressure {
    /// Why a request of this priority is shed, if it is.
    #[inline]
    pub(crate) const fn sheds(&self, priority: Priority) -> Option<&'static str> {
        if self.memory.sheds(priority) {
            Some("memory")
        } else if self.turns.sheds(priority) {
            Some("loop_delay")
        } else {
            None
        }
    }

    /// Whether connections are left in the listener's queue.
    pub(crate) const fn pauses_accept(&self) -> bool {
        matches!(self.memory, Level::Full)
    }

    /// The higher of the two.
    pub(crate) fn level(&self) -> Level {
        self.memory.max(self.turns)
    }

    /// The process holds so many bytes of the ceiling.
    pub(crate) fn memory_is(&mut self, resident: u64, ceiling: u64) {
        let percent = resident.saturating_mul(100) / ceiling.max(1);
        let reached = |margin: u64| {
            let steps = Level::STEPS.into_iter().zip(MEMORY_STEPS);
            steps.filter(|(_, step)| percent + margin >= *step).map(|(level, _)| level).next_back()
        };
        let entered = reached(0).unwrap_or_default();
        let kept = reached(MEMORY_MARGIN).unwrap_or_default();
        self.memory = entered.max(self.memory.min(kept));
    }

    /// Memory is not watched any more.
    pub(crate) const fn forget_memory(&mut self) {
        self.memory = Level::Calm;
    }

    /// A turn took so long; `max` is where default requests are shed.
    pub(crate) fn turn_took(&mut self, length: Duration, max: Duration) {
        self.turn_average += (length.as_secs_f64() - self.turn_average) * TURN_WEIGHT;
        let max = max.as_secs_f64();
        // Never `Full`: critical requests are the last that a busy worker gives up, and it has memory.
        self.turns = match self.turn_average {
            average if average >= max => Level::High,
            average if average >= max * 0.9 => self.turns.max(Level::Elevated),
            average if average >= max * 0.5 => Level::Elevated,
            average if average >= max * 0.4 => self.turns.min(Level::Elevated),
            _ => Level::Calm,
        };
    }

    /// Turns are not watched any more.
    pub(crate) const fn forget_turns(&mut self) {
        self.turns = Level::Calm;
        self.turn_average = 0.0;
    }
}

#[cfg(test)]
mod tests;
