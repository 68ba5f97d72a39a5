//! Tables and bars of the side-by-side benchmark. Measures nothing.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::install::Programs;
use super::options::Options;
use super::record::Record;
use super::scenarios::Scenario;
use super::spread::{Spread, rounded};
use super::{Row, Sample};

/// CPU per request at most this share of the peer's, by scenario.
const BARS: [(&str, &str, f64); 5] = [
    ("http1", "haproxy", 1.0),
    ("http2-32", "haproxy", 0.75),
    ("http2-32", "envoy", 0.2),
    ("grpc", "haproxy", 0.75),
    ("grpc", "envoy", 0.2),
];

/// CPU per request at most this share of what another build needed, in every scenario.
const BEFORE: f64 = 1.05;

impl Row {
    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(figure))
    }

    fn cpu(&self) -> Option<Spread> {
        if self.peer.is_direct() { None } else { self.spread(|sample| sample.cpu_us_per_request) }
    }
}

/// The results of a run, while they are told.
pub(crate) struct Report(Record);

impl Report {
    /// Begins the record of `cargo xtask bench peers`.
    pub(crate) fn new(options: &Options, programs: &Programs) -> Result<Self> {
        Record::begin(options, programs, "cargo xtask bench peers", options.seconds).map(Self)
    }

    /// Prints a scenario's table and writes its file.
    pub(crate) fn scenario(&self, scenario: &Scenario, rows: &[Row]) -> Result<()> {
        let table = table(rows);
        println!("### {} (`{}`)\n\n{table}", scenario.title, scenario.name);
        let peers: Vec<Value> = rows.iter().map(row_json).collect();
        self.0.write_scenario(scenario, peers)
    }

    /// Says whether the project's own bars are met.
    pub(crate) fn bars(&self, scenarios: &[Scenario], rows: &BTreeMap<usize, Vec<Row>>) {
        let before = scenarios.iter().map(|scenario| (scenario.name, "before", BEFORE));
        for (name, peer, bar) in BARS.into_iter().chain(before) {
            let Some(index) = scenarios.iter().position(|scenario| scenario.name == name) else {
                continue;
            };
            let rows = rows.get(&index).map_or(&[][..], Vec::as_slice);
            if let (Some(ours), Some(theirs)) = (median(rows, "bulkhead"), median(rows, peer)) {
                let ratio = ours / theirs;
                let verdict = if ratio <= bar { "met" } else { "MISSED" };
                println!("bar {verdict}: {name} costs {ratio:.2} × {peer}, at most {bar} is asked");
            }
        }
    }
}

fn median(rows: &[Row], name: &str) -> Option<f64> {
    Some(rows.iter().find(|row| row.peer.name == name)?.cpu()?.median)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| proxy | CPU µs/request | × HAProxy | × Envoy | requests/s | CPU used | p50 / p99 ms | RSS MB | |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let (haproxy, envoy) = (median(rows, "haproxy"), median(rows, "envoy"));
    for row in rows {
        let figure = |figure: fn(&Sample) -> f64| row.spread(figure).map_or(0.0, |it| it.median);
        let cpu = row.cpu();
        let ratio = |peer: Option<f64>| match (&cpu, peer) {
            (Some(cpu), Some(peer)) => format!("{:.2}", cpu.median / peer),
            _ => "–".to_owned(),
        };
        let shown = cpu.as_ref().map_or_else(
            || "–".to_owned(),
            |cpu| format!("{:.2} [{:.2}–{:.2}]", cpu.median, cpu.min, cpu.max),
        );
        text.push_str(&format!(
            "| {} | {shown} | {} | {} | {:.0} | {:.2} | {:.2} / {:.2} | {:.1} | {} |\n",
            row.peer.name,
            ratio(haproxy),
            ratio(envoy),
            figure(|sample| sample.measured.requests as f64 / sample.measured.seconds),
            figure(|sample| sample.utilization),
            figure(|sample| sample.measured.p50_ms),
            figure(|sample| sample.measured.p99_ms),
            figure(|sample| sample.rss_mb),
            row.peer.note,
        ));
    }
    text
}

fn row_json(row: &Row) -> Value {
    let spread = |figure: fn(&Sample) -> f64| row.spread(figure).map(|it| it.json());
    let rounds: Vec<Value> = row
        .samples
        .iter()
        .map(|sample| {
            json!({
                "requests": sample.measured.requests,
                "seconds": rounded(sample.measured.seconds),
                "cpu_us_per_request": rounded(sample.cpu_us_per_request),
                "cpu_used": rounded(sample.utilization),
                "p50_ms": rounded(sample.measured.p50_ms),
                "p99_ms": rounded(sample.measured.p99_ms),
                "rss_mb": rounded(sample.rss_mb),
            })
        })
        .collect();
    json!({
        "peer": row.peer.name,
        "note": row.peer.note,
        "cpu_us_per_request": row.cpu().map(|cpu| cpu.json()),
        "requests_per_second":
            spread(|sample| sample.measured.requests as f64 / sample.measured.seconds),
        "p50_ms": spread(|sample| sample.measured.p50_ms),
        "p99_ms": spread(|sample| sample.measured.p99_ms),
        "rss_mb": spread(|sample| sample.rss_mb),
        "rounds": rounds,
    })
}
