//! A WebSocket that sends each message back (RFC 6455): bytes in, bytes out.
//!
//! The protocol is tungstenite's whole, with its checks, so that the generator's client is held
//! against something else than itself. Knows no socket, and no extension or subprotocol.

use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;

use bulkhead_message::{Known, Method, RequestHead};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::stats::OriginStats;

/// Largest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// What is done with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// `/ws`: each is sent back.
    Echo,
    /// `/ws-wrong`: each is sent back with its first byte changed.
    Wrong,
    /// `/ws-silent`: none is sent back.
    Silent,
    /// `/ws-close/{n}`: so many are sent back, then comes a close frame.
    CloseAfter(u64),
    /// `/ws-cut/{n}`: so many are sent back, then the connection ends without a word.
    CutAfter(u64),
}

/// One connection after its upgrade.
#[derive(Debug)]
pub(crate) struct WebSocket {
    context: WebSocketContext,
    behaviour: Behaviour,
    messages: u64,
}

impl WebSocket {
    /// Agrees to an upgrade, in `out`; `None`: the request asks for none.
    pub(crate) fn accept(
        request: &RequestHead,
        behaviour: Behaviour,
        out: &mut Vec<u8>,
    ) -> Option<Self> {
        let upgrade = request.fields.get(Known::Upgrade)?;
        let version = request.fields.get_named(b"sec-websocket-version")?;
        let key = request.fields.get_named(b"sec-websocket-key")?;
        let asked = upgrade.eq_ignore_ascii_case(b"websocket") && version == b"13";
        if !asked || request.method() != Method::Get {
            return None;
        }
        out.extend_from_slice(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key)
            )
            .as_bytes(),
        );
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .read_buffer_size(4 * 1024);
        let context = WebSocketContext::new(Role::Server, Some(config));
        Some(Self { context, behaviour, messages: 0 })
    }

    /// Takes bytes and answers the messages in them; whether the connection is over.
    pub(crate) fn take(&mut self, input: &[u8], out: &mut Vec<u8>, stats: &OriginStats) -> bool {
        let mut pipe = Pipe { input, out };
        loop {
            let message = match self.context.read(&mut pipe) {
                Ok(message) => message,
                Err(Error::Io(cause)) if cause.kind() == io::ErrorKind::WouldBlock => {
                    return self.context.flush(&mut pipe).is_err();
                }
                Err(_) => {
                    // What is right is answered, also if what is wrong came along with it.
                    let _flushed = self.context.flush(&mut pipe);
                    return true;
                }
            };
            let message = match message {
                Message::Close(_) => {
                    stats.websocket_goodbyes.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Message::Text(_) | Message::Binary(_) => message,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            stats.websocket_messages.fetch_add(1, Ordering::Relaxed);
            self.messages += 1;
            if self.answer(message, &mut pipe) {
                return true;
            }
        }
    }

    fn answer(&mut self, message: Message, pipe: &mut Pipe<'_>) -> bool {
        let message = match self.behaviour {
            Behaviour::Wrong => {
                let mut bytes = message.into_data().to_vec();
                bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                Message::binary(bytes)
            }
            Behaviour::Silent => return false,
            Behaviour::CutAfter(most) if self.messages > most => {
                // What was sent back before is already in the pipe.
                let _flushed = self.context.flush(pipe);
                return true;
            }
            Behaviour::CloseAfter(most) if self.messages > most => {
                // The client's close frame is waited for; what it sends before is dropped.
                return self.context.close(pipe, None).is_err();
            }
            Behaviour::Echo | Behaviour::CutAfter(_) | Behaviour::CloseAfter(_) => message,
        };
        match self.context.write(pipe, message) {
            Ok(()) => false,
            // After a close frame of ours messages may still come.
            Err(Error::Protocol(_)) => false,
            Err(_) => true,
        }
    }
}

/// Both directions in memory.
struct Pipe<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
