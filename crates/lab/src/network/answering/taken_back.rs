//! Injections that were to be taken back. The lab does not wait for an answer for ever: an order to inject
//! that a holder gets to only later must not be carried out any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_chaos::ChaosId;

/// Injections that are remembered.
const TAKEN_BACK_MAX: usize = 10_000;

/// Which injections were to be taken back.
#[derive(Default)]
pub(super) struct TakenBack(Mutex<BTreeMap<ChaosId, Arc<Mutex<bool>>>>);

impl TakenBack {
    /// Whether this one was. Whoever holds it keeps others of this injection waiting, and no more.
    fn of(&self, id: ChaosId) -> Arc<Mutex<bool>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = Arc::clone(known.entry(id).or_default());
        // Ids ascend with time.
        while known.len() > TAKEN_BACK_MAX {
            known.pop_first();
        }
        one
    }

    /// From now on it is; what injects it meanwhile is waited for.
    pub(super) fn add(&self, id: ChaosId) {
        *self.of(id).lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Acts unless it was taken back, which it is not meanwhile.
    pub(super) fn unless<T>(&self, id: ChaosId, act: impl FnOnce() -> T) -> Option<T> {
        let one = self.of(id);
        let is_taken_back = one.lock().unwrap_or_else(PoisonError::into_inner);
        (!*is_taken_back).then(act)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_chaos::{ChaosId, Random};

    use super::{TAKEN_BACK_MAX, TakenBack};

    #[test]
    fn what_was_taken_back_does_not_come_any_more() {
        let (taken_back, mut random) = (TakenBack::default(), Random::new(1));
        let mut id = |ms| ChaosId::new(Duration::from_millis(ms), &mut random);
        let (first, second) = (id(1), id(2));
        assert_eq!(taken_back.unless(first, || 7), Some(7));
        taken_back.add(first);
        assert_eq!(taken_back.unless(first, || 7), None);
        assert_eq!(taken_back.unless(second, || 7), Some(7));
        // The oldest are forgotten.
        for ms in 0..TAKEN_BACK_MAX as u64 {
            taken_back.add(id(3 + ms));
        }
        assert_eq!(taken_back.0.lock().unwrap().len(), TAKEN_BACK_MAX);
        assert_eq!(taken_back.unless(first, || 7), Some(7));
    }
}
