//! What is remembered of journeys under way: one entry each, given back when a journey ends, so that
//! memory follows from how many are in flight and never from how long a run is.

/// A journey under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Underway {
    /// Number of the arrival that began it.
    pub(crate) number: u64,
    pub(crate) journey: usize,
    /// The step that is to be sent or answered.
    pub(crate) step: usize,
    pub(crate) extracted: Vec<Option<Vec<u8>>>,
    live: bool,
}

/// All journeys under way of a thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journeys {
    slots: Vec<Underway>,
    free: Vec<u64>,
}

impl Journeys {
    /// Begins one; gives its key.
    pub(crate) fn begin(&mut self, number: u64, journey: usize, extracted: usize) -> u64 {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Underway::default());
            self.slots.len() as u64 - 1
        });
        if let Some(slot) = self.slots.get_mut(key as usize) {
            *slot =
                Underway { number, journey, step: 0, extracted: vec![None; extracted], live: true };
        }
        key
    }

    /// One under way.
    pub(crate) fn get(&mut self, key: u64) -> Option<&mut Underway> {
        let slot = self.slots.get_mut(usize::try_from(key).ok()?)?;
        slot.live.then_some(slot)
    }

    /// Ends one; its memory goes. A key that is not under way is passed over.
    pub(crate) fn end(&mut self, key: u64) {
        if let Some(slot) = self.get(key) {
            *slot = Underway::default();
            self.free.push(key);
        }
    }

    /// How many are under way.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
