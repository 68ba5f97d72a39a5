//! The pool of workers changes its size while it serves.
//!
//! **Growing** opens what sockets are missing, starts the new workers and divides the listeners anew.
//! **Shrinking** divides the listeners first, so that those who stay accept what waits in the queues
//! of those who go; these end between two turns and are evacuated like a killed worker: nothing is
//! lost, and requests in flight go on.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::gateway::{Gateway, WORKERS_MAX};
use crate::listening::ListeningSet;
use crate::mailbox::{Message, Slot};
use crate::snapshot::ApplyError;

/// How long a worker that is to go may take until it is with its siblings.
const RETIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the pool has not the size that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ResizeError {
    /// Fewer than one or more than [`WORKERS_MAX`].
    #[error("the number of workers must be from 1 to {WORKERS_MAX}")]
    OutOfRange,
    /// The gateway drains: all its workers are leaving.
    #[error("the gateway is draining")]
    Draining,
    /// Threads or descriptors are short; the pool has as many as could be started.
    #[error(transparent)]
    Start(#[from] ApplyError),
    /// A worker that is to go has not moved what it serves in time. It still goes on trying.
    #[error("worker {0} was not evacuated within 10 s")]
    Timeout(usize),
}

impl Gateway {
    /// Makes it so many workers, and gives how many there were. Comes back when the new ones have
    /// started and the old ones have moved all that they serve.
    ///
    /// # Errors
    /// [`ResizeError`]; the gateway serves in any case.
    pub fn resize(&self, workers: usize) -> Result<usize, ResizeError> {
        let _one_at_a_time = self.changing.lock();
        self.resize_now(workers)
    }

    /// [`Self::resize`] for who holds the lock.
    pub(crate) fn resize_now(&self, workers: usize) -> Result<usize, ResizeError> {
        if !(1..=WORKERS_MAX).contains(&workers) {
            return Err(ResizeError::OutOfRange);
        }
        let before = {
            let state = self.shared.state();
            if state.stopping {
                return Err(ResizeError::Draining);
            }
            state.workers
        };
        match workers > before {
            true => self.grow(before, workers)?,
            false => self.shrink(workers)?,
        }
        Ok(before)
    }

    fn grow(&self, before: usize, workers: usize) -> Result<(), ApplyError> {
        let mut sockets = self.hand_over();
        let entries: Vec<_> =
            self.shared.state().listeners.iter().map(|set| set.entry.clone()).collect();
        let listeners = entries
            .iter()
            .map(|entry| ListeningSet::open(entry, &mut sockets, workers, false))
            .collect::<Result<_, _>>()?;
        self.shared.state().listeners = listeners;
        for index in before..workers {
            self.shared.state().workers = index + 1;
            if let Err(source) = self.shared.spawn(index, 0) {
                self.shared.state().workers = index;
                self.divide();
                return Err(ApplyError::System { what: "start a worker", source });
            }
            self.shared.registry.worker_started();
        }
        self.divide();
        Ok(())
    }

    fn shrink(&self, workers: usize) -> Result<(), ResizeError> {
        let leaving: Vec<Arc<Slot>> = {
            let mut state = self.shared.state();
            state.workers = workers;
            let kept = workers.min(state.slots.len());
            state.slots.split_off(kept)
        };
        self.divide();
        let mut waiting = Vec::new();
        for slot in leaving {
            let (reporter, report) = sync_channel(1);
            self.shared.await_evacuation(&slot, reporter);
            let asked = slot.send(Message::Retire).is_ok();
            // One that dies meanwhile is evacuated as well, and has no successor.
            if asked || slot.is_open() {
                waiting.push((slot.index, report));
            }
            if !asked {
                // Its mailbox is full: it need not read its mail to be evacuated.
                slot.kill();
            }
        }
        for (index, report) in waiting {
            report.recv_timeout(RETIRE_TIMEOUT).map_err(|_| ResizeError::Timeout(index))?;
        }
        Ok(())
    }

    /// Tells all workers what to listen on.
    pub(crate) fn divide(&self) {
        let state = self.shared.state();
        state.slots.iter().for_each(|slot| state.divide_listeners(slot));
    }
}
