//! What the rest of the process may tell a worker, and the slot through which it is told.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bulkhead_upstream::EndpointSpec;
use mio::{Poll, Waker};

use crate::evacuation::Parcel;
use crate::gateway::WorkerReport;
use crate::snapshot::{ClusterId, Snapshot};
use crate::worker::{WAKER, WorkerListener};

/// Messages that may wait for a worker. Only the control plane and dying siblings write: a sibling one
/// message, however much it served.
const MESSAGES_MAX: usize = 4096;

/// A message to a worker.
#[derive(Debug)]
pub(crate) enum Message {
    /// A new configuration.
    Snapshot(Arc<Snapshot>),
    /// There are other rules for faults.
    Rules,
    /// Listen on these from now on, and on no others.
    Listeners(Vec<WorkerListener>),
    /// Accept what waits in a killed sibling's queues.
    AcceptQueue(Vec<WorkerListener>),
    /// Connections and exchanges of a killed sibling.
    Parcels(Vec<Parcel>),
    /// The addresses of a cluster's names have changed: all its endpoints.
    Endpoints(ClusterId, Arc<[EndpointSpec]>),
    /// End after this turn: siblings take over all that is served here.
    Retire,
    /// Tell of the endpoints.
    Report(SyncSender<WorkerReport>),
    /// Finish what is under way, take nothing new, and stop.
    Drain {
        /// The listening sockets are another process's now, and with them who waits there.
        handed_over: bool,
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
    /// A worse one: when the loop ends, what it served ends with it.
    pub(crate) crashed: AtomicBool,
    /// `None`: no message is taken any more, and the waker's descriptor is given back.
    door: Mutex<Option<Door>>,
    /// Kernel thread id; 0 until the thread runs.
    pub(crate) thread_id: AtomicU64,
    pub(crate) connections: AtomicUsize,
    pub(crate) exchanges: AtomicUsize,
    /// Goes up once a second while the loop turns.
    pub(crate) beats: AtomicU64,
    /// Version of the rules for faults that are in force there.
    pub(crate) rules_version: AtomicU64,
}

/// Where messages are left.
#[derive(Debug)]
struct Door {
    sender: SyncSender<Message>,
    waker: Waker,
}

impl Door {
    fn ring(&self) {
        // A worker whose poll is gone needs no waking.
        let _ = self.waker.wake();
    }
}

impl Slot {
    pub(crate) fn new(
        index: usize,
        generation: u64,
        poll: &Poll,
    ) -> std::io::Result<(Arc<Self>, Receiver<Message>)> {
        let (sender, inbox) = sync_channel(MESSAGES_MAX);
        let door = Door { sender, waker: Waker::new(poll.registry(), WAKER)? };
        let slot = Self {
            index,
            generation,
            killed: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            door: Mutex::new(Some(door)),
            thread_id: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
            beats: AtomicU64::new(0),
            rules_version: AtomicU64::new(0),
        };
        Ok((Arc::new(slot), inbox))
    }

    fn door(&self) -> MutexGuard<'_, Option<Door>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message; gives it back if the worker is dead or its mailbox is full.
    pub(crate) fn send(&self, message: Message) -> Result<(), Message> {
        let door = self.door();
        let Some(open) = door.as_ref() else { return Err(message) };
        open.sender.try_send(message).map_err(|refused| match refused {
            std::sync::mpsc::TrySendError::Full(message)
            | std::sync::mpsc::TrySendError::Disconnected(message) => message,
        })?;
        open.ring();
        Ok(())
    }

    /// No message is taken from now on: what was sent is in the inbox, what comes later is refused.
    pub(crate) fn close(&self) {
        *self.door() = None;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.door().is_some()
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Some(door) = self.door().as_ref() {
            door.ring();
        }
    }
}
