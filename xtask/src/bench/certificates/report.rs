//! What came of it: a table and the record. Measures nothing.

use anyhow::Result;
use serde_json::{Value, json};

use super::{HANDSHAKES, MANY, Row, Sample, State};
use crate::bench::idle::clients::Latency;
use crate::bench::record::Record;
use crate::bench::spread::{Spread, rounded};
use crate::command::root;
use crate::markers;

impl Row {
    fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        Spread::of(self.samples.iter().map(figure)).map_or(f64::NAN, |spread| spread.median)
    }
}

impl Sample {
    /// The slowest renewal, seconds.
    fn shown_s_max(&self) -> f64 {
        self.renewals.shown_s.iter().copied().fold(0.0, f64::max)
    }

    fn kib_per_certificate(&self) -> f64 {
        (self.many.resident_mib - self.one.resident_mib) * 1024.0 / (MANY - 1) as f64
    }
}

/// Prints all of it. A run that left nothing out is kept.
pub(super) fn tell(rows: &[Row], record: &Record, whole: bool) -> Result<()> {
    let text = table(rows, record.date());
    println!("{text}");
    record.write("certificates", document(rows))?;
    if whole {
        markers::write(&root().join("docs/idle.md"), "certificates", &text)?;
    }
    Ok(())
}

fn table(rows: &[Row], date: &str) -> String {
    let mut text = format!(
        "`cargo xtask bench certificates`, {date}: {MANY} certificates (ECDSA P-256) beside one; medians of {} \
         rounds.\n\n| |",
        rows.first().map_or(0, |row| row.samples.len()),
    );
    for row in rows {
        text.push_str(&format!(" {} |", row.peer.name));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(rows.len())));
    let mut line = |name: &str, cell: &dyn Fn(&Row) -> String| {
        let cells: Vec<String> = rows.iter().map(cell).collect();
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    };
    line("until it listens, s: one → many", &|row| {
        let (one, many) = (row.median(|it| it.one.start_s), row.median(|it| it.many.start_s));
        format!("{one:.2} → {many:.2}")
    });
    line("memory per certificate, KiB", &|row| {
        format!("{:.1}", row.median(Sample::kib_per_certificate))
    });
    line("CPU of a full handshake, µs: one → many", &|row| {
        let one = row.median(|it| it.one.handshake_cpu_us);
        format!("{one:.0} → {:.0}", row.median(|it| it.many.handshake_cpu_us))
    });
    line("until a renewed one is shown, s: slowest", &|row| {
        format!("{:.2}", row.median(Sample::shown_s_max))
    });
    line("P99 / P99.9 / max of requests, ms", &|row| latency(row, |it| it.quiet));
    line("the same while certificates are renewed", &|row| latency(row, |it| it.renewing));
    text
}

fn latency(row: &Row, of: fn(&Sample) -> Latency) -> String {
    let median = |figure: fn(Latency) -> f64| row.median(|sample| figure(of(sample)));
    let (p99, p999) = (median(|it| it.p99_ms), median(|it| it.p999_ms));
    format!("{p99:.2} / {p999:.2} / {:.1}", median(|it| it.max_ms))
}

fn document(rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "peer": row.peer.name,
                "renewed_by": format!("{:?}", row.way),
                "kib_per_certificate": rounded(row.median(Sample::kib_per_certificate)),
                "shown_s_max": rounded(row.median(Sample::shown_s_max)),
                "rounds": row.samples.iter().map(sample_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "certificates": [1, MANY],
        "handshakes": HANDSHAKES,
        "rows": rows,
    })
}

fn sample_json(sample: &Sample) -> Value {
    let state = |state: &State| {
        json!({
            "start_s": rounded(state.start_s),
            "start_cpu_s": rounded(state.start_cpu_s),
            "resident_mib": rounded(state.resident_mib),
            "handshake_cpu_us": rounded(state.handshake_cpu_us),
            "handshake_p50_us": rounded(state.handshake_p50_us),
        })
    };
    json!({
        "one": state(&sample.one),
        "many": state(&sample.many),
        "quiet": sample.quiet.json(),
        "renewing": sample.renewing.json(),
        "shown_s": sample.renewals.shown_s.iter().map(|it| rounded(*it)).collect::<Vec<_>>(),
    })
}
