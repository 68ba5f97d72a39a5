//! One connected byte stream, cleartext or TLS, behind the same calls.
//!
//! The caller owns the readiness loop and calls again when an event says so. A channel holds no
//! buffer in cleartext, and with TLS only what the peer has sent half of or not yet taken. It never
//! blocks, never retries beyond an interrupted call, and knows nothing of what the bytes mean.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_message::Address;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token, event};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::listener::stream_of;
use crate::tls::PeerIdentity;
use crate::{sys, unix};

mod opening;
mod tls_stream;

use tls_stream::TlsStream;

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes of plaintext; never 0 for a buffer that is not empty.
    Bytes(usize),
    /// Nothing now: wait for the next readable event.
    WouldBlock,
    /// The peer has ended its side in order. (With TLS: after `close_notify`.)
    Closed,
}

/// TLS towards an endpoint.
#[derive(Clone, Debug)]
pub struct TlsTarget {
    /// From [`crate::ClientTls`].
    pub config: Arc<ClientConfig>,
    /// For SNI and verification.
    pub server_name: ServerName<'static>,
}

/// How to connect, beyond where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Send the first bytes within the SYN, where the peer gave a cookie before (RFC 7413). The data
    /// may reach the peer twice: only for what may be replayed.
    pub fast_open: bool,
    /// Local address to connect from.
    pub local: Option<SocketAddr>,
}

/// Facts of a TLS channel; those not yet negotiated are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsInfo<'a> {
    /// `1.2` or `1.3`.
    pub version: Option<&'static str>,
    /// Cipher suite, as the IANA writes it.
    pub cipher: Option<&'static str>,
    /// The name that the client asked for; on the client's own side always `None`.
    pub server_name: Option<&'a str>,
    /// Whether an earlier session was resumed.
    pub resumed: Option<bool>,
}

#[derive(Debug)]
enum Layer {
    Plain,
    // Boxed: a cleartext channel should not pay for the size of a TLS session.
    Tls(Box<TlsStream>),
}

/// A connected, or connecting, byte stream.
#[derive(Debug)]
pub struct Channel {
    socket: TcpStream,
    layer: Layer,
    connected: bool,
    fast_open: bool,
    /// `close_notify` is called, the shutdown of our side waits until all is flushed.
    shutdown_due: bool,
    last_read_was_short: bool,
}

impl Channel {
    const fn new(socket: TcpStream, layer: Layer, connected: bool) -> Self {
        Self {
            socket,
            layer,
            connected,
            fast_open: false,
            shutdown_due: false,
            last_read_was_short: false,
        }
    }

    /// An accepted connection in cleartext.
    pub const fn plain(socket: TcpStream) -> Self {
        Self::new(socket, Layer::Plain, true)
    }

