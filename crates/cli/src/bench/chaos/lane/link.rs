//! A link of the lab with a client and a server at its ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::bench::chaos::{Ended, Ground, marked};
use crate::bench::look::{Ask, EchoAsk, EchoSeen, Seen};

const PORT: u16 = 8080;

/// A link in use; what was started at its ends ends with this value.
pub(in crate::bench::chaos) struct LinkUse {
    pub(in crate::bench::chaos) name: String,
    /// The process that holds it.
    holder: u64,
    pub(in crate::bench::chaos) server: Ipv4Addr,
    _client: Ended,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _origin: Ended,
}

impl LinkUse {
    /// This link if it is there still, or a new one of that name.
    pub(in crate::bench::chaos) fn renew(
        old: Option<Self>,
        name: &str,
        ground: &Ground,
    ) -> anyhow::Result<Self> {
        let answer = ground.lab.ask("PUT", &format!("/v1/links/{name}"), "")?;
        if answer.status >= 300 {
            bail!("{}", answer.error());
        }
        let holder = answer.document["pid"].as_u64().context("the link has no process")?;
        if let Some(old) = old.filter(|old| old.holder == holder) {
            return Ok(old);
        }
        Self::new(name, holder, &answer.document, ground)
    }

    fn new(name: &str, holder: u64, link: &Value, ground: &Ground) -> anyhow::Result<Self> {
        let server: Ipv4Addr = link["server"]["v4"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .context("the link has no address")?;
        let program = std::env::current_exe().context("find this program")?;
        let at = |end: &str| {
            let mut command = marked(&program);
            command.args(["chaos", "exec", "--link", name, "--end", end, "--state"]);
            command.arg(ground.lab.directory()).arg("--").arg(&program);
            command.stderr(Stdio::null());
            command
        };
        let mut server_end = at("server");
        server_end.args(["origin", "--listen", &format!("{server}:{PORT}")]).stdin(Stdio::null());
        let mut origin = Ended(server_end.stdout(Stdio::piped()).spawn().context(STARTING)?);
        let mut line = String::new();
        let output = origin.0.stdout.take().context(STARTING)?;
        BufReader::new(output).read_line(&mut line).context(STARTING)?;
        if line.is_empty() {
            bail!("the server at the end of the link did not start");
        }
        let mut client_end: Command = at("client");
        client_end.args(["bench", "look"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = Ended(client_end.spawn().context(STARTING)?);
        let pipes = client.0.stdin.take().zip(client.0.stdout.take());
        let (input, output) = pipes.context(STARTING)?;
        let (name, output) = (name.to_owned(), BufReader::new(output));
        Ok(Self { name, holder, server, input, output, _client: client, _origin: origin })
    }

    /// What the client meets; an error if it is gone.
    fn ask(&mut self, ask: &Ask) -> anyhow::Result<Seen> {
        let line = serde_json::to_string(ask).context("write a question")? + "\n";
        self.input.write_all(line.as_bytes()).context("ask the client of a link")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("hear the client of a link")?;
        match serde_json::from_str(&line).context("hear the client of a link")? {
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

    /// The code of an answer of DNS.
    pub(in crate::bench::chaos) fn dns(&mut self) -> anyhow::Result<Option<u8>> {
        match self.ask(&Ask::Dns(self.server))? {
            Seen::Dns(code) => Ok(code),
            other => bail!("the client saw something else: {other:?}"),
        }
    }

    /// The status of the server's answer.
    pub(in crate::bench::chaos) fn web(&mut self) -> anyhow::Result<Option<u16>> {
        match self.ask(&Ask::Web(SocketAddr::from((self.server, PORT))))? {
            Seen::Web(status) => Ok(status),
            other => bail!("the client saw something else: {other:?}"),
        }
    }
}

const STARTING: &str = "start a program at an end of a link";
