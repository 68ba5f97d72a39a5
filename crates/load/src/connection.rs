//! One connection of the generator: channel, codec, and the bytes between them.

use std::io;

use bulkhead_codec::{Codec, Role, http1, http2};
use bulkhead_transport::{Channel, ReadOutcome};
use mio::{Interest, Registry, Token};

use crate::engine::{LoadOptions, Protocol};

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waiting for the peer.
    Connecting,
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
    pub(crate) codec: Codec,
    pub(crate) state: State,
    /// Bytes that the codec could not decode yet.
    pub(crate) input: Vec<u8>,
    pub(crate) out: Vec<u8>,
    sent: usize,
    /// It is in the worker's list of connections to flush.
    pub(crate) dirty: bool,
}

impl Client {
    /// Begins to connect.
    pub(crate) fn connect(
        options: &LoadOptions,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut channel = Channel::connect(options.address, options.tls.as_ref())?;
        registry.register(&mut channel, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut codec = match options.protocol {
            Protocol::Http1 => {
                let settings = http1::Settings::default();
                Codec::Http1(Box::new(http1::Connection::new(Role::Client, &settings)))
            }
            Protocol::Http2 => {
                let settings = http2::Settings {
                    stream_window_bytes: 1 << 20,
                    connection_window_bytes: 16 << 20,
                    ..http2::Settings::default()
                };
                Codec::Http2(Box::new(http2::Connection::new(Role::Client, &settings)))
            }
        };
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

    /// Whether the connection has come up; asked after an event.
    pub(crate) fn connect_result(&mut self) -> io::Result<bool> {
        self.channel.connect_result()
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
        if self.state == State::Connecting {
            return Ok(());
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
        self.channel.close_notify();
        // The descriptor is closed with the drop, which leaves the poll in any case.
        let _left = registry.deregister(&mut self.channel);
    }
}
