//! The results as text, for standard output.

use std::io::{self, IsTerminal, Write};

use crate::page::number;

use super::document::Document;
use super::verdict::sentence;

/// Prints figures, checks and verdict.
pub(crate) fn print(document: &Document, out: &mut impl Write) -> io::Result<()> {
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    figures(document, out)?;
    link(document, out)?;
    failures(document, out)?;
    checks(document, out)?;
    let verdict = document.verdict.to_uppercase();
    let verdict = match (colour, document.passed()) {
        (false, _) => verdict,
        (true, true) => format!("\x1b[1;32m{verdict}\x1b[0m"),
        (true, false) => format!("\x1b[1;31m{verdict}\x1b[0m"),
    };
    against(document, out)?;
    let partial = if document.partial { " (partial: the run was interrupted)" } else { "" };
    writeln!(
        out,
        "\nverdict: {verdict}{partial}: {} (exit status {})",
        sentence(document.outcome),
        document.exit_status
    )?;
    writeln!(out, "replay:  {}", document.command)
}

fn figures(document: &Document, out: &mut impl Write) -> io::Result<()> {
    let Document { requests, workers, memory, .. } = document;
    writeln!(
        out,
        "\n{:<8}{:>12}{:>12}{:>9}{:>11}{:>11}{:>11}{:>11}",
        "", "sent", "ok", "failed", "p50 ms", "p99 ms", "p99.9 ms", "max ms"
    )?;
    let all = ("all", requests.sent, requests.ok, requests.failed, document.latency_ms);
    let classes = document
        .protocols()
        .map(|(name, class)| (name, class.sent, class.ok, class.failed, class.latency_ms));
    for (name, sent, ok, failed, latency) in classes.chain([all]) {
        writeln!(
            out,
            "{name:<8}{sent:>12}{ok:>12}{failed:>9}{:>11.3}{:>11.3}{:>11.3}{:>11.3}",
            latency.p50, latency.p99, latency.p999, latency.max
        )?;
    }
    writeln!(
        out,
        "\n{:.0} requests/s over {:.0} s; gateway CPU {:.2} µs per request; memory {:.1} MiB ({:+.1} MiB)",
        document.throughput_rps,
        document.duration_s,
        document.cpu_us_per_request,
        mebibytes(memory.rss_end_bytes as f64),
        mebibytes(memory.rss_growth_bytes as f64),
    )?;
    writeln!(
        out,
        "kills: {} over {} workers; {} connections and {} requests in flight went on elsewhere; {} connections lost\n",
        workers.killed,
        workers.count,
        workers.evacuated_connections,
        workers.evacuated_requests,
        workers.lost_connections,
    )
}

/// Asked and measured, and what the link alone costs.
fn link(document: &Document, out: &mut impl Write) -> io::Result<()> {
    let Some(link) = &document.link else { return Ok(()) };
    writeln!(
        out,
        "link: lost {:.2} % of {} packets to the server ({:.2} to {:.2}), {:.2} % of {} back ({:.2} to {:.2}); \
         mean delay {:.1} ms; {}",
        link.upstream.loss_percent,
        link.upstream.packets,
        link.upstream.loss_percent_low,
        link.upstream.loss_percent_high,
        link.downstream.loss_percent,
        link.downstream.packets,
        link.downstream.loss_percent_low,
        link.downstream.loss_percent_high,
        link.upstream.delay_mean_ms,
        link.congestion_control,
    )?;
    writeln!(
        out,
        "p99: {:.0} ms measured; this link alone costs {:.0} ms, and {:.0} ms where each loss waits for its \
         time-out\n",
        document.latency_ms.p99, link.floor.p99_ms, link.floor.p99_by_time_out_ms,
    )
}

/// The article's columns.
fn against(document: &Document, out: &mut impl Write) -> io::Result<()> {
    if document.against.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<10}{:>10}{:>12}{:>14}{:>6}{:>8}  note",
        "", "ok/s", "p99 ms", "rss growth", "oom", "lost"
    )?;
    let mut row = |name: &str, ok: f64, p99: f64, growth: i64, oom: u64, lost: u64, note: &str| {
        let growth = format!("{:+.1} MiB", mebibytes(growth as f64));
        writeln!(out, "{name:<10}{ok:>10.0}{p99:>12.3}{growth:>14}{oom:>6}{lost:>8}  {note}")
    };
    let (memory, requests) = (&document.memory, &document.requests);
    row(
        "bulkhead",
        document.throughput_rps,
        document.latency_ms.p99,
        memory.rss_growth_bytes,
        document.oom_events,
        requests.failed,
        if document.jwt { "with tokens" } else { "without tokens" },
    )?;
    for peer in document.against.iter().filter(|peer| peer.error.is_none()) {
        row(
            peer.name,
            peer.throughput_rps,
            peer.p99_ms,
            peer.rss_growth_bytes,
            peer.oom_events,
            peer.requests_lost,
            &peer.note,
        )?;
    }
    for peer in &document.against {
        if let Some(error) = &peer.error {
            writeln!(out, "{:<10}{error}", peer.name)?;
        }
    }
    Ok(())
}

fn failures(document: &Document, out: &mut impl Write) -> io::Result<()> {
    for sample in document.failure_samples.iter().take(5) {
        writeln!(
            out,
            "failed at {:.3} s: {} {}: {}",
            sample.at_s, sample.class, sample.kind, sample.detail
        )?;
    }
    Ok(())
}

fn checks(document: &Document, out: &mut impl Write) -> io::Result<()> {
    for check in &document.checks {
        let mark = if check.pass { "ok  " } else { "FAIL" };
        writeln!(
            out,
            "{mark} {:<32} {} (must be {})",
            check.name,
            number(check.value),
            check.limit
        )?;
    }
    Ok(())
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::prove::document::tests::document;

    #[test]
    fn the_table_tells_figures_checks_and_verdict() {
        let mut out = Vec::new();
        print(&document(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "http2            216         216        0      0.512      1.234      4.500      9.876",
            "all              306",
            "held               6",
            "100 requests/s over 3 s; gateway CPU 9.80 µs per request; memory 51.0 MiB (+1.0 MiB)",
            "kills: 1 over 8 workers; 4 connections and 11 requests in flight",
            "ok   requests_failed                  0 (must be = 0)",
            "verdict: PASS: all held (exit status 0)\n",
            "--rate 100 --workers 8 --connections 32 --seed 42",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
