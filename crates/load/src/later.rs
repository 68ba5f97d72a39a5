//! What becomes due after an answer: the next step of a journey, or the end of a think time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Later {
    /// The request that follows, by its key.
    Follow(u64),
    /// A client of the closed loop is ready for its next request.
    Ready,
}

/// What waits for its time. What is due at the same time comes in the order in which it was put.
#[derive(Debug, Default)]
pub(crate) struct LaterQueue {
    heap: BinaryHeap<Reverse<(u64, u64, Later)>>,
    put: u64,
}

impl LaterQueue {
    pub(crate) fn put(&mut self, due_ns: u64, later: Later) {
        self.heap.push(Reverse((due_ns, self.put, later)));
        self.put += 1;
    }

    /// When the next one is due; `u64::MAX`: none waits.
    pub(crate) fn next_due(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |&Reverse((due, _, _))| due)
    }

    /// One whose time has come, with that time.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<(u64, Later)> {
        if self.next_due() > now_ns {
            return None;
        }
        self.heap.pop().map(|Reverse((due, _, later))| (due, later))
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Later> {
        self.heap.drain().map(|Reverse((_, _, later))| later)
    }
}

#[cfg(test)]
mod tests {
    use super::{Later, LaterQueue};

    #[test]
    fn comes_in_the_order_of_time_and_then_of_putting() {
        let mut queue = LaterQueue::default();
        assert_eq!(queue.next_due(), u64::MAX);
        queue.put(20, Later::Follow(1));
        queue.put(10, Later::Ready);
        queue.put(20, Later::Follow(0));
        assert_eq!((queue.next_due(), queue.take_due(9)), (10, None));
        assert_eq!(queue.take_due(30), Some((10, Later::Ready)));
        assert_eq!(queue.take_due(30), Some((20, Later::Follow(1))));
        assert_eq!(queue.drain().collect::<Vec<_>>(), [Later::Follow(0)]);
    }
}
