//! Keeps connections open that have made a request, each of a client of its own.
//!
//! Told on standard input, a line each: `open N` opens until there are N, and answers `open N`;
//! `ask` makes another request on each, and answers `alive N` with how many answered. At the end of the
//! input it ends.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::ClientConfig;

use crate::certificates::name;
use crate::client::{self, Stream};
use crate::http1;
use crate::http2::Http2;

struct Held {
    stream: Box<dyn Stream>,
    /// `None`: it speaks HTTP/1.1.
    http2: Option<Http2>,
    secure: bool,
}

impl Held {
    fn open(address: SocketAddr, http2: bool, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let stream: Box<dyn Stream> = match tls {
            Some(config) => Box::new(client::shake_hands(address, config, &name(0))?),
            None => Box::new(client::connect(address)?),
        };
        let mut held = Self { stream, http2: http2.then(Http2::default), secure: tls.is_some() };
        held.ask()?;
        Ok(held)
    }

    fn ask(&mut self) -> Result<()> {
        match &mut self.http2 {
            Some(http2) => http2.ask(&mut self.stream, self.secure),
            None => http1::ask(&mut self.stream),
        }
    }
}

/// See the module.
pub(crate) fn run(address: &str, protocol: &str, authority: Option<&Path>) -> Result<()> {
    let address = address.parse().context("read the address")?;
    let (http2, alpn): (bool, &[u8]) = match protocol {
        "http1" => (false, b"http/1.1"),
        "http2" => (true, b"h2"),
        other => bail!("unknown protocol `{other}`"),
    };
    let tls = authority.map(|authority| client::tls(authority, Some(alpn))).transpose()?;
    let mut held: Vec<Held> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("open", count)) => {
                let count: usize = count.parse().context("read a number")?;
                while held.len() < count {
                    let number = held.len();
                    let one = Held::open(address, http2, tls.as_ref());
                    held.push(one.with_context(|| format!("open connection {number}"))?);
                }
                println!("open {}", held.len());
            }
            None if line == "ask" => {
                let alive = held.iter_mut().filter_map(|one| one.ask().ok()).count();
                println!("alive {alive}");
            }
            _ => bail!("unknown command `{line}`"),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
