//! The bus: every change of state of every injection, for whoever listens. Bounded: who does not keep
//! up is told how much it has missed, and may ask for the latest again.

use std::collections::VecDeque;

use bulkhead_chaos::Happening;
use tokio::sync::broadcast;

/// Happenings that are kept for those who come later, or have missed some.
pub const EVENTS_KEPT_MAX: usize = 4_096;
/// Happenings that may wait for one listener.
pub const EVENTS_WAITING_MAX: usize = 1_024;

/// Keeps and spreads happenings.
#[derive(Debug)]
pub(crate) struct Bus {
    kept: VecDeque<Happening>,
    sender: broadcast::Sender<Happening>,
}

/// What a listener gets: what is kept, and a receiver of what comes.
pub type Subscription = (Vec<Happening>, broadcast::Receiver<Happening>);

impl Bus {
    pub(crate) fn new() -> Self {
        Self { kept: VecDeque::new(), sender: broadcast::channel(EVENTS_WAITING_MAX).0 }
    }

    pub(crate) fn publish(&mut self, happening: &Happening) {
        if self.kept.len() == EVENTS_KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(happening.clone());
        // Without listeners there is nobody to tell.
        let _ = self.sender.send(happening.clone());
    }

    /// What came after the happening with this number, as far as it is kept, and everything from now on.
    pub(crate) fn subscribe(&self, after: u64) -> Subscription {
        let kept = self.kept.iter().filter(|kept| kept.sequence > after).cloned().collect();
        (kept, self.sender.subscribe())
    }
}
