//! What is looked at in front of a connection before it is known what becomes of it: a PROXY header,
//! and the server name in a `ClientHello`. Both are read where they lie, in the kernel's buffer, so
//! that nothing has to be handed on: not to TLS, not to a relay, and not to the heir of a worker that
//! dies meanwhile. `head_timeout` bounds the time, the parsers bound the bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_codec::client_hello::{self, HelloError};
use bulkhead_codec::proxy_protocol::{self, Proxied, Start};
use bulkhead_config::model::ProxyProtocol;
use bulkhead_message::{Failure, FailureKind};
use bulkhead_transport::ReadOutcome;
use mio::net::TcpStream;

use crate::arena::Key;
use crate::connection::{Connection, Side};
use crate::snapshot::{ListenerEntry, RelayRoute, Relaying};
use crate::worker::Worker;

/// How much is looked at: the parsers take no more.
const PEEK_BYTES: usize = 16 * 1024;
const _: () = assert!(
    PEEK_BYTES >= proxy_protocol::HEADER_BYTES_MAX && PEEK_BYTES >= client_hello::HELLO_BYTES_MAX
);

/// A connection of which it is not known yet what becomes of it.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) entry: Arc<ListenerEntry>,
    /// A PROXY header may come.
    header_due: bool,
    /// The client; `None`: not known.
    pub(crate) source: Option<SocketAddr>,
    /// Where it connected to.
    pub(crate) destination: Option<SocketAddr>,
}

/// Who says that a client is somebody else.
enum Trust {
    /// Nobody: there is no PROXY protocol here, or not from this peer.
    Nobody,
    /// The peer may.
    Peer,
    /// The peer may not, and nobody else may connect.
    Refused,
}

fn trust(rules: Option<&ProxyProtocol>, peer: Option<SocketAddr>) -> Trust {
    let Some(rules) = rules else { return Trust::Nobody };
    // Whoever may open a Unix socket is trusted: it has permissions.
    let trusted = peer
        .is_none_or(|peer| rules.trusted_sources.iter().any(|network| network.contains(peer.ip())));
    match (trusted, rules.required) {
        (true, _) => Trust::Peer,
        (false, false) => Trust::Nobody,
        (false, true) => Trust::Refused,
    }
}

/// What a step of an opening gave.
enum Step {
    /// More bytes are needed.
    Wait,
    /// Serve it as HTTP.
    Http,
    /// Pass it on.
    Relay(Arc<RelayRoute>, Option<Box<str>>),
    /// Close it: the peer is gone.
    Gone,
    /// Close it: the peer broke its protocol.
    Broken(&'static str),
    /// Close it: no route has its server name.
    Unrouted(Option<Box<str>>),
}

impl Worker {
    /// What a connection from `peer` has to go through before it is served; an error: nothing, it may
    /// not be here.
    pub(crate) fn opening(
        &self,
        entry: &Arc<ListenerEntry>,
        peer: Option<SocketAddr>,
        socket: &TcpStream,
    ) -> Result<Option<Box<Opening>>, &'static str> {
        let header_due = match trust(entry.proxy_protocol.as_ref(), peer) {
            Trust::Refused => return Err("proxy_source_not_trusted"),
            Trust::Peer => true,
            Trust::Nobody => false,
        };
        if !header_due && matches!(entry.relaying, Relaying::Nothing) {
            return Ok(None);
        }
        let destination = socket.local_addr().ok();
        Ok(Some(Box::new(Opening { entry: entry.clone(), header_due, source: peer, destination })))
    }

