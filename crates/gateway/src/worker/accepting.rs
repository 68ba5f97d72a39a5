//! Connections that a worker accepts, and what they are checked for before anything is read.

use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_transport::Channel;
use mio::net::TcpStream;
use mio::{Interest, Token};

use super::{LISTENER_BASE, Worker};
use crate::connection::{Connection, Downstream, Side};
use crate::retire::Life;
use crate::snapshot::ListenerEntry;

/// Connections accepted per listener and turn.
const ACCEPTS_PER_TURN: usize = 64;

impl Worker {
    pub(crate) fn accept(&mut self, index: usize) {
        if self.pressure.pauses_accept() {
            // The queue keeps them; what it cannot hold is the clients' to try again.
            return self.shard.accept_paused();
        }
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(index) else { return };
            match listener.socket.accept() {
                Ok((socket, peer)) => {
                    let entry = listener.entry.clone();
                    self.accepted(socket, peer, &entry);
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Out of descriptors, most likely. The queue keeps the rest until housekeeping.
                    self.shard.accept_failed();
                    return;
                }
            }
        }
        // More may wait, and no further edge will come.
        self.accept_again();
    }

    pub(crate) fn accept_again(&mut self) {
        for index in 0..self.listeners.len() {
            let token = Token(LISTENER_BASE - index);
            let listener = &mut self.listeners[index];
            // Registering again raises an event if connections wait.
            let _ =
                self.poll.registry().reregister(&mut listener.socket, token, Interest::READABLE);
        }
    }

    /// Takes a connection that was accepted.
    pub(crate) fn accepted(
        &mut self,
        socket: TcpStream,
        peer: Option<SocketAddr>,
        entry: &Arc<ListenerEntry>,
    ) {
        let opening = match self.opening(entry, peer, &socket) {
            Ok(opening) => opening,
            Err(reason) => return self.shard.protocol_error(reason),
        };
        if !self.shared.admit_connection(self.snapshot.limits.connections_max) {
            self.shard.connection_refused();
            return;
        }
        let channel = match &entry.tls {
            _ if opening.is_some() => Ok(Channel::plain(socket)),
            None => Ok(Channel::plain(socket)),
            Some(config) => Channel::tls_server(socket, config.clone()),
        };
        let Ok(channel) = channel else {
            self.shard.accept_failed();
            return self.shared.connection_left();
        };
        let mut downstream = Downstream::new(entry);
        downstream.tell(peer);
        let mut connection =
            Box::new(Connection::new(channel, Side::Downstream(downstream), self.now));
        let age_max = self.snapshot.limits.connection_age_max;
        connection.life = Life::new(age_max, self.now, &mut self.rng);
        connection.opening = opening;
        let key = self.connections.insert(connection);
        if self.register(key).is_err() {
            self.shard.accept_failed();
            return self.shared.connection_left();
        }
        self.shard.accepted();
        self.set_connection_timer(key);
        // TCP fast open, or a client that waited in the queue: its bytes may be here already.
        self.pump_again(key);
    }
}
