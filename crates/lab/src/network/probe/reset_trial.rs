//! A connection of TCP over a link, to see whether it is reset.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use socket2::{Domain, Socket, Type};

use super::PROBE_TOS;
use crate::network::Link;

/// Bytes of data of a packet: fewer than fit into one.
pub(crate) const CHUNK_BYTES_MAX: usize = 1_000;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetTrial {
    /// It was reset after so many packets with data had passed.
    ResetAfter(u32),
    /// All of them passed.
    Open,
}

/// Sends packets with so many bytes of data upstream (0) or downstream (1) on a new connection, each when
/// the one before has arrived.
///
/// # Errors
/// There was no connection by the deadline, or it ended in another way.
pub(crate) fn reset_trial(
    link: &Link,
    lane: usize,
    chunks: impl IntoIterator<Item = usize>,
    deadline: Instant,
) -> io::Result<ResetTrial> {
    let (client, server) = connect(link, deadline)?;
    let (mut from, mut to) = if lane == 0 { (client, server) } else { (server, client) };
    let mut data = [0; CHUNK_BYTES_MAX];
    for (passed, bytes) in (0..).zip(chunks) {
        to.set_read_timeout(Some(left(deadline)?))?;
        let data = &mut data[..bytes.min(CHUNK_BYTES_MAX)];
        let sent = from.write_all(data);
        match sent.and_then(|()| to.read_exact(data)) {
            Ok(()) => {}
            Err(error) if is_reset(&error) => return Ok(ResetTrial::ResetAfter(passed)),
            Err(error) => return Err(error),
        }
    }
    Ok(ResetTrial::Open)
}

/// The ends of a new connection from the client's to the server's end.
fn connect(link: &Link, deadline: Instant) -> io::Result<(TcpStream, TcpStream)> {
    let (client, server) = (link.client(), link.server());
    let listener = server.namespace.enter(|| TcpListener::bind((server.v4, 0)));
    let listener = listener.map_err(io::Error::other)??;
    // What it accepts has it too.
    sockopt::set_ip_tos(&listener, PROBE_TOS)?;
    let address: SocketAddr = listener.local_addr()?;
    let socket = client.namespace.enter(|| Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None));
    let socket = socket.map_err(io::Error::other)??;
    sockopt::set_ip_tos(&socket, PROBE_TOS)?;
    socket.connect_timeout(&address.into(), left(deadline)?)?;
    let connected = TcpStream::from(socket);
    // The handshake is over for the client; its last packet may be lost on the way, and then the
    // first data brings it.
    connected.set_nodelay(true)?;
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((accepted, _)) => {
                accepted.set_nonblocking(false)?;
                accepted.set_nodelay(true)?;
                return Ok((connected, accepted));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                left(deadline)?;
                std::thread::sleep(super::PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
