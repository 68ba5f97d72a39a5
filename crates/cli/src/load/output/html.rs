//! The report as one HTML file that needs nothing else: the verdict, the key figures, how they went
//! over time, and how to make the same run again. It judges nothing: the document did.

use std::fmt::Write;

use bulkhead_load::LoadReport;
use bulkhead_message::CivilTime;

use crate::page::{self, Frame, escape, figure, grouped, number};

use super::{Document, Provenance};

mod charts;
mod curve;
mod slot;
mod tables;

pub(crate) use curve::Curve;

/// What the report is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'a> {
    pub(crate) document: &'a Document,
    pub(crate) report: &'a LoadReport,
    pub(crate) provenance: &'a Provenance,
    /// Of a search for the highest rate; may be empty.
    pub(crate) curves: &'a [Curve],
}

/// Renders the report.
pub(crate) fn html(contents: &Contents<'_>) -> String {
    let Contents { document, report, provenance, curves } = contents;
    let (tone, badge) = verdict(document);
    let mut page = String::new();
    header(&mut page, document, report, (tone, badge));
    tiles(&mut page, document, report);
    tables::assertions(&mut page, document);
    for curve in *curves {
        figure(&mut page, &escape(&curve.title), &escape(&curve.note), &curve.html());
    }
    figures(&mut page, report);
    tables::classes(&mut page, report);
    page += "<div class=\"columns\">\n";
    tables::errors(&mut page, report);
    tables::statuses(&mut page, report);
    page += "</div>\n";
    tables::failures(&mut page, report);
    facts(&mut page, document, report, provenance);
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>Make the same run again</h2><pre>{}</pre></section>",
        escape(&provenance.command)
    );
    // The document holds numbers and texts only.
    let json = serde_json::to_string(document).unwrap_or_default();
    Frame { title: &format!("Bulkhead load: {badge}"), tone, json: &json }.around(&page)
}

/// Tone and word.
fn verdict(document: &Document) -> (&'static str, &'static str) {
    match (document.valid, document.holds(), document.assertions.is_empty()) {
        (false, ..) => ("invalid", "invalid"),
        (true, false, _) => ("fail", "fail"),
        (true, true, false) => ("pass", "pass"),
        (true, true, true) => ("pass", "valid"),
    }
}

fn header(
    page: &mut String,
    document: &Document,
    report: &LoadReport,
    (tone, badge): (&str, &str),
) {
    let requests = &document.requests;
    let all = document.assertions.len();
    let failed = document.assertions.iter().filter(|judged| !judged.holds).count();
    let sentence = match (tone, all) {
        ("invalid", _) => "These figures say nothing about the target.".to_owned(),
        ("fail", _) => format!("{failed} of {all} assertions failed."),
        (_, 0) => format!(
            "{} of {} requests got their right answer.",
            grouped(requests.ok),
            grouped(requests.scheduled)
        ),
        (_, 1) => "The assertion holds.".to_owned(),
        _ => format!("All {all} assertions hold."),
    };
    let reasons = if document.invalid_reasons.is_empty() {
        String::new()
    } else {
        format!("<p><strong>Why:</strong> {}.</p>", escape(&document.invalid_reasons.join("; ")))
    };
    let pace = if document.arrivals == "closed" {
        "Closed loop: latency leaves out what it waited for.".to_owned()
    } else {
        let rate = report.scheduled as f64 / report.duration_s.max(1e-3);
        format!("Open loop, about {} requests/s.", grouped(rate.round() as u64))
    };
    let _ = writeln!(
        page,
        "<p class=\"brand\">Bulkhead · load</p>\n<header class=\"head\"><div class=\"badge\">{}</div>\
         <div><h1>{sentence}</h1>{reasons}<p class=\"target\">{}</p><p>{:.1} s measured. {pace}</p>\
         </div></header>",
        badge.to_uppercase(),
        escape(&document.target),
        document.duration_s,
    );
}

