//! The results to read, in a few lines.

use std::io::{self, Write};

use bulkhead_load::{Excluded, Summary};

use super::coordinator::AgentsDocument;
use super::document::Document;

/// Writes the summary of a run.
pub(crate) fn print(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    print_requests(document, out)?;
    print_times(document, out)?;
    print_answers(document, out)?;
    for judged in &document.assertions {
        let word = if judged.holds { "holds" } else { "FAILED" };
        writeln!(out, "assertion    {}: {word}", judged.assertion)?;
    }
    if document.arrivals == "closed" {
        writeln!(out, "note         closed loop: latency leaves out what it waited for")?;
    }
    for reason in &document.invalid_reasons {
        writeln!(out, "INVALID      {reason}")?;
    }
    Ok(())
}

fn print_requests(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let requests = &document.requests;
    writeln!(out, "target       {} (seed {})", document.target, document.seed)?;
    writeln!(
        out,
        "requests     {} sent, {} ok, {} failed ({} unsent, {} of them dropped), {} late",
        requests.sent,
        requests.ok,
        requests.failed,
        requests.unsent,
        requests.dropped,
        requests.late
    )?;
    if requests.retries > 0 {
        writeln!(out, "retries      {}", requests.retries)?;
    }
    if document.excluded.scheduled > 0 {
        let Excluded { sent, ok, failed, .. } = document.excluded;
        writeln!(out, "not counted  {sent} sent, {ok} ok, {failed} failed: warm-up and cool-down")?;
    }
    writeln!(out, "throughput   {:.1} ok/s", document.throughput_rps)
}

fn print_times(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let generator = &document.generator;
    let heads = ["p50", "p90", "p99", "p999", "max"].map(|head| format!(" {head:>9}")).concat();
    writeln!(out, "ms          {heads}")?;
    let line = |s: &Summary| {
        [s.p50, s.p90, s.p99, s.p999, s.max].map(|value| format!(" {value:>9.3}")).concat()
    };
    for (name, summary) in [
        ("latency", &document.latency_ms),
        ("service", &document.service_ms),
        ("lag", &generator.lag_ms),
    ] {
        writeln!(out, "  {name:<10}{}", line(summary))?;
    }
    if document.classes.len() > 1 {
        for class in &document.classes {
            let (name, times) = (&class.name, line(&class.latency_ms));
            writeln!(out, "  {name:<10}{times}   {} ok, {} failed", class.ok, class.failed)?;
        }
    }
    writeln!(
        out,
        "generator    {:.1} us CPU per request, {:.0} % of one core",
        generator.cpu_us_per_request,
        generator.cpu_share * 100.0
    )
}

fn print_answers(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let connections = &document.connections;
    if connections.tls_handshakes > 0 {
        writeln!(
            out,
            "connections  {} opened, {} TLS handshakes, {} of them resumed",
            connections.opened, connections.tls_handshakes, connections.tls_resumed
        )?;
    }
    for line in document.agents.iter().flat_map(AgentsDocument::lines) {
        writeln!(out, "agent        {line}")?;
    }
    let statuses = document.statuses.iter().map(|(class, count)| format!("{class}: {count}"));
    let statuses: Vec<String> = statuses.collect();
    if !statuses.is_empty() {
        writeln!(out, "answers      {}", statuses.join(", "))?;
    }
    for (kind, count) in &document.errors {
        writeln!(out, "error        {kind}: {count}")?;
    }
    if let Some(sample) = document.failure_samples.first() {
        let (kind, at_s, detail) = (sample.kind, sample.at_s, &sample.detail);
        writeln!(out, "first error  {kind} at {at_s:.3} s: {detail}")?;
    }
    Ok(())
}