    /// An accepted connection that begins with a TLS handshake.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn tls_server(socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tls = TlsStream::server(config)?;
        Ok(Self::new(socket, Layer::Tls(Box::new(tls)), true))
    }

    /// Begins to connect; [`Channel::connect_result`] tells how it went after a writable event.
    ///
    /// # Errors
    /// When the kernel refuses at once: no route, no descriptor or no port left.
    pub fn connect(address: impl Into<Address>, tls: Option<&TlsTarget>) -> io::Result<Self> {
        Self::connect_with(address, tls, &ConnectOptions::default())
    }

    /// [`Channel::connect`] with options.
    ///
    /// # Errors
    /// As [`Channel::connect`].
    pub fn connect_with(
        address: impl Into<Address>,
        tls: Option<&TlsTarget>,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        let (socket, fast_open) = match address.into() {
            Address::Inet(address) => connect_inet(address, options)?,
            Address::Unix(name) => {
                let kind = Type::STREAM.nonblocking().cloexec();
                let socket = Socket::new(Domain::UNIX, kind, None)?;
                // It is done at once, or refused: `WouldBlock` is a full queue.
                socket.connect(&unix::socket_address(&name)?)?;
                (socket, false)
            }
        };
        let layer = match tls {
            Some(target) => Layer::Tls(Box::new(TlsStream::client(target)?)),
            None => Layer::Plain,
        };
        let mut channel = Self::new(stream_of(OwnedFd::from(socket)), layer, false);
        channel.fast_open = fast_open;
        Ok(channel)
    }

    /// Whether the TCP connection is known to be up.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Asks, after a writable event, whether the TCP connection is up; `false`: not yet, go on
    /// waiting. With fast open it answers `true` before the peer has been heard: the first write
    /// connects, and a refusal shows in a later read or write. A TLS handshake may still be to do.
    ///
    /// # Errors
    /// The reason why the connection failed.
    pub fn connect_result(&mut self) -> io::Result<bool> {
        if self.connected {
            return Ok(true);
        }
        if let Some(cause) = self.socket.take_error()? {
            return Err(cause);
        }
        self.connected = self.fast_open
            || match SockRef::from(&self.socket).peer_addr() {
                Ok(_) => true,
                Err(cause) if cause.kind() == io::ErrorKind::NotConnected => false,
                Err(cause) => return Err(cause),
            };
        Ok(self.connected)
    }

    /// Reads plaintext into `buffer`, driving the TLS handshake on the way; what the handshake has to
    /// send is sent, or left for [`Channel::flush`] if [`Channel::wants_write`]. After a read,
    /// try waiting writes again: it may have ended the handshake that they waited for.
    ///
    /// # Errors
    /// The connection is unusable. `UnexpectedEof` with TLS: the peer ended without `close_notify`,
    /// so what came before may be cut off. `InvalidData`: a TLS failure; the alert has been sent.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        let outcome = match &mut self.layer {
            Layer::Plain => read_socket(&self.socket, buffer)?,
            Layer::Tls(tls) => tls.read(&self.socket, buffer)?,
        };
        self.last_read_was_short = match (&self.layer, outcome) {
            (Layer::Plain, ReadOutcome::Bytes(count)) => count < buffer.len(),
            (Layer::Tls(tls), ReadOutcome::Bytes(_)) => tls.is_drained(),
            (_, ReadOutcome::WouldBlock | ReadOutcome::Closed) => true,
        };
        Ok(outcome)
    }

    /// Whether another read may give something before the next event. `false` after a read that
    /// emptied the socket; an end of the stream right behind it is told by the event itself
    /// ([`mio::event::Event::is_read_closed`]), so a caller that skips the extra read must look there.
    pub const fn may_read_more(&self) -> bool {
        !self.last_read_was_short
    }

    /// Takes plaintext to send and says how much it took; 0 for bytes that are not empty: would
    /// block, try again after the next event of either kind. Cleartext makes one system call. TLS
    /// takes at most 64 KiB beyond what the socket takes at once, also before the handshake is done.
    ///
    /// # Errors
    /// The connection is unusable.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layer {
            Layer::Plain => write_socket(&self.socket, |mut socket| socket.write(bytes)),
            Layer::Tls(tls) => tls.write(&self.socket, bytes),
        }
    }

    /// As [`Channel::write`], from several slices in order.
    ///
    /// # Errors
    /// As [`Channel::write`].
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let tls = match &mut self.layer {
            Layer::Plain => {
                return write_socket(&self.socket, |mut socket| socket.write_vectored(slices));
            }
            Layer::Tls(tls) => tls,
        };
        let mut taken = 0;
        for slice in slices {
            let count = tls.write(&self.socket, slice)?;
            taken += count;
            if count < slice.len() {
                break;
            }
        }
        Ok(taken)
    }

    /// Whether something already taken waits for the socket: ask for writable events, then
    /// [`Channel::flush`]. Always `false` in cleartext.
    pub fn wants_write(&self) -> bool {
        match &self.layer {
            Layer::Plain => false,
            Layer::Tls(tls) => tls.wants_write(),
        }
    }

    /// Sends what waits; `true`: all is out.
    ///
    /// # Errors
    /// The connection is unusable.
    pub fn flush(&mut self) -> io::Result<bool> {
        let all_out = match &mut self.layer {
            Layer::Plain => true,
            Layer::Tls(tls) => tls.flush(&self.socket)?,
        };
        if all_out && self.shutdown_due {
            self.shutdown_due = false;
            shutdown_write(&self.socket);
        }
        Ok(all_out)
    }

    /// Ends our side in order: all that was taken, with TLS then `close_notify`, then FIN. What the
    /// socket does not take now goes with later calls of [`Channel::flush`]. Failures are not told:
    /// the next read shows them.
    pub fn close_notify(&mut self) {
        if let Layer::Tls(tls) = &mut self.layer {
            tls.send_close_notify();
        }
        self.shutdown_due = true;
        let _shown_by_the_next_read = self.flush();
    }

    /// Ends the connection at once, in both directions, with a TCP reset and without waiting for
    /// what was written: for peers that abuse it.
    pub fn abort(self) {
        self.reset_on_close();
    }

    /// Makes the end of the connection a TCP reset, as [`Channel::abort`] does at once.
    pub fn reset_on_close(&self) {
        // Without the option the drop ends the connection in the ordinary way.
        let _best_effort = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Whether a TLS handshake is going on.
    pub fn is_handshaking(&self) -> bool {
        matches!(&self.layer, Layer::Tls(tls) if tls.is_handshaking())
    }

    /// Whether it is a TLS channel.
    pub const fn is_tls(&self) -> bool {
        matches!(self.layer, Layer::Tls(_))
    }

    /// The negotiated protocol (RFC 7301); `None` in cleartext, before the handshake, or without one.
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.layer {
            Layer::Plain => None,
            Layer::Tls(tls) => tls.alpn(),
        }
    }

    /// Facts of the TLS session; `None` in cleartext.
    pub fn tls_info(&self) -> Option<TlsInfo<'_>> {
        match &self.layer {
            Layer::Plain => None,
            Layer::Tls(tls) => Some(tls.info()),
        }
    }

    /// Who the peer is, if it has shown a certificate. The session has verified it; read anew with
    /// each call.
    pub fn peer_identity(&self) -> Option<PeerIdentity> {
        match &self.layer {
            Layer::Plain => None,
            Layer::Tls(tls) => tls.peer_certificate().map(PeerIdentity::of),
        }
    }

    /// Why the TLS session failed, in fixed words; `None` if it has not.
    pub fn tls_failure(&self) -> Option<&'static str> {
        match &self.layer {
            Layer::Plain => None,
            Layer::Tls(tls) => tls.failure(),
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `NotConnected` when it is not connected, or no longer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Our address.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl event::Source for Channel {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.reregister(to, token, interest)
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        self.socket.deregister(from)
    }
}

