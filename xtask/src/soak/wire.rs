//! HTTP/1.1 by hand, one request at a time: a client that knows at which byte an answer broke off.
//! Blocks; whoever waits longer than [`PATIENCE`] has found something wrong.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for any byte. The machine may be busy; no right answer takes so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// Longest head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// Read and not yet used.
    input: Vec<u8>,
}

/// An answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// As far as it came.
    pub(super) body: Vec<u8>,
    /// Why it is not whole.
    pub(super) broken: Option<String>,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Connection {
    pub(super) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::new() })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads an answer. `Err`: it ended before its head had come.
    pub(super) fn answer(&mut self, mut pause: impl FnMut()) -> io::Result<Answer> {
        let head = self.head()?;
        let (status, framing) = parse(&head).ok_or_else(|| io::Error::other("not a head"))?;
        let mut answer = Answer { status, ..Answer::default() };
        let read = match framing {
            Framing::Length(length) => self.body(length, &mut answer.body, &mut pause),
            Framing::Chunked => self.chunks(&mut answer.body, &mut pause),
            Framing::UntilClose => self.rest(&mut answer.body),
        };
        answer.broken = read.err().map(|error| error.to_string());
        Ok(answer)
    }

    fn head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = position(&self.input, b"\r\n\r\n") {
                return Ok(self.input.drain(..end + 4).collect());
            }
            if self.input.len() > HEAD_BYTES_MAX {
                return Err(io::Error::other("the head has no end"));
            }
            self.more()?;
        }
    }

    fn body(
        &mut self,
        length: usize,
        body: &mut Vec<u8>,
        pause: &mut dyn FnMut(),
    ) -> io::Result<()> {
        let mut missing = length;
        while missing > 0 {
            if self.input.is_empty() {
                pause();
                self.more()?;
            }
            let count = missing.min(self.input.len());
            body.extend(self.input.drain(..count));
            missing -= count;
        }
        Ok(())
    }

    /// RFC 9112 §7.1; trailers are skipped.
    fn chunks(&mut self, body: &mut Vec<u8>, pause: &mut dyn FnMut()) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(());
            }
            self.body(size, body, pause)?;
            self.line()?;
        }
    }

    fn rest(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        body.append(&mut self.input);
        self.stream.read_to_end(body).map(|_| ())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = position(&self.input, b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}

/// A request whose connection ends with it.
pub(super) fn once(port: u16, method: &str, host: &str, target: &str) -> io::Result<Answer> {
    let mut connection = Connection::open(port)?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    connection.send(head.as_bytes())?;
    connection.answer(|| ())
}

fn position(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn parse(head: &[u8]) -> Option<(u16, Framing)> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = text.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let framing = if field("transfer-encoding: ").is_some_and(|value| value.contains("chunked")) {
        Framing::Chunked
    } else if let Some(length) = field("content-length: ") {
        Framing::Length(length.trim().parse().ok()?)
    } else {
        Framing::UntilClose
    };
    Some((status, framing))
}

#[cfg(test)]
mod tests;
