//! A link of the lab with a client and a server at its ends.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::Stdio;

use anyhow::{Context, bail};
use serde_json::Value;

use super::Looker;
use crate::bench::chaos::{Ended, Ground, marked};

/// Of the server.
pub(in crate::bench::chaos) const PORT: u16 = 8080;

/// A link in use; what was started at its ends ends with this value.
pub(in crate::bench::chaos) struct LinkUse {
    pub(in crate::bench::chaos) name: String,
    /// The process that holds it.
    holder: u64,
    pub(in crate::bench::chaos) looker: Looker,
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
        let mut client_end = at("client");
        client_end.args(["bench", "look"]);
        let looker = Looker::start(client_end, server)?;
        Ok(Self { name: name.to_owned(), holder, looker, _origin: origin })
    }
}

const STARTING: &str = "start a program at an end of a link";
