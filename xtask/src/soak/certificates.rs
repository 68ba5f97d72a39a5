//! Two chains, of two authorities. Clients of the load trust both; whether a swap has taken effect is
//! asked by a client that trusts only the new one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_load::{
    Answer, Arrivals, Load, LoadOptions, Mismatch, Process, Protocol, Request, Schedule,
    TargetOptions, Workload,
};
use bulkhead_testkit::{Authority, Leaf};
use bulkhead_transport::{ClientTls, ClientTlsOptions, ServerName, TlsTarget};

use super::configuration::{PROBE, SERVER_NAME};
use super::site::Site;

/// The chains with their authorities.
pub(super) struct Certificates {
    chains: [(Authority, Leaf); 2],
}

impl Certificates {
    pub(super) fn new() -> Self {
        let chain = || {
            let authority = Authority::new();
            let leaf = authority.issue(&[SERVER_NAME]);
            (authority, leaf)
        };
        Self { chains: [chain(), chain()] }
    }

    /// Key and certificate of a chain, as PEM.
    pub(super) const fn leaf(&self, chain: usize) -> &Leaf {
        &self.chains[chain].1
    }

    /// Swaps the files, one after the other, as any tool does: for a moment they do not match.
    pub(super) fn put(&self, site: &Site, chain: usize) -> Result<()> {
        let leaf = self.leaf(chain);
        site.replace("server.key", &leaf.key_pem)?;
        site.replace("server.pem", &leaf.chain_pem)
    }

    /// Waits until new handshakes get this chain.
    pub(super) fn wait_for(&self, site: &Site, chain: usize) -> Result<()> {
        let ca = self.chains[chain].0.certificate_pem();
        let tls = target(&ca, b"http/1.1", false)?;
        site.wait_for(&format!("chain {chain} in handshakes"), || probe(site, &tls))
    }

    /// How the load speaks TLS: either chain is right.
    pub(super) fn target(&self, alpn: &[u8], no_resumption: bool) -> Result<TlsTarget> {
        let both: Vec<String> =
            self.chains.iter().map(|(authority, _)| authority.certificate_pem()).collect();
        target(&both.concat(), alpn, no_resumption)
    }
}

fn target(ca: &str, alpn: &[u8], no_resumption: bool) -> Result<TlsTarget> {
    let options = ClientTlsOptions {
        ca_pem: Some(ca.as_bytes()),
        alpn: &[alpn],
        no_resumption,
        ..ClientTlsOptions::default()
    };
    let config = ClientTls::with(&options).context("set up TLS")?;
    let server_name = ServerName::try_from(SERVER_NAME).context("name the server")?;
    Ok(TlsTarget { config, server_name })
}

/// One handshake and one request.
fn probe(site: &Site, tls: &TlsTarget) -> Result<bool> {
    let address = SocketAddr::from(([127, 0, 0, 1], site.ports.secure));
    let mut target = TargetOptions::new(address, Protocol::Http1);
    target.tls = Some(tls.clone());
    let arrivals = Arrivals::Open(Schedule::constant(1.0, Process::Constant, 0));
    let load = Load::start(LoadOptions::new(target, arrivals, Duration::from_millis(1)), |_| {
        Box::new(Probe)
    })?;
    Ok(load.finish().failed == 0)
}

struct Probe;

impl Workload for Probe {
    fn prepare(&mut self, _number: u64, request: &mut Request) {
        request.head.set_authority(PROBE.as_bytes());
        request.head.set_target(b"/");
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status == 200 { Ok(()) } else { Err(Mismatch::Status) }
    }
}
