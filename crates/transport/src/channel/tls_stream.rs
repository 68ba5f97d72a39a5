//! The TLS layer of a channel: ciphertext on the socket ⇄ plaintext of the caller.
//!
//! The library moves at most 4 KiB of ciphertext per call; here a read of the socket is larger,
//! so that a big transfer costs few system calls. What a full caller's buffer leaves over is kept.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConnection, Connection, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection,
};

use crate::tls::reason;

use super::{ReadOutcome, TlsInfo, TlsTarget, read_socket, write_socket};

/// Plaintext or ciphertext that waits for the socket, at most.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// One read of ciphertext from the socket: a little more than one full record.
const READ_BYTES: usize = 32 * 1024;

thread_local! {
    // Shared by all channels of a worker and empty between calls: an idle channel holds no buffer.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

#[derive(Debug)]
pub(super) struct TlsStream {
    session: Connection,
    /// Ciphertext read from the socket that the session could not take; under [`READ_BYTES`].
    waiting: Vec<u8>,
    /// The last read of the socket did not fill the scratch buffer.
    socket_drained: bool,
    /// The session is dead; told again by each read.
    failure: Option<rustls::Error>,
}

impl TlsStream {
    pub(super) fn server(config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(failed)?;
        Ok(Self::new(Connection::Server(session)))
    }

    pub(super) fn client(target: &TlsTarget) -> io::Result<Self> {
        let (config, name) = (Arc::clone(&target.config), target.server_name.clone());
        let session = ClientConnection::new(config, name).map_err(failed)?;
        Ok(Self::new(Connection::Client(session)))
    }

    fn new(mut session: Connection) -> Self {
        session.set_buffer_limit(Some(SEND_BYTES_MAX));
        Self { session, waiting: Vec::new(), socket_drained: false, failure: None }
    }

    /// Nothing is left over here to be told, and the socket was emptied.
    pub(super) const fn is_drained(&self) -> bool {
        self.socket_drained && self.waiting.is_empty() && self.failure.is_none()
    }

    pub(super) fn read(
        &mut self,
        socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<ReadOutcome> {
        self.socket_drained = false;
        let mut filled = 0;
        loop {
            if self.take_plaintext(buffer, &mut filled)? {
                return Ok(if filled > 0 {
                    ReadOutcome::Bytes(filled)
                } else {
                    ReadOutcome::Closed
                });
            }
            if filled == buffer.len() || (filled > 0 && self.is_drained()) {
                return Ok(ReadOutcome::Bytes(filled));
            }
            let outcome = self.take_ciphertext(socket, buffer, &mut filled);
            if filled > 0 {
                // What came before an end or a failure counts first; the next call meets it again.
                return Ok(ReadOutcome::Bytes(filled));
            }
            match outcome? {
                ReadOutcome::Bytes(_) => {}
                ReadOutcome::WouldBlock => return Ok(ReadOutcome::WouldBlock),
                ReadOutcome::Closed => return Ok(ReadOutcome::Closed),
            }
        }
    }

    /// Moves decrypted bytes to the caller; `true`: the peer has said `close_notify`.
    fn take_plaintext(&mut self, buffer: &mut [u8], filled: &mut usize) -> io::Result<bool> {
        while let Some(free) = buffer.get_mut(*filled..).filter(|free| !free.is_empty()) {
            match self.session.reader().read(free) {
                Ok(0) => return Ok(true),
                Ok(count) => *filled += count,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) if *filled > 0 => return Ok(false),
                Err(cause) => return Err(cause),
            }
        }
        Ok(false)
    }

    /// Feeds what waits, or one read of the socket, to the session; decrypted bytes go to the
    /// caller as far as there is room.
    fn take_ciphertext(
        &mut self,
        socket: &TcpStream,
        buffer: &mut [u8],
        filled: &mut usize,
    ) -> io::Result<ReadOutcome> {
        if let Some(cause) = &self.failure {
            return Err(failed(cause.clone()));
        }
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.feed(socket, &waiting, buffer, filled)?;
            return Ok(ReadOutcome::Bytes(waiting.len()));
        }
        SCRATCH.with_borrow_mut(|scratch| match read_socket(socket, scratch)? {
            ReadOutcome::Bytes(count) => {
                self.socket_drained = count < scratch.len();
                let ciphertext = scratch.get(..count).unwrap_or(&[]);
                self.feed(socket, ciphertext, buffer, filled)?;
                Ok(ReadOutcome::Bytes(count))
            }
            ReadOutcome::WouldBlock => {
                self.socket_drained = true;
                Ok(ReadOutcome::WouldBlock)
            }
            ReadOutcome::Closed => {
                // The session knows whether a `close_notify` came before, and says so on reading.
                self.session.read_tls(&mut io::empty())?;
                self.process(socket)?;
                Ok(ReadOutcome::Bytes(0))
            }
        })
    }

    fn feed(
        &mut self,
        socket: &TcpStream,
        mut ciphertext: &[u8],
        buffer: &mut [u8],
        filled: &mut usize,
    ) -> io::Result<()> {
        // With room left in `buffer` the session holds no plaintext, so that it takes more.
        while !ciphertext.is_empty() && *filled < buffer.len() {
            self.session.read_tls(&mut ciphertext)?;
            self.process(socket)?;
            if self.take_plaintext(buffer, filled)? {
                // Nothing may follow `close_notify` (RFC 8446 §6.1).
                return Ok(());
            }
        }
        self.waiting.extend_from_slice(ciphertext);
        Ok(())
    }

    /// Lets the session work on what it was fed, and sends what that makes it say: handshake, tickets,
    /// key updates, or the alert that tells why it failed.
    fn process(&mut self, socket: &TcpStream) -> io::Result<()> {
        let processed = self.session.process_new_packets();
        // A peer that has already gone may have sent a whole request before: a socket that takes
        // nothing is for the next write to find out.
        let _shown_by_the_next_write = self.flush(socket);
        match processed {
            Ok(_) => Ok(()),
            Err(cause) => {
                self.failure = Some(cause.clone());
                Err(failed(cause))
            }
        }
    }

    pub(super) fn write(&mut self, socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        loop {
            let count = self.session.writer().write(rest)?;
            rest = rest.get(count..).unwrap_or(&[]);
            let all_out = self.flush(socket)?;
            if rest.is_empty() || !all_out || count == 0 {
                return Ok(bytes.len() - rest.len());
            }
        }
    }

    pub(super) fn flush(&mut self, socket: &TcpStream) -> io::Result<bool> {
        let mut out = Nonblocking(socket);
        while self.session.wants_write() {
            match self.session.write_tls(&mut out) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(cause) => return Err(cause),
            }
        }
        Ok(true)
    }

    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    pub(super) fn send_close_notify(&mut self) {
        self.session.send_close_notify();
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    pub(super) fn alpn(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    pub(super) fn info(&self) -> TlsInfo<'_> {
        let version = self.session.protocol_version().and_then(|version| match version {
            ProtocolVersion::TLSv1_2 => Some("1.2"),
            ProtocolVersion::TLSv1_3 => Some("1.3"),
            _ => None,
        });
        let server_name = match &self.session {
            Connection::Server(session) => session.server_name(),
            Connection::Client(_) => None,
        };
        let resumed = self.session.handshake_kind().map(|kind| kind == HandshakeKind::Resumed);
        let cipher = self.session.negotiated_cipher_suite().and_then(|it| it.suite().as_str());
        TlsInfo { version, cipher, server_name, resumed }
    }

    /// The certificate that the peer has shown.
    pub(super) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.session.peer_certificates()?.first()
    }

    /// Why the session is dead.
    pub(super) fn failure(&self) -> Option<&'static str> {
        self.failure.as_ref().map(reason)
    }
}

/// The socket as the session writes to it.
struct Nonblocking<'a>(&'a TcpStream);

impl Write for Nonblocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_socket(self.0, |mut socket| socket.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        write_socket(self.0, |mut socket| socket.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(cause: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}
