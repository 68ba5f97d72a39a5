//! One netem at one interface, as the journal keeps it: whoever finds this can take it away.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::parameters::Setting;
use super::queue::{self, Queue};
use crate::Evidence;
use crate::host::{Kept, Work};
use crate::network::place::Place;

/// Where a netem is, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placement {
    /// File of the network namespace; without it that of the lab.
    pub(super) namespace: Option<PathBuf>,
    /// What tells that namespace from all others.
    pub(super) namespace_id: String,
    pub(super) interface: String,
    /// Number of the interface.
    pub(super) index: u32,
    /// Upper 16 bits of the handle of the netem.
    pub(super) major: u16,
    pub(super) setting: Setting,
    /// Kind of the queue in whose place it is.
    pub(super) before: String,
}

impl Placement {
    /// What two of them cannot both be.
    pub(crate) fn name(&self) -> String {
        format!("queue of {} in {}", self.interface, self.namespace_id)
    }

    /// The namespace, if it is still there.
    fn place(&self) -> io::Result<Option<Place>> {
        Place::find(self.namespace.as_deref(), &self.namespace_id)
            .map_err(|error| io::Error::other(error.told()))
    }

    /// The queue of the interface. `None`: its namespace is gone, and all queues in it.
    fn queue(&self) -> io::Result<Option<Queue>> {
        let Some(place) = self.place()? else { return Ok(None) };
        place
            .run(|| Queue::of(self.index))
            .map_err(|error| io::Error::other(error.told()))?
            .map(Some)
    }

    /// What the kernel has there, held against what was asked.
    pub(super) fn see(&self) -> io::Result<Evidence> {
        let no = |seen: String| Evidence { holds: false, seen };
        let Some(queue) = self.queue()? else {
            return Ok(no(
                "netem: the network namespace is gone, or no process is in it".to_owned()
            ));
        };
        if !queue.is_netem(self.major) {
            return Ok(no(format!("netem: {} has {}", self.interface, told(&queue))));
        }
        let asked = self.setting.parameters;
        let Some(has) = queue.parameters else {
            return Ok(no("netem: the kernel tells of parameters that nobody knows".to_owned()));
        };
        let counts = queue.counts;
        let seen = format!(
            "netem {:x}: is at the egress of {} with {has}{}; {} packets have left it, {} were dropped, {} wait",
            self.major,
            self.interface,
            if has == asked { String::new() } else { format!(" instead of {asked}") },
            counts.passed,
            counts.dropped,
            counts.waiting,
        );
        Ok(Evidence { holds: has == asked, seen })
    }

    /// As [`see`](Self::see), where what cannot be looked at is not there.
    pub(crate) fn look(&self) -> Evidence {
        self.see().unwrap_or_else(|error| Evidence { holds: false, seen: error.to_string() })
    }

    /// What it has had so far: packets that it was given, and those of them that it dropped.
    pub(super) fn counted(&self) -> io::Result<(u64, u64)> {
        let counts = self.queue()?.unwrap_or_default().counts;
        Ok((counts.passed + counts.dropped + counts.waiting, counts.dropped))
    }
}

impl Work for Placement {
    /// In a process that stays in the namespace, so that it can take the netem away whoever else is gone.
    fn begin(&self) -> io::Result<Kept> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the network namespace is gone");
        let place = self.place()?.ok_or_else(gone)?;
        place.stay().map_err(|error| io::Error::other(error.told()))?;
        let queue = Queue::of(self.index)?;
        if queue.is_netem(self.major) {
            return Ok(Kept::Nothing);
        }
        if !queue.is_default() {
            return Err(io::Error::other(format!(
                "{} has {} by now",
                self.interface,
                told(&queue)
            )));
        }
        queue::put(self.index, self.major, &self.setting)?;
        Ok(Kept::Nothing)
    }

    fn restore(&self) -> io::Result<()> {
        let Some(place) = self.place()? else { return Ok(()) };
        place
            .run(|| {
                let is_there = || io::Result::Ok(Queue::of(self.index)?.is_netem(self.major));
                if !is_there()? {
                    return Ok(());
                }
                match queue::take(self.index, self.major) {
                    // Somebody else, who looks after it as well, was first.
                    Err(_) if !is_there()? => Ok(()),
                    other => other,
                }
            })
            .map_err(|error| io::Error::other(error.told()))?
    }

    fn look_restored(&self) -> io::Result<Evidence> {
        let Some(queue) = self.queue()? else {
            let seen = "netem: the network namespace is gone, or no process is in it".to_owned();
            return Ok(Evidence { holds: true, seen });
        };
        let seen = format!("netem: {} has {}", self.interface, told(&queue));
        Ok(Evidence { holds: !queue.is_netem(self.major), seen })
    }
}

/// For people.
pub(super) fn told(queue: &Queue) -> String {
    match (queue.is_default(), queue.kind.as_str()) {
        (true, "") => "no queue, as one has that is down or gone".to_owned(),
        (true, kind) => format!("the queue that is the kernel's default: {kind}"),
        (false, kind) => format!("a queue that somebody has put there: {kind} {:x}:", queue.major),
    }
}
