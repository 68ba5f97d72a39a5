//! An upstream of HTTP/1.1 that answers with what the embedded origin does not have: ranges, gzip,
//! trailers, early hints. Requests have no body.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Context as _, Result};

/// Listens as long as this process lives.
pub(super) struct Upstream {
    pub(super) port: u16,
}

/// `gzipped, gzipped, gzipped` and a line end.
const GZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K\xaf\xca,(HM\xd1QHGcp\x01\x00\xc9\
    \x1c\x89\xba\x1a\x00\x00\x00";
const PLAIN: &str = "0123456789abcdef\n";

impl Upstream {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("bind the upstream")?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                // A connection that breaks off is the end of it.
                thread::spawn(move || serve(&socket));
            }
        });
        Ok(Self { port })
    }
}

fn serve(socket: &TcpStream) -> Result<()> {
    let mut input = BufReader::new(socket);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if input.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let mut output = socket;
        output.write_all(&answer(&head.to_ascii_lowercase()))?;
    }
}

/// The answer to a request, whose head is in lower case.
fn answer(head: &str) -> Vec<u8> {
    let is_head = head.starts_with("head ");
    let with_body = |fields: &str, body: &[u8]| {
        let mut answer = format!("{fields}content-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(if is_head { &[] } else { body });
        answer
    };
    match head.split(' ').nth(1).unwrap_or_default() {
        "/scripted/plain" if head.contains("\r\nrange: bytes=4-7\r\n") => with_body(
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-7/17\r\n",
            b"4567",
        ),
        "/scripted/plain" => {
            with_body("HTTP/1.1 200 OK\r\naccept-ranges: bytes\r\n", PLAIN.as_bytes())
        }
        "/scripted/gzip" if head.contains("\r\naccept-encoding: ") => with_body(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nvary: accept-encoding\r\n",
            GZIPPED,
        ),
        "/scripted/hints" => {
            let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
            with_body(&format!("{hints}HTTP/1.1 200 OK\r\n"), PLAIN.as_bytes())
        }
        "/scripted/chunked" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\
              trailer: x-sum\r\n\r\n4\r\none \r\n9\r\ntwo three\r\n1\r\n\n\r\n0\r\nx-sum: 14\r\n\r\n"
            .to_vec(),
        "/scripted/not-modified" => b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n".to_vec(),
        _ => with_body("HTTP/1.1 404 Not Found\r\n", b"nothing\n"),
    }
}
