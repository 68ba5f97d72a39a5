//! The agent: listens, and lets one coordinator at a time run load from here.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};

use super::session::serve;
use super::wire::Job;
use super::{AllowedTargets, Secret};
use crate::{LoadOptions, Workload};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Connections at a time, that of the coordinator served and those that still greet.
const CONNECTIONS_MAX: usize = 16;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes the workload of each thread.
pub type WorkloadFactory = Box<dyn FnMut(usize) -> Box<dyn Workload> + Send>;

/// What a job comes to.
pub struct Plan {
    /// The run; `share` is set by the coordinator.
    pub options: LoadOptions,
    /// Makes the workload of each thread, by its number over all agents.
    pub workload: WorkloadFactory,
    /// Asked at the end: why this machine's figures say nothing about the target, for instance stolen
    /// CPU time.
    pub doubts: Box<dyn FnMut() -> Vec<String> + Send>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Plan").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Where an agent listens, and whom it serves.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// That a coordinator has to have. Needed to listen beyond this machine.
    pub secret: Option<Secret>,
    /// Where load may be sent to.
    pub allowed: AllowedTargets,
}

/// Why an agent cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Everybody could make it send load to anybody.
    #[error("listen on {0} without a secret: whoever reaches it could send load from here")]
    Open(SocketAddr),
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The system refuses a poll or a thread.
    #[error("start the agent")]
    System(#[from] io::Error),
}

type Build = dyn Fn(&Job) -> Result<Plan, BoxError> + Send + Sync;
type Log = dyn Fn(&str) + Send + Sync;

/// What all sessions share.
pub(super) struct Shared {
    pub(super) secret: Option<Secret>,
    pub(super) allowed: AllowedTargets,
    pub(super) build: Box<Build>,
    pub(super) log: Box<Log>,
    /// The agent is to end.
    pub(super) stop: AtomicBool,
    /// A coordinator is served.
    busy: AtomicBool,
    connections: AtomicUsize,
}

/// The right to run load, of one session at a time.
pub(super) struct Slot<'a>(&'a AtomicBool);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// One connection of [`CONNECTIONS_MAX`].
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    pub(super) fn take_slot(&self) -> Option<Slot<'_>> {
        let taken =
            self.busy.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
        taken.then_some(Slot(&self.busy))
    }
}

/// An agent that listens. Dropping it ends what it runs.
pub struct Agent {
    address: SocketAddr,
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Agent").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Agent {
    /// Listens. `build` makes a plan of each job; `log` is told of each session.
    ///
    /// # Errors
    /// If it may not or cannot listen there.
    pub fn start(
        options: AgentOptions,
        build: impl Fn(&Job) -> Result<Plan, BoxError> + Send + Sync + 'static,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, AgentError> {
        if options.secret.is_none() && !options.listen.ip().to_canonical().is_loopback() {
            return Err(AgentError::Open(options.listen));
        }
        let mut listener = TcpListener::bind(options.listen)
            .map_err(|source| AgentError::Listen { address: options.listen, source })?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let shared = Arc::new(Shared {
            secret: options.secret,
            allowed: options.allowed,
            build: Box::new(build),
            log: Box::new(log),
            stop: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("load-agent".to_owned())
            .spawn(move || listen(poll, &listener, &theirs))?;
        Ok(Self { address, shared, waker, thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // It was made for this poll; if it fails, the thread is gone already.
        let _woken = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn listen(mut poll: Poll, listener: &TcpListener, shared: &Arc<Shared>) {
    let mut events = Events::with_capacity(16);
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stop.load(Ordering::Acquire) {
        match poll.poll(&mut events, None) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return (shared.log)(&format!("the agent ends: {cause}")),
            Ok(()) => {}
        }
        // Until there is none left; an error of one connection is not the listener's.
        while let Some((stream, peer)) = next_of(listener) {
            sessions.retain(|session| !session.is_finished());
            sessions.extend(begin(stream.into(), peer, shared));
        }
    }
    for session in sessions {
        let _panicked = session.join();
    }
}

fn next_of(listener: &TcpListener) -> Option<(mio::net::TcpStream, SocketAddr)> {
    loop {
        match listener.accept() {
            Ok(accepted) => return Some(accepted),
            Err(cause) => match cause.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => return None,
            },
        }
    }
}

/// Serves a connection on a thread of its own, if there is room.
fn begin(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    if shared.connections.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
        shared.connections.fetch_sub(1, Ordering::AcqRel);
        (shared.log)(&format!("{peer}: too many connections"));
        return None;
    }
    // Given back when it is dropped, also if the thread does not begin or panics.
    let place = Place(Arc::clone(shared));
    let spawned = std::thread::Builder::new().name("load-session".to_owned()).spawn(move || {
        let served = stream
            .set_nonblocking(false)
            .map_err(super::WireError::Connection)
            .and_then(|()| serve(stream, peer, &place.0));
        if let Err(error) = served {
            (place.0.log)(&format!("{peer}: {}", chain(&error)));
        }
    });
    spawned.ok()
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
