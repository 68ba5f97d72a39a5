//! Renewing a certificate of a gateway that runs, again and again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bench::idle::clients::Programs;
use crate::bench::load::scratch;

/// From one renewal to the next, at least.
const INTERVAL: Duration = Duration::from_secs(1);

/// How a certificate is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The file is replaced; nobody is told.
    Rename,
    /// HAProxy's socket: `set ssl cert`, `commit ssl cert`.
    RunTimeApi,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Renewals {
    /// From each renewal until a handshake shows the new certificate, seconds.
    pub(super) shown_s: Vec<f64>,
}

impl Renewals {
    /// Renews the first certificate until the time is over, in turn with the old and the new one.
    pub(super) fn until(
        until: Instant,
        way: Way,
        ours: &Programs,
        certificates: &Path,
        port: u16,
    ) -> Result<Self> {
        let served = certificates.join("served/0.many.test.pem");
        let (new, old) = (certificates.join("renewed.pem"), certificates.join("old.pem"));
        fs::copy(&served, &old).context("keep the old certificate")?;
        let mut shown_s = Vec::new();
        for next in [&new, &old].into_iter().cycle() {
            let begun = Instant::now();
            if begun >= until {
                break;
            }
            match way {
                Way::Rename => rename(next, &served, certificates)?,
                Way::RunTimeApi => set(next, &served)?,
            }
            ours.clients(&[
                "shown",
                &format!("127.0.0.1:{port}"),
                &certificates.join("ca.pem").to_string_lossy(),
                &next.to_string_lossy(),
            ])?;
            shown_s.push(begun.elapsed().as_secs_f64());
            thread::sleep(INTERVAL.saturating_sub(begun.elapsed()));
        }
        ensure!(!shown_s.is_empty(), "nothing was renewed");
        Ok(Self { shown_s })
    }
}

/// Puts a copy in its place at once, as those do that renew certificates.
fn rename(next: &Path, served: &Path, certificates: &Path) -> Result<()> {
    let copy = certificates.join("next.pem");
    fs::copy(next, &copy).context("copy the certificate")?;
    fs::rename(&copy, served).context("replace the certificate")
}

fn set(next: &Path, served: &Path) -> Result<()> {
    let pem = fs::read_to_string(next).context("read the certificate")?;
    // An empty line would end it.
    let lines: Vec<&str> = pem.lines().filter(|line| !line.trim().is_empty()).collect();
    let name = served.display();
    command(&format!("set ssl cert {name} <<\n{}\n\n", lines.join("\n")))?;
    command(&format!("commit ssl cert {name}\n"))
}

fn command(text: &str) -> Result<()> {
    let mut socket = UnixStream::connect(scratch("haproxy.sock")).context("reach HAProxy")?;
    socket.write_all(text.as_bytes()).context("tell HAProxy")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).context("hear HAProxy")?;
    ensure!(!answer.contains("rror") && !answer.contains("nknown"), "HAProxy says: {answer}");
    Ok(())
}
