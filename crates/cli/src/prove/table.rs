//! The results as text, for standard output.

use std::io::{self, IsTerminal, Write};

use crate::page::number;

use super::against::PeerResult;
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
         mean delay {:.1} ms; {}, {}",
        link.upstream.loss_percent,
        link.upstream.packets,
        link.upstream.loss_percent_low,
        link.upstream.loss_percent_high,
        link.downstream.loss_percent,
        link.downstream.packets,
        link.downstream.loss_percent_low,
        link.downstream.loss_percent_high,
        link.upstream.delay_mean_ms,
        link.carrier,
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
    head(out)?;
    let ours = PeerResult {
        name: "bulkhead",
        note: if document.jwt { "with tokens" } else { "without tokens" }.to_owned(),
        throughput_rps: document.throughput_rps,
        p99_ms: document.latency_ms.p99,
        rss_growth_bytes: document.memory.rss_growth_bytes,
        oom_events: document.oom_events,
        requests_lost: document.requests.failed,
        ..PeerResult::default()
    };
    row(&ours, out)?;
    document.against.iter().try_for_each(|peer| row(peer, out))
}

/// The others alone.
pub(crate) fn peers(against: &[PeerResult], out: &mut impl Write) -> io::Result<()> {
    head(out)?;
    against.iter().try_for_each(|peer| row(peer, out))
}

fn head(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<10}{:>10}{:>12}{:>14}{:>6}{:>8}  note",
        "", "ok/s", "p99 ms", "rss growth", "oom", "lost"
    )
}

fn row(peer: &PeerResult, out: &mut impl Write) -> io::Result<()> {
    let PeerResult { name, throughput_rps, p99_ms, oom_events, requests_lost, note, .. } = peer;
    if let Some(error) = &peer.error {
        return writeln!(out, "{name:<10}{error}");
    }
    let growth = format!("{:+.1} MiB", mebibytes(peer.rss_growth_bytes as f64));
    writeln!(
        out,
        "{name:<10}{throughput_rps:>10.0}{p99_ms:>12.3}{growth:>14}{oom_events:>6}{requests_lost:>8}  {note}"
    )
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
