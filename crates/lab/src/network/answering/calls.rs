//! How many calls a holder carries out at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Calls at a time: more than a lab can have out, but one that nobody trusts may try more.
const CALLS_MAX: usize = 1_024;

/// Counts calls.
#[derive(Default)]
pub(super) struct Calls {
    under_way: Mutex<usize>,
    fewer: Condvar,
}

/// A call, until it is dropped.
pub(super) struct Call(Arc<Calls>);

impl Calls {
    fn under_way(&self) -> MutexGuard<'_, usize> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; waits while there are too many.
    pub(super) fn begin(calls: &Arc<Self>) -> Call {
        let mut under_way = calls.under_way();
        while *under_way >= CALLS_MAX {
            under_way = calls.fewer.wait(under_way).unwrap_or_else(PoisonError::into_inner);
        }
        *under_way += 1;
        Call(Arc::clone(calls))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        *self.0.under_way() -= 1;
        self.0.fewer.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::{CALLS_MAX, Calls};

    #[test]
    fn one_too_many_waits_for_an_end() {
        let calls = Arc::new(Calls::default());
        let mut under_way: Vec<_> = (0..CALLS_MAX).map(|_| Calls::begin(&calls)).collect();
        let has_ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let one_more = scope.spawn(|| {
                let _call = Calls::begin(&calls);
                assert!(has_ended.load(Ordering::Acquire));
            });
            has_ended.store(true, Ordering::Release);
            under_way.pop();
            one_more.join().unwrap();
        });
        drop(under_way);
        assert_eq!(*calls.under_way(), 0);
    }
}
