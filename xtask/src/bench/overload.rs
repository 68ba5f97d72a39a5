//! `cargo xtask bench overload`: what is left of the goodput when more is asked for than the upstream
//! can do. The upstream does 8 requests of 10 ms at once, 800 a second; the others wait in its queue.
//! An answer counts if it comes within 250 ms of its intended time.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::install;
use super::load::{self, scratch};
use super::options::Options;
use super::peers::Peer;
use super::process::{Running, beside_the_load};
use super::record::Record;
use crate::command::{root, target_directory};
use crate::gateway::{Guard, build_release, free_port};
use crate::markers;

const SLOTS: u32 = 8;
const WORK_MS: u32 = 10;
const CAPACITY: u32 = SLOTS * 1_000 / WORK_MS;
/// Offered load as a multiple of the capacity. The first is what may be lost to nothing.
const LOADS: [f64; 4] = [0.8, 1.0, 2.0, 5.0];
const TIMEOUT: &str = "250ms";
/// As many as the greatest load needs when each answer takes all the time there is.
const CONNECTIONS: u32 = 1_000;
/// Goodput under overload over the peak.
const BAR: f64 = 0.9;

/// Name, peer that it belongs to, configuration.
const GATEWAYS: [(&str, &str, &str); 5] = [
    ("Bulkhead, `adaptive_concurrency`", "bulkhead", "overload-bulkhead.yaml"),
    ("Bulkhead without a limit", "bulkhead", "overload-bulkhead-unlimited.yaml"),
    ("Envoy, adaptive concurrency", "envoy", "overload-envoy.yaml"),
    ("HAProxy, `maxconn 8`, queue 100 ms", "haproxy", "overload-haproxy-maxconn.cfg"),
    ("HAProxy without a limit", "haproxy", "overload-haproxy.cfg"),
];

/// Answers in time per second, and the P99 of the answers, at each load.
struct Row {
    name: &'static str,
    goodput: Vec<f64>,
    p99_ms: Vec<f64>,
}

impl Row {
    /// The worst goodput beyond the capacity over the best of all.
    fn kept(&self) -> f64 {
        let peak = self.goodput.iter().copied().fold(f64::EPSILON, f64::max);
        let beyond = LOADS.iter().zip(&self.goodput).filter(|(load, _)| **load > 1.0);
        beyond.map(|(_, goodput)| goodput / peak).fold(f64::INFINITY, f64::min)
    }
}

/// Measures every gateway that is there at every load, and writes the table into docs/overload.md.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let seconds = options.seconds.max(if options.quick { 2 } else { 8 });
    let programs = install::locate(&options)?;
    fs::create_dir_all(target_directory().join("bench/run")).context("create the directory")?;
    let bulkhead = build_release()?;
    let record = Record::begin(&options, &programs, "cargo xtask bench overload", seconds)?;
    let mut rows = Vec::new();
    for (name, peer, template) in GATEWAYS.into_iter().filter(|it| options.wants_peer(it.1)) {
        let Some(peer) = Peer::with_template(peer, template, &programs) else { continue };
        let mut row = Row { name, goodput: Vec::new(), p99_ms: Vec::new() };
        for times in LOADS {
            eprintln!("{name}: {times} times the capacity");
            let (goodput, p99_ms) = measure(&peer, &bulkhead, times, seconds)
                .with_context(|| format!("measure {name} at {times}"))?;
            row.goodput.push(goodput);
            row.p99_ms.push(p99_ms);
        }
        rows.push(row);
    }
    let text = table(&rows, record.date());
    println!("{text}");
    record.write("overload", document(&rows))?;
    if options.is_whole() {
        markers::write(&root().join("docs/overload.md"), "overload", &text)?;
    }
    let Some(ours) = rows.iter().find(|row| row.name == GATEWAYS[0].0) else { return Ok(()) };
    let verdict = format!("{:.0} % of the peak are kept under overload", ours.kept() * 100.0);
    if ours.kept() < BAR {
        bail!("bar missed: {verdict}, not {:.0} %", BAR * 100.0);
    }
    println!("bar met: {verdict}");
    Ok(())
}

/// One gateway at one load, each with an upstream of its own, whose queue begins empty.
fn measure(peer: &Peer, bulkhead: &Path, times: f64, seconds: u32) -> Result<(f64, f64)> {
    let upstream = free_port()?;
    let mut command = beside_the_load(bulkhead);
    command.args(["origin", "--listen", &format!("127.0.0.1:{upstream}")]);
    command.args(["--slots", &SLOTS.to_string()]);
    let mut origin = Guard::start(&command, upstream, &scratch("overload-upstream.log"))?;
    let listen = free_port()?;
    let mut gateway = Running::start(peer, listen, upstream)?;

    let rate = (f64::from(CAPACITY) * times).round();
    let mut command = beside_the_load(bulkhead);
    command.arg("load").arg(format!("http://127.0.0.1:{listen}/busy/{WORK_MS}"));
    command.args(["--rate", &rate.to_string(), "--timeout", TIMEOUT]);
    command.args(["--connections", &CONNECTIONS.to_string()]);
    // The limit is learnt, and a queue without a limit is full, when counting begins.
    command.args(["--duration", &format!("{seconds}s"), "--warmup", "4s"]);
    let account = load::account(&mut command, "overload.json");
    ensure!(gateway.is_running() && origin.is_running(), "a server ended");
    let account = account?;
    let good = account["requests"]["ok"].as_f64().context("find requests.ok")?;
    let p99 = account["latency_ms"]["p99"].as_f64().unwrap_or(f64::NAN);
    Ok((good / f64::from(seconds), p99))
}

fn table(rows: &[Row], date: &str) -> String {
    let mut text = format!(
        "`cargo xtask bench overload`, {date}: answers within {TIMEOUT} per second (P99 of all answers, ms), \
         by offered\nload; the upstream can do {CAPACITY} a second.\n\n\
         | | 0.8 × | 1 × | 2 × | 5 × | kept of the peak |\n|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let cells: Vec<String> = row
            .goodput
            .iter()
            .zip(&row.p99_ms)
            .map(|(goodput, p99)| match *goodput > 0.0 {
                true => format!("{goodput:.0} ({p99:.0})"),
                false => "0 (–)".to_owned(),
            })
            .collect();
        text.push_str(&format!(
            "| {} | {} | {:.0} % |\n",
            row.name,
            cells.join(" | "),
            row.kept() * 100.0
        ));
    }
    text
}

fn document(rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "goodput_per_second": row.goodput,
                "p99_ms": row.p99_ms,
                "kept": row.kept(),
            })
        })
        .collect();
    // Each is measured once.
    json!({ "rounds": 1, "capacity_per_second": CAPACITY, "loads": LOADS, "rows": rows })
}
