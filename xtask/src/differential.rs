//! `cargo xtask differential`: do two servers in a row agree where each message ends?
//!
//! Every payload of the corpus goes through chains of Bulkhead and a real nginx, HAProxy or hyper, in
//! both orders. Both servers write down which requests they saw; a payload passes when Bulkhead
//! rejects it or both saw the same. One difference fails the run. The table goes to
//! docs/differential.md.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{cargo, root, run as run_command, target_directory};
use crate::gateway;
use corpus::Case;
use judge::{Rules, Verdict, judge};
use logs::Place;
use page::Row;
use servers::{Kind, Programs, Server};

mod corpus;
mod http2;
mod judge;
mod logs;
mod page;
mod servers;

/// A server that says nothing for so long waits for more of the message.
const SILENCE: Duration = Duration::from_millis(700);
/// The markers must be answered; a server may be slow once.
const MARKER_TIMEOUT: Duration = Duration::from_secs(10);

/// Front, back. Where the back is no origin of itself, hyper stands behind it.
const CHAINS: [(Kind, Kind); 7] = [
    (Kind::Bulkhead, Kind::Nginx),
    (Kind::Bulkhead, Kind::Haproxy),
    (Kind::Bulkhead, Kind::Hyper),
    (Kind::Nginx, Kind::Bulkhead),
    (Kind::Haproxy, Kind::Bulkhead),
    (Kind::HaproxyHttp2, Kind::Bulkhead),
    (Kind::Hyper, Kind::Bulkhead),
];

/// Runs the corpus through all chains whose servers are installed.
pub(crate) fn run() -> Result<()> {
    let http1 = corpus::http1(corpus::HTTP1, 0)?;
    let http2 = corpus::http2(corpus::HTTP2, http1.len())?;
    run_command(cargo().args(["build", "-q", "--release", "-p", "bench-hyper"]))?;
    let programs = Programs {
        bulkhead: gateway::build_release()?,
        hyper: target_directory().join("release/bench-hyper"),
    };
    let scratch = target_directory().join("differential");
    let mut rows = Vec::new();
    for (front, back) in CHAINS {
        let missing = [front, back].into_iter().find(|kind| programs.path(*kind).is_none());
        if let Some(missing) = missing {
            println!(
                "{} in front of {} is left out: {} is not installed (Debian has it)",
                front.name(),
                back.name(),
                missing.name()
            );
            continue;
        }
        let mut cases: Vec<&Case> = http1.iter().collect();
        if front == Kind::Bulkhead {
            cases.extend(&http2);
        }
        let row = chain(&programs, front, back, &cases, &scratch)
            .with_context(|| format!("{} in front of {}", front.name(), back.name()))?;
        println!("{}", row.line());
        rows.push(row);
    }
    let differences: Vec<String> = rows.iter().flat_map(Row::differences).collect();
    if !differences.is_empty() {
        bail!("{} differences:\n{}", differences.len(), differences.join("\n"));
    }
    fs::write(root().join("docs/differential.md"), page::page(&rows, &http1, &http2))
        .context("write docs/differential.md")
}

/// Sends every case through one chain and compares what its two servers wrote down.
fn chain(
    programs: &Programs,
    front: Kind,
    back: Kind,
    cases: &[&Case],
    scratch: &Path,
) -> Result<Row> {
    let directory = scratch.join(format!("{front:?}-{back:?}"));
    if directory.exists() {
        fs::remove_dir_all(&directory).context("empty the scratch directory")?;
    }
    let origin = match back {
        Kind::Hyper => None,
        _ => Some(Server::start(programs, Kind::Hyper, None, &directory.join("origin"))?),
    };
    let behind = origin.as_ref().map(|server| server.port);
    let mut back = Server::start(programs, back, behind, &directory.join("back"))?;
    let mut front = Server::start(programs, front, Some(back.port), &directory.join("front"))?;
    for case in cases {
        send(front.port, case).with_context(|| format!("case {} {}", case.class, case.title))?;
        marker(front.port, &case.number)
            .with_context(|| format!("after case {} {}", case.class, case.title))?;
    }
    ensure!(front.is_running() && back.is_running(), "a server ended");
    let (front_kind, back_kind) = (front.kind, back.kind);
    let (front_log, back_log) = (front.log.clone(), back.log.clone());
    // Their logs are whole when they have ended.
    drop((front, back, origin));
    let ours = logs::read(&front_log, front_kind.writer(), Place::Front)?;
    let theirs = logs::read(&back_log, back_kind.writer(), Place::Back)?;
    let mut row = Row::new(front_kind, back_kind);
    for case in cases {
        let of = |cases: &logs::Cases| cases.get(&case.number).cloned().unwrap_or_default();
        let rules = Rules { unordered: case.multiplexed, strict: front_kind == Kind::Bulkhead };
        let verdict = judge(&of(&ours), &of(&theirs), rules);
        if case.class == "control" && verdict != Verdict::Agreed {
            bail!("the plain case `{}` did not pass: {verdict:?}", case.title);
        }
        row.add(case, verdict);
    }
    Ok(row)
}

/// Sends a payload and reads until the sentinel is answered, the server closes or waits for more.
fn send(port: u16, case: &Case) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
    stream.set_read_timeout(Some(SILENCE))?;
    // A server that has had enough may close while we still write.
    let _ = stream.write_all(&case.bytes);
    read_until(&mut stream, &format!("/sentinel{}", case.number));
    Ok(())
}

/// A request on a connection of its own, which closes the case in both logs.
fn marker(port: u16, number: &str) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
    stream.set_read_timeout(Some(MARKER_TIMEOUT))?;
    let text = format!("/marker{number}");
    write!(stream, "GET {text} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")?;
    ensure!(read_until(&mut stream, &text), "a plain request is no longer answered");
    Ok(())
}

/// Whether `text` came.
fn read_until(stream: &mut TcpStream, text: &str) -> bool {
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        received.extend_from_slice(&chunk[..count]);
        if received.windows(text.len()).any(|window| window == text.as_bytes()) {
            return true;
        }
    }
    false
}
