//! Who the others are: where their programs lie, how they are configured.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::super::ground::{Ground, Party};
use super::super::imposed::LinkLife;
use super::super::plan::{CONNECT_TIMEOUT, Plan};
use super::super::tokens::{AUDIENCE, ISSUER, TokenPool};
use super::super::workload::SUBJECT_HEADER;

/// Where `cargo xtask bench install` puts the programs that no distribution has, below the directory
/// that we are in.
const BENCH_DIRECTORIES: [&str; 3] = ["target/bench", "target/bench/bin", "target/bench/venv/bin"];

/// Another gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PeerName {
    /// HAProxy; checks RS256 tokens.
    Haproxy,
    /// Envoy; checks RS256 tokens.
    Envoy,
    /// nginx; without tokens.
    Nginx,
    /// `go-proxy`, a reverse proxy of Go's standard library; without tokens.
    Go,
}

impl PeerName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Nginx => "nginx",
            Self::Go => "go",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Go => "go-proxy",
            other => other.name(),
        }
    }

    /// Whether it checks RS256 tokens without a module that is not part of it.
    pub(super) const fn knows_rs256(self) -> bool {
        matches!(self, Self::Haproxy | Self::Envoy)
    }

    /// Its template, without and with tokens.
    const fn template(self, jwt: bool) -> &'static str {
        match (self, jwt) {
            (Self::Haproxy, false) => include_str!("haproxy.cfg"),
            (Self::Haproxy, true) => include_str!("haproxy-jwt.cfg"),
            (Self::Envoy, false) => include_str!("envoy.yaml"),
            (Self::Envoy, true) => include_str!("envoy-jwt.yaml"),
            (Self::Nginx, _) => include_str!("nginx.conf"),
            (Self::Go, _) => "",
        }
    }
}

/// A peer that is ready to be started. Its files vanish with it.
#[derive(Debug)]
pub(crate) struct Peer {
    name: PeerName,
    program: PathBuf,
    directory: Directory,
    workers: usize,
    /// As long as our own gateway waits.
    patience: Duration,
    address: SocketAddr,
    upstream: SocketAddr,
}

impl Peer {
    /// Finds its program and writes its configuration.
    pub(super) fn prepare(
        name: PeerName,
        plan: &Plan,
        ground: &Ground,
        upstreams: [SocketAddr; 2],
        tokens: Option<&Arc<TokenPool>>,
    ) -> anyhow::Result<Self> {
        let Some(program) = find(name.program()) else {
            bail!(
                "`{}` is not installed: neither in PATH nor in {}",
                name.program(),
                BENCH_DIRECTORIES.join(", ")
            );
        };
        let directory = Directory::new(name.name())?;
        // Free now, and in a namespace of our own also later.
        let address = ground.address(Party::Gateway);
        let address = ground
            .enter(Party::Gateway, || TcpListener::bind((address, 0))?.local_addr())?
            .context("find a free port")?;
        if let Some(tokens) = tokens {
            directory.write("public.pem", tokens.public_pem())?;
            directory.write("jwks.json", tokens.jwks())?;
        }
        let (workers, patience) = (plan.profile.workers.into(), plan.patience());
        let upstream = upstreams[0];
        let peer = Self { name, program, directory, workers, patience, address, upstream };
        let text = peer.render(name.template(tokens.is_some()), upstreams);
        peer.directory.write("configuration", &text)?;
        Ok(peer)
    }

    fn render(&self, template: &str, [json, grpc]: [SocketAddr; 2]) -> String {
        let replacements = [
            ("@ADDRESS@", self.address.ip().to_string()),
            ("@PORT@", self.address.port().to_string()),
            ("@JSON_ADDRESS@", json.ip().to_string()),
            ("@JSON_PORT@", json.port().to_string()),
            ("@GRPC_ADDRESS@", grpc.ip().to_string()),
            ("@GRPC_PORT@", grpc.port().to_string()),
            ("@DIRECTORY@", self.directory.0.display().to_string()),
            ("@WORKERS@", self.workers.to_string()),
            ("@PATIENCE@", self.patience.as_secs().to_string()),
            ("@CONNECT@", CONNECT_TIMEOUT.as_secs().to_string()),
            ("@ISSUER@", ISSUER.to_owned()),
            ("@AUDIENCE@", AUDIENCE.to_owned()),
            ("@SUBJECT_HEADER@", SUBJECT_HEADER.to_owned()),
        ];
        let replace = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        replacements.iter().fold(template.to_owned(), replace)
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn name(&self) -> PeerName {
        self.name
    }

    pub(super) const fn workers(&self) -> usize {
        self.workers
    }

    /// Whether it has a process of its own that starts workers again.
    pub(super) const fn has_master(&self) -> bool {
        matches!(self.name, PeerName::Nginx)
    }

    /// What starts one of its processes, in the foreground, with one thread.
    pub(super) fn command(&self) -> Command {
        let configuration = self.directory.0.join("configuration");
        let mut command = Command::new(&self.program);
        match self.name {
            PeerName::Haproxy => command.args(["-db", "-f"]).arg(configuration),
            PeerName::Envoy => command
                .args([
                    "--concurrency",
                    "1",
                    "--log-level",
                    "error",
                    "--disable-hot-restart",
                    "--config-yaml",
                ])
                .arg(fs::read_to_string(configuration).unwrap_or_default()),
            PeerName::Nginx => {
                command.arg("-p").arg(&self.directory.0).arg("-c").arg(configuration)
            }
            PeerName::Go => command
                .arg(self.address.to_string())
                .arg(self.upstream.to_string())
                .arg("http2")
                .env("GOMAXPROCS", "1"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What differs from our own run, and what its link did.
    pub(super) fn note(
        &self,
        jwt: bool,
        loss_percent: Option<f64>,
        life: Option<&LinkLife>,
    ) -> String {
        let mut note = match self.name {
            PeerName::Nginx => format!("{} workers, HTTP/1.1 to the JSON upstream", self.workers),
            PeerName::Haproxy | PeerName::Envoy | PeerName::Go => {
                format!("{} processes of one thread on one port", self.workers)
            }
        };
        if !jwt {
            note += "; without tokens";
        }
        if let Some(loss_percent) = loss_percent {
            note +=
                &format!("; its link lost {loss_percent:.2} % of the packets towards the server");
        }
        if let Some(reason) = life.and_then(|life| life.lapsed.as_ref()) {
            note += &format!("; its link lapsed: {reason}");
        }
        if life.is_some_and(|life| life.reverted.holds != Some(true)) {
            note += "; its link was not seen to heal";
        }
        note
    }
}

/// The program of that name in `PATH`, or where the side-by-side benchmark keeps its own.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Many who are not root do not have the last two.
    let system = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
    let bench = BENCH_DIRECTORIES.map(PathBuf::from);
    let mut directories = std::env::split_paths(&path).chain(system).chain(bench);
    directories.find_map(|directory| {
        let file = directory.join(program);
        file.is_file().then(|| fs::canonicalize(file).ok()).flatten()
    })
}

/// A directory for a while.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> anyhow::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("bulkhead-prove-{}-{name}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path: &Path = &self.0.join(name);
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A temporary directory that stays is no reason to fail.
        let _left = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;
