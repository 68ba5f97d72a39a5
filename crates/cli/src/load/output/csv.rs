//! A line per second, for spreadsheets. The head line's names are stable; new ones come at its end.

use std::fmt::Write;

use bulkhead_load::LoadReport;

/// All rows under a head line.
pub(crate) fn csv(report: &LoadReport) -> String {
    let mut text = "second,scheduled,ok,failed,p50_ms,p90_ms,p99_ms,p999_ms,max_ms,lag_ms_max,\
                    in_flight,waiting,connections,failures\n"
        .to_owned();
    for row in &report.rows {
        let s = &row.latency_ms;
        // Kinds are words, so nothing has to be quoted.
        let failures: Vec<String> =
            row.failures.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            row.second,
            row.scheduled,
            row.ok,
            row.failed,
            s.p50,
            s.p90,
            s.p99,
            s.p999,
            s.max,
            row.lag_ms_max,
            row.in_flight,
            row.waiting,
            row.connections,
            failures.join(";")
        );
    }
    text
}

#[cfg(test)]
mod tests;
