//! What came of it: a table, a picture, the record, and whether the bars are met. Measures nothing.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::clients::Latency;
use super::{FEW, KINDS, MANY, RATE, Row, Sample, plot};
use crate::bench::record::Record;
use crate::bench::spread::{Spread, rounded};
use crate::command::root;
use crate::markers;

/// Memory of an idle connection in cleartext, KiB at most.
const KIB_MAX: f64 = 8.0;
/// P99 beside many idle connections over that beside few, at most; and a difference below which the
/// ratio is noise of the machine.
const P99_RATIO_MAX: f64 = 1.25;
const P99_NOISE_MS: f64 = 0.25;

impl Row {
    fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(figure))
    }

    pub(super) fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        self.spread(figure).map_or(f64::NAN, |spread| spread.median)
    }

    fn lost(&self) -> u32 {
        self.samples.iter().map(|sample| sample.lost).max().unwrap_or(0)
    }
}

/// A generator that was later than this was not the one to measure with, P99.
const LAG_MAX_MS: f64 = 1.0;

/// Prints all of it. A run that left nothing out is kept.
pub(super) fn tell(rows: &[Row], record: &Record, whole: bool) -> Result<()> {
    let text = table(rows, record.date());
    println!("{text}");
    record.write("idle", document(rows))?;
    if whole {
        fs::write(root().join("docs/images/idle.svg"), plot::svg(rows))
            .context("write the plot")?;
        markers::write(&root().join("docs/idle.md"), "idle", &text)?;
    }
    let looks = rows.iter().flat_map(|row| &row.samples).flat_map(|it| [&it.few, &it.many]);
    let lag = looks.map(|state| state.latency.lag_p99_ms).fold(0.0, f64::max);
    if lag > LAG_MAX_MS {
        println!(
            "the generator was {lag:.1} ms behind at P99 at worst: latencies are not to be trusted"
        );
    }
    for line in rows.iter().filter(|row| row.peer.name == "bulkhead").flat_map(verdicts) {
        println!("{line}");
    }
    Ok(())
}

fn verdicts(row: &Row) -> Vec<String> {
    let kind = row.kind.name;
    let says = |met: bool| if met { "met" } else { "MISSED" };
    let mut lines = Vec::new();
    if !row.failures.is_empty() {
        lines.push(format!("bar MISSED: {kind}, {} rounds failed", row.failures.len()));
    }
    if !row.kind.tls {
        let kib = row.median(|sample| sample.resident_kib);
        let met = says(kib <= KIB_MAX);
        lines.push(format!(
            "bar {met}: {kind}, {kib:.2} KiB per idle connection, at most {KIB_MAX}"
        ));
    }
    let few = row.median(|sample| sample.few.latency.p99_ms);
    let many = row.median(|sample| sample.many.latency.p99_ms);
    let met = says(many <= few * P99_RATIO_MAX || many - few <= P99_NOISE_MS);
    lines.push(format!(
        "bar {met}: {kind}, P99 {many:.2} ms beside {MANY} idle ones, {few:.2} beside {FEW}"
    ));
    let lost = row.lost();
    lines.push(format!("bar {}: {kind}, {lost} idle connections were lost", says(lost == 0)));
    lines
}

fn table(rows: &[Row], date: &str) -> String {
    let mut text = format!(
        "`cargo xtask bench idle`, {date}: growth of memory from {FEW} to {MANY} idle connections, CPU time while \
         nothing\nhappens, and latency of {RATE} requests/s beside them (P50 / P99 / P99.9, ms); medians of \
         {} rounds.\n\n![Memory of an idle connection by gateway and protocol](images/idle.svg)\n\n\
         | | KiB per idle connection (PSS) | CPU ms/s idle, {FEW} → {MANY} | latency beside {FEW} | \
         beside {MANY} | lost |\n|---|---|---|---|---|---|\n",
        rows.iter().map(|row| row.samples.len()).max().unwrap_or(0),
    );
    for kind in &KINDS {
        for row in rows.iter().filter(|row| row.kind == kind) {
            text.push_str(&line(row));
        }
    }
    text
}

fn line(row: &Row) -> String {
    if row.samples.is_empty() {
        return format!("| {}: {} | failed | – | – | – | – |\n", row.kind.title, row.peer.name);
    }
    let latency = |of: fn(&Sample) -> Latency| {
        let median = |figure: fn(Latency) -> f64| row.median(|sample| figure(of(sample)));
        let (p50, p99) = (median(|it| it.p50_ms), median(|it| it.p99_ms));
        format!("{p50:.2} / {p99:.2} / {:.2}", median(|it| it.p999_ms))
    };
    format!(
        "| {}: {} | {:.2} ({:.2}) | {:.1} → {:.1} | {} | {} | {} |\n",
        row.kind.title,
        row.peer.name,
        row.median(|sample| sample.resident_kib),
        row.median(|sample| sample.proportional_kib),
        row.median(|sample| sample.few.idle_cpu_ms),
        row.median(|sample| sample.many.idle_cpu_ms),
        latency(|sample| sample.few.latency),
        latency(|sample| sample.many.latency),
        row.lost(),
    )
}

fn document(rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "peer": row.peer.name,
                "kind": row.kind.name,
                "resident_kib": row.spread(|sample| sample.resident_kib).map(|it| it.json()),
                "p99_ms_few": row.spread(|sample| sample.few.latency.p99_ms).map(|it| it.json()),
                "p99_ms_many": row.spread(|sample| sample.many.latency.p99_ms).map(|it| it.json()),
                "lost": row.lost(),
                "failures": row.failures,
                "rounds": row.samples.iter().map(sample_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "idle_connections": [FEW, MANY],
        "requests_per_second": RATE,
        "rows": rows,
    })
}

fn sample_json(sample: &Sample) -> Value {
    let state = |state: &super::State| {
        let mut told = state.latency.json();
        told["idle_cpu_ms_per_second"] = rounded(state.idle_cpu_ms).into();
        told
    };
    json!({
        "resident_kib_per_connection": rounded(sample.resident_kib),
        "proportional_kib_per_connection": rounded(sample.proportional_kib),
        "few": state(&sample.few),
        "many": state(&sample.many),
        "lost": sample.lost,
    })
}