/// Begins to connect over TCP; the flag says whether the first write is to do it (fast open).
fn connect_inet(address: SocketAddr, options: &ConnectOptions) -> io::Result<(Socket, bool)> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = options.local {
        if local.port() == 0 {
            // A kernel that does not know it chooses the port here, which only makes ports scarcer.
            let _scarcer = sys::set_late_port(&socket);
        }
        socket.bind(&local.into())?;
    }
    // A kernel that does not know it connects in the ordinary way.
    let fast_open = options.fast_open && sys::set_fast_open_connect(&socket).is_ok();
    match socket.connect(&address.into()) {
        Err(cause) if !is_in_progress(&cause) => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    Ok((socket, fast_open))
}

fn is_in_progress(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::WouldBlock || cause.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Nothing now. A fast-open socket that has not sent its SYN says that it is not connected.
fn is_not_yet(cause: &io::Error) -> bool {
    is_in_progress(cause) || cause.raw_os_error() == Some(libc::ENOTCONN)
}

fn read_socket(mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
    loop {
        return match socket.read(buffer) {
            Ok(0) if !buffer.is_empty() => Ok(ReadOutcome::Closed),
            Ok(count) => Ok(ReadOutcome::Bytes(count)),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) if is_not_yet(&cause) => Ok(ReadOutcome::WouldBlock),
            Err(cause) => Err(cause),
        };
    }
}

/// Runs one write call; 0: would block. Also the first write of a fast-open socket without a cookie,
/// which only connects.
fn write_socket(
    socket: &TcpStream,
    mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        return match call(socket) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) if is_in_progress(&cause) => Ok(0),
            other => other,
        };
    }
}

fn shutdown_write(socket: &TcpStream) {
    // A peer that is already gone needs no FIN.
    let _gone = socket.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests;
