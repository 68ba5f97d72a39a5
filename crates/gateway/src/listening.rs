//! The listening sockets that the gateway holds, how they are divided among the workers, and how
//! another process is given them.
//!
//! A socket's accept queue lives as long as anybody holds a descriptor of it. So no socket is ever
//! closed whose address is still listened on: with fewer workers than sockets a worker listens on
//! several, with more workers than sockets (one that systemd opened, say) several share one.

use std::sync::Arc;

use bulkhead_message::Address;
use bulkhead_transport::{Listener, ListenerOptions};

use crate::snapshot::{ApplyError, ListenerEntry};
use crate::worker::WorkerListener;

/// A listening socket that another process has opened, or that it is to be given.
#[derive(Debug)]
pub struct HandedSocket {
    /// The listener's name; what systemd calls `FileDescriptorName`.
    pub name: String,
    /// The address as the configuration has it; empty: only the socket knows.
    pub address: String,
    /// The socket.
    pub socket: Arc<Listener>,
}

impl HandedSocket {
    /// Whether it is the socket of a configured listener.
    fn is_for(&self, entry: &ListenerEntry) -> bool {
        if self.address.is_empty() {
            let own = self.socket.local_addr();
            return *self.name == *entry.name || own.is_ok_and(|own| own == entry.address);
        }
        // Any port (0) is a different one for each listener.
        let any_port = entry.address.inet().is_some_and(|address| address.port() == 0);
        self.address == entry.address.to_string() && (*self.name == *entry.name || !any_port)
    }
}

/// The sockets of one listener.
#[derive(Clone, Debug)]
pub(crate) struct ListeningSet {
    pub(crate) entry: Arc<ListenerEntry>,
    /// At least one.
    sockets: Vec<Arc<Listener>>,
}

impl ListeningSet {
    /// The sockets of `pool` that are this listener's, and new ones until each worker has its own.
    /// Where the address has sockets that cannot be added to, these are shared; so they are if the
    /// gateway is `held`: whoever came by a new one would wait, while the process that serves now
    /// accepts from the others.
    pub(crate) fn open(
        entry: &Arc<ListenerEntry>,
        pool: &mut Vec<HandedSocket>,
        workers: usize,
        held: bool,
    ) -> Result<Self, ApplyError> {
        let kept = pool.extract_if(.., |handed| handed.is_for(entry));
        let mut set =
            Self { entry: entry.clone(), sockets: kept.map(|kept| kept.socket).collect() };
        // A Unix socket is one for all workers: whoever comes first accepts.
        let shared = entry.address.unix().is_some() || (held && !set.sockets.is_empty());
        let wanted = if shared { 1 } else { workers };
        let options =
            ListenerOptions { socket_mode: entry.socket_mode, ..ListenerOptions::default() };
        while set.sockets.len() < wanted {
            // With port 0 the first socket decides for all.
            let address = set.local_addr().unwrap_or_else(|| entry.address.clone());
            match Listener::bind(address, &options) {
                Ok(socket) => set.sockets.push(Arc::new(socket)),
                Err(_) if !set.sockets.is_empty() => break,
                Err(refused) => return Err(refused.into()),
            }
        }
        Ok(set)
    }

    /// The address with the actual port.
    pub(crate) fn local_addr(&self) -> Option<Address> {
        self.sockets.first()?.local_addr().ok()
    }

    /// Handles of the sockets that one of so many workers listens on.
    pub(crate) fn share(
        &self,
        worker: usize,
        workers: usize,
    ) -> impl Iterator<Item = std::io::Result<WorkerListener>> {
        let own = shares(self.sockets.len(), worker, workers);
        own.map(|at| {
            let socket = self.sockets[at].duplicate()?;
            Ok(WorkerListener { socket, entry: self.entry.clone() })
        })
    }

    /// Another process listens here: the file of a Unix socket is its now.
    pub(crate) fn leave_files(&self) {
        self.sockets.iter().for_each(|socket| socket.leave_file());
    }

    /// All sockets, for another process or another configuration.
    pub(crate) fn hand_over(&self) -> impl Iterator<Item = HandedSocket> {
        self.sockets.iter().map(|socket| HandedSocket {
            name: self.entry.name.to_string(),
            address: self.entry.address.to_string(),
            socket: socket.clone(),
        })
    }
}

/// Which of so many sockets a worker listens on: each socket has a worker, each worker a socket.
fn shares(sockets: usize, worker: usize, workers: usize) -> impl Iterator<Item = usize> {
    let (first, end) = match worker < workers && sockets > 0 {
        true if worker < sockets => (worker, sockets),
        true => (worker % sockets, worker % sockets + 1),
        false => (0, 0),
    };
    (first..end).step_by(workers.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_has_a_worker_and_every_worker_a_socket() {
        for sockets in 1..12 {
            for workers in 1..12 {
                let all: Vec<Vec<usize>> =
                    (0..workers).map(|worker| shares(sockets, worker, workers).collect()).collect();
                assert!(all.iter().all(|own| !own.is_empty()), "{sockets} {workers}: {all:?}");
                let mut listened: Vec<usize> = all.concat();
                listened.sort_unstable();
                listened.dedup();
                assert_eq!(listened, (0..sockets).collect::<Vec<_>>(), "{workers}: {all:?}");
                // Nobody shares unless sockets are short.
                assert!(sockets < workers || all.concat().len() == sockets, "{all:?}");
            }
        }
    }

    #[test]
    fn a_worker_that_has_left_has_no_share() {
        assert_eq!(shares(4, 3, 2).count(), 0);
        assert_eq!(shares(0, 0, 2).count(), 0);
    }
}
