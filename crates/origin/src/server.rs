//! The threads: one readiness loop each, with a listening socket of its own on the shared port.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bulkhead_codec::{StreamId, Tag};
use bulkhead_transport::{BindError, Channel, Listener, ListenerOptions, ServerConfig};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::connection::{Connection, Fate, Shared, Wait};
use crate::stats::OriginStats;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Where and how the origin serves.
#[derive(Clone, Debug)]
pub struct OriginOptions {
    /// Address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Threads, at least 1.
    pub threads: usize,
    /// How many `/busy/{ms}` each thread does at once, at least 1; the others wait in their order.
    pub slots: usize,
    /// TLS; `None`: cleartext.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for OriginOptions {
    fn default() -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, 0).into(), threads: 1, slots: 8, tls: None }
    }
}

/// Why the origin could not be started.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system refuses a thread or a poll.
    #[error("start the origin")]
    System(#[from] io::Error),
}

/// A running origin. Dropping it stops it.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    stats: Arc<OriginStats>,
    stop: Arc<AtomicBool>,
    threads: Vec<(Waker, Option<JoinHandle<()>>)>,
}

impl Origin {
    /// Binds and starts the threads.
    ///
    /// # Errors
    /// If the address cannot be bound or the system refuses a thread.
    pub fn start(options: OriginOptions) -> Result<Self, OriginError> {
        let first = Listener::bind(options.address, &ListenerOptions::default())?;
        let address = first.local_addr()?.inet().unwrap_or(options.address);
        let mut listeners = vec![first];
        for _ in 1..options.threads {
            listeners.push(Listener::bind(address, &ListenerOptions::default())?);
        }
        let mut origin = Self {
            address,
            stats: Arc::default(),
            stop: Arc::default(),
            threads: Vec::with_capacity(listeners.len()),
        };
        for (number, listener) in listeners.into_iter().enumerate() {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            let mut server = Server {
                poll,
                listener,
                tls: options.tls.clone(),
                stop: Arc::clone(&origin.stop),
                connections: Vec::new(),
                free: Vec::new(),
                delays: BinaryHeap::new(),
                slots: vec![Instant::now(); options.slots.max(1)],
                shared: Shared::new(Arc::clone(&origin.stats)),
                buffer: vec![0; READ_BUFFER_BYTES],
            };
            let thread = std::thread::Builder::new()
                .name(format!("origin-{number}"))
                .spawn(move || server.run())?;
            origin.threads.push((waker, Some(thread)));
        }
        Ok(origin)
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Counts so far.
    pub fn stats(&self) -> &OriginStats {
        &self.stats
    }

    /// Closes everything and waits for the threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for (waker, thread) in &mut self.threads {
            // If the thread cannot be woken it is not there any more.
            if waker.wake().is_ok()
                && let Some(thread) = thread.take()
            {
                let _panicked = thread.join();
            }
        }
    }
}

/// A wait that has begun; the earliest first.
type Delay = Reverse<(Instant, usize, StreamId, Tag, u64)>;

struct Server {
    poll: Poll,
    listener: Listener,
    tls: Option<Arc<ServerConfig>>,
    stop: Arc<AtomicBool>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    delays: BinaryHeap<Delay>,
    /// When each slot is free again.
    slots: Vec<Instant>,
    shared: Shared,
    buffer: Vec<u8>,
}

impl Server {
    fn run(&mut self) {
        let mut events = Events::with_capacity(1_024);
        if self.poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE).is_err()
        {
            return;
        }
        while !self.stop.load(Ordering::Acquire) {
            let timeout = self.delays.peek().map(|Reverse((at, ..))| {
                at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
            });
            if let Err(cause) = self.poll.poll(&mut events, timeout)
                && cause.kind() != io::ErrorKind::Interrupted
            {
                return;
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    Token(index) => {
                        let closed = event.is_read_closed() || event.is_error();
                        self.turn(index, event.is_readable() || closed, closed);
                    }
                }
            }
            self.end_delays();
        }
    }

    fn accept(&mut self) {
        // `WouldBlock` ends it; so does a lack of descriptors, until the next connection comes.
        while let Ok((stream, _)) = self.listener.accept() {
            let channel = match &self.tls {
                None => Channel::plain(stream),
                Some(tls) => match Channel::tls_server(stream, Arc::clone(tls)) {
                    Ok(channel) => channel,
                    Err(_) => continue,
                },
            };
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let mut connection = Connection::new(channel);
            if connection.register(self.poll.registry(), Token(index)).is_ok() {
                self.shared.stats.connections.fetch_add(1, Ordering::Relaxed);
                self.connections[index] = Some(connection);
            } else {
                self.free.push(index);
            }
        }
    }

    /// Reads, answers, and writes the answers of this turn at once.
    fn turn(&mut self, index: usize, readable: bool, may_be_closed: bool) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        let mut fate = Fate::Live;
        if readable || connection.read_is_paused() {
            fate = connection.read(may_be_closed, &mut self.buffer, &mut self.shared);
        }
        while fate == Fate::Live {
            fate = connection.flush(&mut self.shared);
            if fate == Fate::Dead || !connection.read_is_paused() || !connection.all_is_sent() {
                break;
            }
            fate = connection.read(may_be_closed, &mut self.buffer, &mut self.shared);
        }
        for wait in std::mem::take(&mut self.shared.waits) {
            let at = self.end_of(wait);
            self.delays.push(Reverse((at, index, wait.stream, wait.tag, wait.ms)));
        }
        if fate == Fate::Dead {
            self.drop_connection(index);
        }
    }

    /// When a wait that begins now is over; one in a slot begins when the first is free. Work whose
    /// client has left is done all the same, as in most services.
    fn end_of(&mut self, wait: Wait) -> Instant {
        let (now, length) = (Instant::now(), Duration::from_millis(wait.ms));
        match self.slots.iter_mut().min().filter(|_| wait.in_slot) {
            Some(free_at) => {
                *free_at = now.max(*free_at) + length;
                *free_at
            }
            None => now + length,
        }
    }

    fn drop_connection(&mut self, index: usize) {
        if let Some(mut connection) = self.connections.get_mut(index).and_then(Option::take) {
            // Dropping closes the descriptor, which leaves the poll as well.
            let _gone = self.poll.registry().deregister(connection.channel());
            self.free.push(index);
        }
    }

    fn end_delays(&mut self) {
        while let Some(Reverse((at, index, stream, tag, ms))) = self.delays.peek().copied() {
            if at > Instant::now() {
                return;
            }
            self.delays.pop();
            if let Some(Some(connection)) = self.connections.get_mut(index) {
                connection.delay_is_over(stream, tag, ms, &mut self.shared);
                self.turn(index, false, false);
            }
        }
    }
}

#[cfg(test)]
mod tests;
