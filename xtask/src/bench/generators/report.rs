//! Tables, result files and bars of the load generators. Measures nothing.

use anyhow::Result;
use serde_json::{Value, json};

use super::super::install::Programs;
use super::super::options::Options;
use super::super::record::Record;
use super::super::spread::{Spread, rounded};
use super::measure::Sample;
use super::scenarios::{LONG, MANY_CONNECTIONS};
use super::{Row, Rows, figures};
use crate::command::root;
use crate::markers;

/// CPU per request at most this share of the peer's; no peer: of the cheapest of all others.
const BARS: [(&str, Option<&str>, f64); 6] = [
    ("load-http1", Some("wrk"), 1.1),
    ("load-http1-rate", None, 1.0),
    ("load-http2", None, 1.0),
    ("load-http2-rate", None, 1.0),
    ("load-grpc", None, 1.0),
    ("load-grpc-rate", None, 1.0),
];
/// With 10,000 connections.
const RSS_MB_MAX: f64 = 100.0;
/// What may come on top from the first twelfth of a long run to its end.
const RSS_GROWTH_MAX: f64 = 1.05;

impl Row {
    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(figure))
    }

    /// Median, or none if it was never measured.
    pub(crate) fn median(&self, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        Some(self.spread(figure)?.median)
    }
}

/// The results of a run, while they are told.
pub(crate) struct Report(Record);

impl Report {
    /// Begins the record.
    pub(crate) fn new(options: &Options, programs: &Programs) -> Result<Self> {
        Record::begin(options, programs, "cargo xtask bench load", options.seconds).map(Self)
    }

    /// Prints each scenario's table and writes its file.
    pub(crate) fn scenarios(&self, all: &[Rows]) -> Result<()> {
        for Rows { case, rows, left_out } in all {
            let scenario = &case.scenario;
            println!("### {} (`{}`)\n\n{}", scenario.title, scenario.name, table(rows));
            for (name, reason) in left_out {
                println!("{name} is left out: {reason}");
            }
            println!();
            let mut peers: Vec<Value> = rows.iter().map(row_json).collect();
            peers.extend(
                left_out.iter().map(|(name, reason)| json!({ "peer": name, "left_out": reason })),
            );
            self.0.write_scenario(scenario, peers)?;
        }
        Ok(())
    }

    /// Prints the figures for `bench/README.md`; a whole run also writes them there.
    pub(crate) fn figures(&self, all: &[Rows], whole: bool) -> Result<()> {
        let text = figures::markdown(self.0.date(), all);
        println!("{text}");
        if whole {
            markers::write(&root().join("bench/README.md"), "load-generators", &text)?;
        }
        Ok(())
    }
}

/// Says whether the project's own bars are met.
pub(crate) fn bars(all: &[Rows]) {
    for (name, peer, bar) in BARS {
        let Some(rows) = rows_of(all, name) else { continue };
        let theirs = rows
            .iter()
            .filter(|row| match peer {
                Some(peer) => row.name == peer,
                None => !row.name.starts_with("bulkhead"),
            })
            .filter_map(|row| Some((row, row.median(Sample::cpu_us_per_request)?)))
            .min_by(|one, other| one.1.total_cmp(&other.1));
        if let (Some(ours), Some((peer, theirs))) =
            (of_bulkhead(rows, Sample::cpu_us_per_request), theirs)
        {
            let ratio = ours / theirs;
            let peer = if peer.note.is_empty() {
                peer.name.to_owned()
            } else {
                format!("{} ({})", peer.name, peer.note)
            };
            say(ratio <= bar, &format!("{name} costs {ratio:.2} × {peer}; at most {bar} is asked"));
        }
    }
    if let Some(rss) =
        rows_of(all, MANY_CONNECTIONS).and_then(|rows| of_bulkhead(rows, |it| it.rss_mb))
    {
        let text = format!("10,000 connections take {rss:.0} MB, at most {RSS_MB_MAX} is asked");
        say(rss <= RSS_MB_MAX, &text);
    }
    let growth = |sample: &Sample| sample.rss_last_mb / sample.rss_early_mb;
    if let Some(growth) = rows_of(all, LONG).and_then(|rows| of_bulkhead(rows, growth)) {
        let text = format!("memory grew to {growth:.2} × in {LONG}, at most {RSS_GROWTH_MAX}");
        say(growth <= RSS_GROWTH_MAX, &text);
    }
}

fn say(met: bool, text: &str) {
    println!("bar {}: {text}", if met { "met" } else { "MISSED" });
}

fn rows_of<'a>(all: &'a [Rows], name: &str) -> Option<&'a [Row]> {
    let rows = all.iter().find(|rows| rows.case.scenario.name == name)?;
    Some(rows.rows.as_slice())
}

fn of_bulkhead(rows: &[Row], figure: impl Fn(&Sample) -> f64) -> Option<f64> {
    rows.iter().find(|row| row.name == "bulkhead")?.median(figure)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| generator | CPU µs/request | × Bulkhead | requests/s per core | requests/s | CPU used | \
         RSS MB: peak, early → end | |\n|---|---|---|---|---|---|---|---|\n",
    );
    let ours = of_bulkhead(rows, Sample::cpu_us_per_request);
    for row in rows {
        let Some(cpu) = row.spread(Sample::cpu_us_per_request) else {
            text.push_str(&format!("| {} | failed | | | | | | |\n", row.name));
            continue;
        };
        let figure = |figure: fn(&Sample) -> f64| row.median(figure).unwrap_or(0.0);
        let ratio = ours.map_or_else(|| "–".to_owned(), |ours| format!("{:.2}", cpu.median / ours));
        text.push_str(&format!(
            "| {} | {:.2} [{:.2}–{:.2}] | {ratio} | {:.0} | {:.0} | {:.2} | {:.1}, {:.1} → {:.1} | {} |\n",
            row.name,
            cpu.median,
            cpu.min,
            cpu.max,
            figure(Sample::requests_per_core),
            figure(Sample::rate),
            figure(Sample::utilization),
            figure(|sample| sample.rss_mb),
            figure(|sample| sample.rss_early_mb),
            figure(|sample| sample.rss_last_mb),
            row.note,
        ));
    }
    text
}

fn row_json(row: &Row) -> Value {
    let spread = |figure: fn(&Sample) -> f64| row.spread(figure).map(|it| it.json());
    let round = |sample: &Sample| {
        json!({
            "requests": sample.told.answers,
            "seconds": rounded(sample.told.seconds),
            "cpu_us_per_request": rounded(sample.cpu_us_per_request()),
            "cpu_used": rounded(sample.utilization()),
            "rss_mb": rounded(sample.rss_mb),
            "rss_early_mb": rounded(sample.rss_early_mb),
            "rss_last_mb": rounded(sample.rss_last_mb),
        })
    };
    json!({
        "peer": row.name,
        "note": row.note,
        "cpu_us_per_request": spread(Sample::cpu_us_per_request),
        "requests_per_second": spread(Sample::rate),
        "requests_per_second_per_core": spread(Sample::requests_per_core),
        "rss_mb": spread(|sample| sample.rss_mb),
        "rounds": row.samples.iter().map(round).collect::<Vec<_>>(),
        "failures": row.failures,
    })
}