fn tiles(page: &mut String, document: &Document, report: &LoadReport) {
    let Document { requests, latency_ms, service_ms, generator, connections, .. } = document;
    let share = |part: u64| percent(part as f64 / requests.scheduled.max(1) as f64);
    let spread =
        |s: &bulkhead_load::Summary| format!("median {} · max {} ms", number(s.p50), number(s.max));
    let tls = if connections.tls_handshakes == 0 {
        String::new()
    } else {
        format!(" · {} of {} TLS resumed", connections.tls_resumed, connections.tls_handshakes)
    };
    let tiles = [
        ("Right answers", grouped(requests.ok), format!("{} of all", share(requests.ok))),
        (
            "Failed requests",
            grouped(requests.failed),
            format!("{} of all · {} never sent", share(requests.failed), grouped(requests.unsent)),
        ),
        (
            "Throughput",
            grouped(document.throughput_rps.round() as u64),
            "right answers/s".to_owned(),
        ),
        ("Latency, 99 %", format!("{} ms", number(latency_ms.p99)), spread(latency_ms)),
        ("Service time, 99 %", format!("{} ms", number(service_ms.p99)), spread(service_ms)),
        (
            "Generator lag, 99 %",
            format!("{} ms", number(generator.lag_ms.p99)),
            format!("max {} ms · {} late", number(generator.lag_ms.max), grouped(report.late)),
        ),
        (
            "Generator CPU",
            format!("{:.1} µs", generator.cpu_us_per_request),
            format!("per request · {} of a core", percent(generator.cpu_share)),
        ),
        (
            "Connections",
            grouped(connections.opened),
            format!("{} lost{tls}", grouped(connections.lost)),
        ),
    ];
    page::tiles(page, &tiles);
}

fn figures(page: &mut String, report: &LoadReport) {
    let slots = slot::slots(&report.rows);
    let worst = slots.first().map_or(1, |slot| slot.seconds);
    let merged = if worst > 1 {
        format!(" Each point is the worst second of {worst}.")
    } else {
        String::new()
    };
    figure(
        page,
        "Throughput",
        "Answers in each second, and the requests that fell due in it.",
        &charts::throughput(&slots),
    );
    figure(
        page,
        "Latency over time",
        &format!(
            "From the time at which each request was meant to be sent to its whole, checked answer. \
             Logarithmic.{merged}"
        ),
        &charts::latency(&slots),
    );
    figure(
        page,
        "Latency by percentile",
        "Latency counts from the intended send time, service time from the actual one. Where the lines \
         part, requests waited before they were sent: a generator that waits for answers would have \
         shown the lower line only (coordinated omission). Both axes are logarithmic.",
        &charts::percentiles(report),
    );
    figure(
        page,
        "Generator lag",
        &format!(
            "How late the generator took requests up at worst: part of every latency above. If it \
             comes near the latencies, distrust them.{merged}"
        ),
        &charts::lag(&slots),
    );
    figure(
        page,
        "In flight",
        "At the end of each second: requests without an answer, those that wait for a stream or a \
         connection, and connections that are up.",
        &charts::in_flight(&slots),
    );
}

fn facts(page: &mut String, document: &Document, report: &LoadReport, provenance: &Provenance) {
    let (requests, excluded, up) = (&document.requests, &report.excluded, &document.connections);
    *page += "<div class=\"columns\">\n";
    page::facts(
        page,
        "Requests",
        &[
            ("Due", grouped(requests.scheduled)),
            ("Sent", grouped(requests.sent)),
            ("Never sent", format!("{} ({} dropped)", requests.unsent, report.dropped)),
            ("Sent over 10 ms late", grouped(requests.late)),
            ("Sent again", grouped(report.retries)),
            ("Warm-up and cool-down", grouped(excluded.scheduled)),
        ],
    );
    page::facts(
        page,
        "Connections",
        &[
            ("Opened", grouped(up.opened)),
            ("Lost", grouped(up.lost)),
            ("Failed to open", grouped(up.connects_failed)),
            ("Of these in TLS", grouped(up.tls_failed)),
            ("Of these for want of ports", grouped(up.exhausted)),
            ("TLS handshakes", format!("{} ({} resumed)", up.tls_handshakes, up.tls_resumed)),
        ],
    );
    *page += "</div>\n<div class=\"columns\">\n";
    let generator = &document.generator;
    page::facts(
        page,
        "Generator",
        &[
            ("Lag, 50 / 99 / 99.9 %", {
                let lag = &generator.lag_ms;
                format!("{} / {} / {} ms", number(lag.p50), number(lag.p99), number(lag.p999))
            }),
            ("CPU per request", format!("{:.1} µs", generator.cpu_us_per_request)),
            ("CPU of a core", percent(generator.cpu_share)),
            ("Time stolen", percent(generator.steal_share)),
        ],
    );
    page::facts(
        page,
        "Run",
        &[
            ("Version", provenance.version.clone()),
            ("Ended", CivilTime::from_unix(provenance.ended_unix_s).to_string()),
            ("Seed", document.seed.to_string()),
            ("Arrivals", format!("{} loop", document.arrivals)),
        ],
    );
    *page += "</div>\n";
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.01 {
        return "< 0.01 %".to_owned();
    }
    let text = format!("{percent:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
