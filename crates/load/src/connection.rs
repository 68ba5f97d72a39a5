//! One connection of the generator: channel, codec, and the bytes between them.

use std::io;
use std::net::SocketAddr;

use bulkhead_transport::{Channel, ConnectOptions, ReadOutcome};
use mio::{Interest, Registry, Token};

use crate::options::TargetOptions;
use crate::wire::Wire;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waiting for TCP.
    Connecting,
    /// Waiting for TLS.
    Handshaking,
    /// Waiting for the peer to agree to another protocol than HTTP.
    Upgrading,
    /// Takes requests.
    Up,
    /// Takes no new requests; answers still come.
    Draining,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// So many bytes in the buffer; `more`: another read may give more.
    Bytes { count: usize, more: bool },
    /// Nothing now.
    Nothing,
    /// The peer has ended its side.
    End,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    channel: Channel,
    pub(crate) codec: Wire,
    pub(crate) state: State,
    /// Bytes that the codec could not decode yet.
    pub(crate) input: Vec<u8>,
    pub(crate) out: Vec<u8>,
    sent: usize,
    /// It is in the worker's list of connections to flush.
    pub(crate) dirty: bool,
}

impl Client {
    /// Begins to connect. `number` chooses the source address.
    pub(crate) fn connect(
        options: &TargetOptions,
        number: usize,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let sources = &options.sources;
        let source = sources.get(number % sources.len().max(1));
        let local = source.map(|&source| SocketAddr::new(source, 0));
        let connect = ConnectOptions { local, ..ConnectOptions::default() };
        let mut channel = Channel::connect_with(options.address, options.tls.as_ref(), &connect)?;
        registry.register(&mut channel, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut codec = Wire::new(options);
        let mut out = Vec::new();
        codec.start(&mut out);
        Ok(Self {
            channel,
            codec,
            state: State::Connecting,
            input: Vec::new(),
            out,
            sent: 0,
            dirty: false,
        })
    }

    /// Whether TCP has come up; asked after an event. Then TLS begins, if there is to be TLS.
    pub(crate) fn connect_result(&mut self) -> io::Result<bool> {
        let is_up = self.channel.connect_result()?;
        if is_up && self.channel.is_tls() {
            self.channel.flush()?;
        }
        Ok(is_up)
    }

    /// Whether there is TLS and its handshake is not over.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.channel.is_handshaking()
    }

    /// After a TLS handshake: whether a session was resumed. `None` in cleartext.
    ///
    /// # Errors
    /// When the peer did not agree to HTTP/2, or did where it must not.
    pub(crate) fn check_tls(&self) -> io::Result<Option<bool>> {
        let Some(info) = self.channel.tls_info() else { return Ok(None) };
        if self.codec.is_http2() && self.channel.alpn() != Some(b"h2") {
            return Err(io::Error::other("the server does not offer HTTP/2 (no `h2` in its ALPN)"));
        }
        if self.codec.must_upgrade() && self.channel.alpn() == Some(b"h2") {
            return Err(io::Error::other("the server chose HTTP/2, and WebSocket needs HTTP/1.1"));
        }
        Ok(Some(info.resumed.unwrap_or(false)))
    }

    /// How many requests it takes now.
    pub(crate) fn room(&self, streams_max: usize) -> usize {
        if self.state != State::Up {
            return 0;
        }
        let left = streams_max.saturating_sub(self.codec.active_streams());
        left.min(self.codec.available_streams())
    }

    /// Reads once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        Ok(match self.channel.read(buffer)? {
            ReadOutcome::Bytes(count) => Input::Bytes { count, more: self.channel.may_read_more() },
            ReadOutcome::WouldBlock => Input::Nothing,
            ReadOutcome::Closed => Input::End,
        })
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self.state {
            State::Connecting => return Ok(()),
            State::Handshaking => return self.channel.flush().map(|_| ()),
            State::Upgrading | State::Up | State::Draining => {}
        }
        while self.sent < self.out.len() {
            match self.channel.write(&self.out[self.sent..])? {
                0 => return Ok(()),
                count => self.sent += count,
            }
        }
        self.out.clear();
        self.sent = 0;
        if self.channel.wants_write() {
            self.channel.flush()?;
        }
        Ok(())
    }

    /// Says goodbye and leaves the poll.
    pub(crate) fn close(mut self, registry: &Registry) {
        self.codec.say_goodbye(&mut self.out);
        if matches!(self.state, State::Up | State::Draining) {
            // Who does not take it now will see the end of the connection.
            let _unsent = self.flush();
        }
        self.channel.close_notify();
        // The descriptor is closed with the drop, which leaves the poll in any case.
        let _left = registry.deregister(&mut self.channel);
    }
}
