//! A client in a network of its own, which is asked what it meets there.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

use crate::bench::chaos::Ended;
use crate::bench::look::{Ask, DnsAsk, EchoAsk, EchoSeen, Seen};

/// Such a client; it ends with this value.
pub(in crate::bench::chaos) struct Looker {
    server: Ipv4Addr,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _client: Ended,
}

impl Looker {
    /// `command` becomes `bench look` in that network; `server` is whom it speaks to.
    pub(super) fn start(mut command: Command, server: Ipv4Addr) -> anyhow::Result<Self> {
        const STARTING: &str = "start a client";
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = Ended(command.spawn().context(STARTING)?);
        let pipes = client.0.stdin.take().zip(client.0.stdout.take());
        let (input, output) = pipes.context(STARTING)?;
        Ok(Self { server, input, output: BufReader::new(output), _client: client })
    }

    /// What the client meets; an error if it is gone.
    fn ask(&mut self, ask: &Ask) -> anyhow::Result<Seen> {
        let line = serde_json::to_string(ask).context("write a question")? + "\n";
        self.input.write_all(line.as_bytes()).context("ask a client")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("hear a client")?;
        match serde_json::from_str(&line).context("hear a client")? {
            Seen::Failed(why) => bail!("{why}"),
            seen => Ok(seen),
        }
    }

    pub(in crate::bench::chaos) fn echo(
        &mut self,
        count: u16,
        bytes: usize,
        gap_us: u64,
        wait_ms: u64,
    ) -> anyhow::Result<EchoSeen> {
        let address = self.server;
        match self.ask(&Ask::Echo(EchoAsk { address, count, bytes, gap_us, wait_ms }))? {
            Seen::Echo(seen) => Ok(seen),
            other => bail!("the client saw something else: {other:?}"),
        }
    }

    /// The code of an answer of DNS, if it comes in time.
    pub(in crate::bench::chaos) fn dns(&mut self, wait_ms: u64) -> anyhow::Result<Option<u8>> {
        let address = self.server;
        match self.ask(&Ask::Dns(DnsAsk { address, wait_ms }))? {
            Seen::Dns(code) => Ok(code),
            other => bail!("the client saw something else: {other:?}"),
        }
    }

    /// The status of the server's answer.
    pub(in crate::bench::chaos) fn web(&mut self, port: u16) -> anyhow::Result<Option<u16>> {
        match self.ask(&Ask::Web(SocketAddr::from((self.server, port))))? {
            Seen::Web(status) => Ok(status),
            other => bail!("the client saw something else: {other:?}"),
        }
    }
}
