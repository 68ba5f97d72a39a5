//! What the rest of the process may tell a worker, and the slot through which it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mio::{Poll, Waker};

use crate::evacuation::Parcel;
use crate::snapshot::{ClusterId, Snapshot};
use crate::worker::{WAKER, WorkerListener};

/// Messages that may wait for a worker. Only the control plane and dying siblings write.
const MESSAGES_MAX: usize = 4096;

/// A message to a worker.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new configuration.
    Snapshot(Arc<Snapshot>),
    /// Listen on these from now on, and on no others.
    Listeners(Vec<WorkerListener>),
    /// Accept what waits in a killed sibling's queues.
    AcceptQueue(Vec<WorkerListener>),
    /// Connections and exchanges of a killed sibling.
    Parcels(Vec<Parcel>),
    /// A cluster's addresses were looked up.
    Endpoints(ClusterId, Arc<[SocketAddr]>),
    /// Finish what is under way, take nothing new, and stop.
    Drain {
        /// When to stop at the latest.
        until: Instant,
    },
}

/// One life of a worker, seen from outside. A killed worker's successor gets a new slot.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) index: usize,
    pub(crate) generation: u64,
    /// The kill fault: the loop ends at its next event.
    pub(crate) killed: AtomicBool,
    /// Messages are still taken. Changed under the lock of `sender`.
    sender: Mutex<Option<SyncSender<Message>>>,
    waker: Waker,
    /// Kernel thread id; 0 until the thread runs.
    pub(crate) thread_id: AtomicU64,
    pub(crate) connections: AtomicUsize,
    pub(crate) exchanges: AtomicUsize,
}

impl Slot {
    pub(crate) fn new(
        index: usize,
        generation: u64,
        poll: &Poll,
    ) -> std::io::Result<(Arc<Self>, Receiver<Message>)> {
        let (sender, inbox) = sync_channel(MESSAGES_MAX);
        let slot = Self {
            index,
            generation,
            killed: AtomicBool::new(false),
            sender: Mutex::new(Some(sender)),
            waker: Waker::new(poll.registry(), WAKER)?,
            thread_id: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
        };
        Ok((Arc::new(slot), inbox))
    }

    /// Sends a message; gives it back if the worker is dead or its mailbox is full.
    pub(crate) fn send(&self, message: Message) -> Result<(), Message> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = sender.as_ref() else { return Err(message) };
        open.try_send(message).map_err(|refused| match refused {
            std::sync::mpsc::TrySendError::Full(message)
            | std::sync::mpsc::TrySendError::Disconnected(message) => message,
        })?;
        drop(sender);
        self.wake();
        Ok(())
    }

    /// No message is taken from now on: what was sent is in the inbox, what comes later is refused.
    pub(crate) fn close(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        // A worker whose poll is gone needs no waking.
        let _ = self.waker.wake();
    }
}
