//! The upstream of the side-by-side benchmark: one thread that answers every request with the same
//! bytes, so cheaply that it is never what is measured.
//!
//! Speaks just enough HTTP/1.1 (no bodies) and HTTP/2 (no HPACK: the answer does not depend on the
//! request) for the scenarios of `cargo xtask bench peers`. It is not a server for any other use.

#![allow(clippy::print_stdout, reason = "the address it listens on is its output")]

mod canned;
mod http2;

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::canned::Canned;
use crate::http2::Http2;

const LISTENER: Token = Token(0);
const READ_BYTES: usize = 128 * 1024;

enum Protocol {
    /// Nothing was read yet.
    Unknown,
    Http1,
    Http2(Http2),
}

struct Connection {
    stream: TcpStream,
    protocol: Protocol,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self { stream, protocol: Protocol::Unknown, input: Vec::new(), output: Vec::new() }
    }

    /// Reads all there is, answers it, writes once. False: the connection is over.
    fn turn(&mut self, canned: &Canned, scratch: &mut [u8]) -> bool {
        let mut open = true;
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(count) => {
                    self.input.extend_from_slice(&scratch[..count]);
                    // A short read has drained the socket; the next byte raises a new edge.
                    if count < scratch.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        self.answer(canned) && self.flush() && open
    }

    fn answer(&mut self, canned: &Canned) -> bool {
        if matches!(self.protocol, Protocol::Unknown) && !self.input.is_empty() {
            if self.input.starts_with(b"PRI") {
                if self.input.len() < http2::PREFACE.len() {
                    return true;
                }
                self.input.drain(..http2::PREFACE.len());
                self.protocol = Protocol::Http2(Http2::start(&mut self.output));
            } else {
                self.protocol = Protocol::Http1;
            }
        }
        match &mut self.protocol {
            Protocol::Unknown => true,
            Protocol::Http1 => {
                let mut used = 0;
                while let Some(end) = memmem::find(&self.input[used..], b"\r\n\r\n") {
                    used += end + 4;
                    self.output.extend_from_slice(&canned.http1);
                }
                self.input.drain(..used);
                true
            }
            Protocol::Http2(http2) => {
                let used = http2.answer(&self.input, canned, &mut self.output);
                self.input.drain(..used.unwrap_or(0));
                used.is_some()
            }
        }
    }

    fn flush(&mut self) -> bool {
        let mut written = 0;
        while written < self.output.len() {
            match self.stream.write(&self.output[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        self.output.drain(..written);
        true
    }
}

fn accept_all(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut HashMap<Token, Connection>,
    next_token: &mut usize,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let token = Token(*next_token);
                *next_token += 1;
                poll.registry().register(
                    &mut stream,
                    token,
                    Interest::READABLE | Interest::WRITABLE,
                )?;
                connections.insert(token, Connection::new(stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: bench-backend ADDR http|grpc";
    let address: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let canned = match arguments.next().as_deref() {
        Some("http") => Canned::http(),
        Some("grpc") => Canned::grpc(),
        _ => return Err(usage.into()),
    };
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

    let mut connections = HashMap::new();
    let mut next_token = 1;
    let mut scratch = vec![0; READ_BYTES];
    let mut events = Events::with_capacity(1024);
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error.into());
        }
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                accept_all(&listener, &poll, &mut connections, &mut next_token)?;
            } else if let Some(connection) = connections.get_mut(&token)
                && !connection.turn(&canned, &mut scratch)
            {
                connections.remove(&token);
            }
        }
    }
}
