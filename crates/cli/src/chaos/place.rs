//! Where the lab is, and where it keeps its state.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use bulkhead_lab::{Endpoint, socket_path};

use super::client::Client;

/// Where to find the lab
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// Directory with the lab's journal, audit log, lever and socket
    /// [default: bulkhead/chaos in $XDG_STATE_HOME or ~/.local/state; as root, /var/lib/bulkhead/chaos]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The lab's API: unix:PATH or http://ADDR [default: the socket in the directory]
    #[arg(long, value_name = "URL")]
    lab: Option<String>,
    /// File with the token that says who asks
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl PlaceArgs {
    pub(super) fn directory(&self) -> anyhow::Result<PathBuf> {
        state_directory(self.state.clone())
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let endpoint = match &self.lab {
            Some(url) => endpoint(url)?,
            None => Endpoint::Unix(socket_path(&self.directory()?)),
        };
        let token = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("read `{}`", path.display()))?;
                Some(text.trim().to_owned())
            }
            None => None,
        };
        Ok(Client::new(endpoint, token, self.lab.is_some()))
    }
}

/// The directory that was named, or the usual one.
pub(super) fn state_directory(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(directory) = named {
        return Ok(directory);
    }
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/bulkhead/chaos".into());
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .context("find the home directory; name a directory with --state")?;
    Ok(state.join("bulkhead/chaos"))
}

pub(super) fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    if let Some(path) = url.strip_prefix("unix:") {
        return Ok(Endpoint::Unix(path.into()));
    }
    let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    match address.parse::<SocketAddr>() {
        Ok(address) => Ok(Endpoint::Tcp(address)),
        Err(_) => {
            bail!("`{url}` is no place of a lab; expected is unix:PATH or http://127.0.0.1:8475")
        }
    }
}
