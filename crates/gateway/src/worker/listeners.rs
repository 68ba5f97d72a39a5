//! What a worker listens on: from its start, after a reload, after the pool of workers has changed.

use mio::{Interest, Token};

use super::{LISTENER_BASE, LISTENERS_MAX, Worker, WorkerListener};

/// Connections taken from the queue of a listener that goes; as many as the longest queue holds.
const LAST_ACCEPTS_MAX: usize = 4096;

impl Worker {
    /// Listens on these from now on, and on no others. Whoever waits at a listener that is listened
    /// on no more is accepted first: nobody else might.
    pub(crate) fn listen_on(&mut self, listeners: Vec<WorkerListener>) {
        for old in self.drop_listeners() {
            let address = &old.entry.address;
            if !listeners.iter().any(|new| new.entry.address == *address) {
                self.accept_rest(&old);
            }
        }
        for listener in listeners {
            if self.add_listener(listener).is_err() {
                self.shard.accept_failed();
            }
        }
    }

    fn add_listener(&mut self, mut listener: WorkerListener) -> std::io::Result<()> {
        if self.listeners.len() >= LISTENERS_MAX {
            return Err(std::io::Error::other("too many listeners"));
        }
        let token = Token(LISTENER_BASE - self.listeners.len());
        self.poll.registry().register(&mut listener.socket, token, Interest::READABLE)?;
        self.listeners.push(listener);
        // Edge-triggered: what waits in the queue already raises an event at registration.
        Ok(())
    }

    /// Stops listening; the sockets live on in the gateway's duplicates.
    pub(crate) fn drop_listeners(&mut self) -> Vec<WorkerListener> {
        let mut listeners = std::mem::take(&mut self.listeners);
        for listener in &mut listeners {
            // Dropping the descriptor ends the registration as well.
            let _ = self.poll.registry().deregister(&mut listener.socket);
        }
        listeners
    }

    /// Accepts what waits in the queues of a killed sibling's listeners.
    pub(crate) fn drain_queues(&mut self, queues: &[WorkerListener]) {
        for queue in queues {
            self.accept_rest(queue);
        }
    }

    fn accept_rest(&mut self, queue: &WorkerListener) {
        for _ in 0..LAST_ACCEPTS_MAX {
            let Ok((socket, peer)) = queue.socket.accept() else { return };
            self.accepted(socket, peer, &queue.entry);
        }
    }
}