    /// Looks at what is in front of a connection, and goes on with it once that is known.
    pub(crate) fn open(&mut self, key: Key) {
        let hung_up = self.connections.get(key).is_some_and(|connection| connection.hung_up);
        let mut buffer = std::mem::take(&mut self.buffer);
        let step = self.connections.get_mut(key).map_or(Step::Wait, |connection| {
            if connection.closing { Step::Gone } else { look(connection, &mut buffer) }
        });
        self.buffer = buffer;
        match step {
            Step::Wait if hung_up => self.connection_lost(key),
            Step::Wait => {}
            Step::Gone => self.connection_lost(key),
            Step::Broken(reason) => {
                self.shard.protocol_error(reason);
                self.connection_lost(key);
            }
            Step::Unrouted(server_name) => self.relay_unrouted(key, server_name),
            Step::Http => self.open_http(key),
            Step::Relay(route, server_name) => self.begin_relay(key, route, server_name),
        }
    }

    fn open_http(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Some(opening) = connection.opening.take() else { return };
        if let Side::Downstream(downstream) = &mut connection.side {
            downstream.tell(opening.source);
        }
        if let Some(config) = &opening.entry.tls
            && connection.channel.start_tls_server(config.clone()).is_err()
        {
            return self.connection_lost(key);
        }
        self.read(key);
    }

    /// A client asks for a name that no route has.
    fn relay_unrouted(&mut self, key: Key, server_name: Option<Box<str>>) {
        let opening = self.connections.get_mut(key).and_then(|c| c.opening.take());
        if let Some(opening) = opening {
            let failure = Failure::gateway(FailureKind::NoRoute, "no route has the server name");
            self.record_unrouted(&opening, server_name.as_deref(), failure);
        }
        self.connection_lost(key);
    }
}

/// Takes an opening as far as the bytes that are there.
fn look(connection: &mut Connection, buffer: &mut [u8]) -> Step {
    let Some(opening) = connection.opening.as_mut() else { return Step::Wait };
    let window = buffer.len().min(PEEK_BYTES);
    if opening.header_due {
        let input = match connection.channel.peek(&mut buffer[..window]) {
            Ok(ReadOutcome::Bytes(count)) => &buffer[..count],
            Ok(ReadOutcome::WouldBlock) => return Step::Wait,
            Ok(ReadOutcome::Closed) | Err(_) => return Step::Gone,
        };
        let required = opening.entry.proxy_protocol.as_ref().is_some_and(|rules| rules.required);
        match proxy_protocol::parse(input) {
            Ok(Start::Incomplete) => return Step::Wait,
            Ok(Start::Absent) if required => return Step::Broken("proxy_header_missing"),
            Ok(Start::Absent) => {}
            Ok(Start::Header { proxied, length }) => {
                if connection.channel.skip(length).is_err() {
                    return Step::Gone;
                }
                if let Some(Proxied { source, destination }) = proxied {
                    opening.source = Some(source);
                    opening.destination = Some(destination);
                }
            }
            Err(error) => return Step::Broken(error.as_str()),
        }
        opening.header_due = false;
    }
    let entry = opening.entry.clone();
    let (names, terminates) = match &entry.relaying {
        Relaying::Nothing => return Step::Http,
        Relaying::Tcp(route) => return Step::Relay(route.clone(), None),
        Relaying::Tls { names, terminates } => (names, *terminates),
    };
    let input = match connection.channel.peek(&mut buffer[..window]) {
        Ok(ReadOutcome::Bytes(count)) => &buffer[..count],
        Ok(ReadOutcome::WouldBlock) => return Step::Wait,
        Ok(ReadOutcome::Closed) | Err(_) => return Step::Gone,
    };
    let hello = match client_hello::parse(input) {
        Ok(None) => return Step::Wait,
        Ok(Some(hello)) => hello,
        // The handshake will say what is wrong with it.
        Err(HelloError::NotTls | HelloError::TooLong | HelloError::Malformed) if terminates => {
            return Step::Http;
        }
        Err(error) => return Step::Broken(error.as_str()),
    };
    let server_name = hello.server_name.map(String::into_boxed_str);
    match names.find(server_name.as_deref()) {
        Some(route) => Step::Relay(route.clone(), server_name),
        None if terminates => Step::Http,
        None => Step::Unrouted(server_name),
    }
}
