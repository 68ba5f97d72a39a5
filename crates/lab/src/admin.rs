//! Questions to a gateway's admin server: one connection for each, HTTP/1.1, and nothing later than a
//! deadline.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes of an answer, head and body.
const REPLY_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// An admin server, until a deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin {
    address: SocketAddr,
    deadline: Instant,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// The question has not left.
    #[error("connect: {0}")]
    Unsent(#[source] io::Error),
    /// The question may have arrived.
    #[error("wait for the answer: {0}")]
    Lost(#[source] io::Error),
}

impl Reply {
    /// What the server gives as the reason, or the status.
    pub(crate) fn reason(&self) -> String {
        let document: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let reason = document.and_then(|document| Some(document["reason"].as_str()?.to_owned()));
        reason.unwrap_or_else(|| format!("the gateway answers {}", self.status))
    }
}

impl Admin {
    pub(crate) const fn new(address: SocketAddr, deadline: Instant) -> Self {
        Self { address, deadline }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, AdminError> {
        let body = body.unwrap_or_default();
        let (address, length) = (self.address, body.len());
        let mut question = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        question.extend_from_slice(body);
        let answer = self.converse(&question)?;
        let reply = parse(&answer).ok_or_else(|| io::Error::other("this is no answer"));
        reply.map_err(AdminError::Lost)
    }

    /// Whether nobody listens there.
    pub(crate) fn refuses(&self) -> bool {
        let connect = |left| TcpStream::connect_timeout(&self.address, left);
        let refused = self.left().and_then(connect).map_err(|error| error.kind());
        matches!(refused, Err(io::ErrorKind::ConnectionRefused))
    }

    /// Says this, and hears all until the server closes the connection.
    pub(crate) fn converse(&self, question: &[u8]) -> Result<Vec<u8>, AdminError> {
        let left = self.left().map_err(AdminError::Unsent)?;
        let mut socket =
            TcpStream::connect_timeout(&self.address, left).map_err(AdminError::Unsent)?;
        self.exchange(&mut socket, question).map_err(AdminError::Lost)
    }

    fn exchange(&self, socket: &mut TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(self.left()?))?;
        socket.write_all(question)?;
        let mut answer = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            socket.set_read_timeout(Some(self.left()?))?;
            let count = match socket.read(&mut buffer) {
                // With a timeout the kernel does not go on by itself after a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            answer.extend_from_slice(&buffer[..count]);
            if answer.len() as u64 > REPLY_BYTES_MAX {
                return Err(io::Error::other("the answer is longer than 8 MiB"));
            }
            if count == 0 {
                return Ok(answer);
            }
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A whole answer; `None`: it was broken off, or is none.
fn parse(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let body = answer.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())
    });
    let body = body.get(..length.flatten()?)?;
    Some(Reply { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_is_one() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
        assert_eq!(parse(whole), Some(Reply { status: 200, body: b"yes".to_vec() }));
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(parse(b"SMTP\r\ncontent-length: 0\r\n\r\n"), None);
    }

    #[test]
    fn nothing_is_later_than_the_deadline() {
        // A listener that nobody accepts from: the question arrives, and no answer comes.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("an address");
        let now = Instant::now();
        let admin = Admin::new(address, now + Duration::from_millis(50));
        assert!(matches!(admin.ask("GET", "/", None), Err(AdminError::Lost(_))));
        assert!(now.elapsed() >= Duration::from_millis(50));
        assert!(matches!(admin.ask("GET", "/", None), Err(AdminError::Unsent(_))));
        drop(listener);
        let admin = Admin::new(address, Instant::now() + Duration::from_secs(5));
        assert!(matches!(admin.ask("GET", "/", None), Err(AdminError::Unsent(_))));
    }
}
