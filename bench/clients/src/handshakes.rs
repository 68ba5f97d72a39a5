//! Full handshakes, one after the other, each for a name of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::certificates::name;
use crate::client;

/// How long a certificate may take until it is in force.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);
/// From one name to the next: it has no factor in common with the numbers of names that are used, so
/// that all are met before one comes again.
const STRIDE: usize = 7_919;

/// So many handshakes for names from 0 to `names`, each verified; tells `p50_us N p99_us N`.
pub(crate) fn run(address: &str, authority: &Path, count: usize, names: usize) -> Result<()> {
    ensure!(count > 0 && names > 0, "there is nothing to do");
    let address: SocketAddr = address.parse().context("read the address")?;
    let config = client::tls(authority, None)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let name = name(number * STRIDE % names);
        let begun = Instant::now();
        let _session =
            client::shake_hands(address, &config, &name).with_context(|| name.clone())?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let percentile = |share: usize| times.get((count - 1) * share / 100).map(Duration::as_micros);
    println!("p50_us {} p99_us {}", percentile(50).unwrap_or(0), percentile(99).unwrap_or(0));
    Ok(())
}

/// Waits until the first name is shown with the certificate in `file`.
pub(crate) fn wait_until_shown(address: &str, authority: &Path, file: &Path) -> Result<()> {
    let address: SocketAddr = address.parse().context("read the address")?;
    let expected = CertificateDer::from_pem_file(file).context("read the certificate")?;
    let config = client::tls(authority, None)?;
    let until = Instant::now() + SHOWN_WITHIN;
    while Instant::now() < until {
        if shown(address, &config)? == expected {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    bail!("it is not shown after {} s", SHOWN_WITHIN.as_secs())
}

fn shown(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<CertificateDer<'static>> {
    let stream = client::shake_hands(address, config, &name(0))?;
    let chain = stream.conn.peer_certificates().context("find a certificate")?;
    chain.first().cloned().context("find a certificate")
}
