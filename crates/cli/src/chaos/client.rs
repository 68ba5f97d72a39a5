//! Questions to a lab that runs: HTTP/1.1, one connection for each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bulkhead_lab::Endpoint;
use serde_json::Value;

/// Longer than the lab takes for anything it waits for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// Until a connection is there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A lab, to be asked.
#[derive(Debug)]
pub(crate) struct Client {
    endpoint: Endpoint,
    token: Option<String>,
    /// The lab was named, so that nothing is known here of its directory.
    is_remote: bool,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) document: Value,
}

impl Answer {
    /// Why it did not do what was asked.
    pub(crate) fn error(&self) -> &str {
        self.document["error"].as_str().unwrap_or("it did not say why")
    }

    /// The document, if all went well.
    pub(super) fn document(self) -> anyhow::Result<Value> {
        if self.status < 300 {
            return Ok(self.document);
        }
        bail!("the lab answered {}: {}", self.status, self.error())
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Client {
    pub(crate) const fn new(endpoint: Endpoint, token: Option<String>, is_remote: bool) -> Self {
        Self { endpoint, token, is_remote }
    }

    /// Nothing if no lab runs on the directory, which can be looked at then; one that was named must answer.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<Option<Answer>> {
        let mut stream = match self.connect() {
            Ok(stream) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return if self.is_remote { Err(self.nobody_listens()) } else { Ok(None) };
            }
            Err(error) => return Err(error).context("connect to the lab"),
        };
        let token = match &self.token {
            Some(token) => format!("authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n{token}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).context("ask the lab")?;
        let mut text = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text).context("hear the lab")?;
        read(&text).map(Some)
    }

    /// As [`Client::ask`], where nothing can be done without a lab.
    pub(super) fn must_ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.ask(method, path, body)?.ok_or_else(|| self.nobody_listens())
    }

    fn nobody_listens(&self) -> anyhow::Error {
        let place = match &self.endpoint {
            Endpoint::Unix(path) => path.display().to_string(),
            Endpoint::Tcp(address) => address.to_string(),
        };
        anyhow!("no lab listens on {place}; start one with `bulkhead chaos serve`")
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                Box::new(stream)
            }
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, CONNECT_TIMEOUT)?;
                stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                Box::new(stream)
            }
        })
    }
}

/// The lab says the length of every document and closes after it.
fn read(text: &str) -> anyhow::Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").context("the answer ended in its head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.context("the answer is not HTTP")?,
        document: serde_json::from_str(body).context("the answer is not JSON")?,
    })
}
