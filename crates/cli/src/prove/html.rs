//! The report: one HTML file that needs nothing else. Style, script, charts and the whole results are
//! within it; it fetches nothing, and reads well without its script, in the dark and on paper.

use std::fmt::Write;

use bulkhead_message::CivilTime;

use crate::page::{self, Frame, escape, figure, grouped, number};

use super::document::Document;
use super::table::mebibytes;
use super::verdict::sentence;

mod charts;
mod lanes;
mod tables;
mod weather;

/// Renders the report; `json` is the document as `--json` writes it.
pub(crate) fn render(document: &Document, json: &str) -> String {
    let mut page = String::new();
    header(&mut page, document);
    tiles(&mut page, document);
    let throughput = match document.link {
        Some(_) => "Right answers in each second. The link's faults are in force throughout.",
        None => "Right answers in each second.",
    };
    figure(&mut page, "Throughput", throughput, &charts::throughput(document));
    figure(
        &mut page,
        "Latency",
        "From the time at which each request was meant to be sent to its whole, checked answer. \
         Logarithmic.",
        &charts::latency(document),
    );
    lanes::card(&mut page, document);
    weather::against(&mut page, document);
    weather::link(&mut page, document);
    tables::checks(&mut page, document);
    tables::protocols(&mut page, document);
    tables::kills(&mut page, document);
    tables::failures(&mut page, document);
    figure(
        &mut page,
        "Memory",
        "Of the whole process: gateway, load generator and upstreams together.",
        &charts::memory(document),
    );
    page += "<div class=\"columns\">\n";
    environment(&mut page, document);
    method(&mut page, document);
    page += "</div>\n";
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>Make the same run again</h2><pre>{}</pre></section>",
        escape(&document.command)
    );
    let tone = document.verdict;
    Frame { title: &format!("Bulkhead prove: {tone}"), tone, json }.around(&page)
}

fn header(page: &mut String, document: &Document) {
    let Document { requests, workers, .. } = document;
    let sentence = if document.passed() {
        let kills = match workers.killed {
            0 => String::new(),
            1 => " while 1 worker was killed under them".to_owned(),
            count => format!(" while {count} workers were killed under them"),
        };
        format!("All {} requests got their right answer{kills}.", grouped(requests.ok))
    } else {
        let failed = document.checks.iter().filter(|check| !check.pass).count();
        format!(
            "{}: {failed} of {} checks failed; {} of {} requests did not get their right answer.",
            capital(sentence(document.outcome)),
            document.checks.len(),
            grouped(requests.failed),
            grouped(requests.scheduled)
        )
    };
    let link = document.link.as_ref().map_or_else(String::new, |link| {
        format!(
            ", {} link with {} % loss each way and {} ± {} ms",
            link.place, link.loss_percent, link.delay_ms, link.jitter_ms
        )
    });
    let partial =
        if document.partial { " The run was interrupted: this is its first part." } else { "" };
    let _ = write!(
        page,
        "<p class=\"brand\">Bulkhead · prove</p>\n<header class=\"head\"><div class=\"badge\">{}</div>\
         <div><h1>{sentence}</h1><p>{:.0} s at {} requests/s offered, {} workers, {} connections, {}{link}.{partial}</p>\
         </div></header>\n",
        document.verdict.to_uppercase(),
        document.duration_s,
        grouped(document.offered_rps.round() as u64),
        workers.count,
        document.connections,
        if document.jwt { "an RS256 token checked on each request" } else { "without tokens" },
    );
}

fn tiles(page: &mut String, document: &Document) {
    let Document { requests, workers, memory, latency_ms, .. } = document;
    let connections = format!("{} lost", workers.lost_connections);
    let tiles = [
        ("Right answers", grouped(requests.ok), "every byte checked".to_owned()),
        ("Failed requests", grouped(requests.failed), format!("{} never sent", requests.unsent)),
        (
            "Throughput",
            grouped(document.throughput_rps.round() as u64),
            "right answers/s".to_owned(),
        ),
        (
            "Latency, 99 %",
            format!("{} ms", number(latency_ms.p99)),
            document.link.as_ref().map_or_else(
                || format!("median {} · max {} ms", number(latency_ms.p50), number(latency_ms.max)),
                |link| format!("the link alone: {:.0} ms or more", link.floor.p99_ms),
            ),
        ),
        (
            "Workers killed",
            workers.killed.to_string(),
            format!("{} of {} at work at the end", workers.alive_at_end, workers.count),
        ),
        ("Connections carried over", grouped(workers.evacuated_connections), connections),
        (
            "Gateway CPU per request",
            format!("{:.1} µs", document.cpu_us_per_request),
            "its worker threads alone".to_owned(),
        ),
        (
            "Memory growth",
            signed_mebibytes(memory.rss_growth_bytes as f64),
            format!("from {:.1} MiB", mebibytes(memory.rss_start_bytes as f64)),
        ),
    ];
    page::tiles(page, &tiles);
}

fn environment(page: &mut String, document: &Document) {
    let environment = &document.environment;
    let rows = [
        ("Version", format!("{} ({} build)", environment.version, environment.build)),
        ("Commit", environment.commit.to_owned()),
        ("Processor", format!("{} × {}", environment.cpus, environment.cpu)),
        ("Memory", format!("{:.1} GiB", mebibytes(environment.memory_bytes as f64) / 1_024.0)),
        ("Kernel", format!("{} ({})", environment.kernel, environment.architecture)),
        ("Ended", CivilTime::from_unix(document.ended_unix_s).to_string()),
        ("Seed", document.seed.to_string()),
        ("Profile", document.profile.clone()),
        ("Congestion control", document.congestion_control.clone()),
    ];
    page::facts(page, "Where", &rows);
}

fn method(page: &mut String, document: &Document) {
    let rate = match &document.calibration {
        Some(calibration) => format!(
            "A closed loop reached {} requests/s on this machine; the run offers a share of it that an \
             open loop sustained.",
            grouped(calibration.capacity_rps.round() as u64)
        ),
        None => "The rate was given.".to_owned(),
    };
    let tokens = if document.jwt {
        format!("Each request carries one of {} RS256 tokens, drawn at random.", document.tokens)
    } else {
        "No tokens are used.".to_owned()
    };
    let kills = document.kill_interval_s.zip(document.kill_share_percent);
    let kills = kills.map_or_else(String::new, |(interval, share)| {
        format!(
            "<li>{} % of the workers are killed every {} s: at least one, never all, rounded at random \
             so that the mean holds.</li>",
            number(share),
            number(interval)
        )
    });
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>How</h2><ul>\
         <li>Open loop, Poisson arrivals: requests are sent at their time, whether or not earlier ones \
         were answered. {rate}</li>\
         <li>{:.0} % HTTP/2 and {:.0} % gRPC over cleartext HTTP/2, for random users, on connections that \
         live {} s on average. {tokens}</li>\
         <li>An answer is right if status, headers, every byte of its body and its trailers are. The \
         client retries nothing.</li>\
         <li>Generator lag, 99 %: {} ms. It is part of every latency above.</li>\
         {kills}\
         <li>Generator, gateway and upstreams share the processors of one machine.</li></ul></section>",
        document.http2_percent,
        100.0 - document.http2_percent,
        document.connection_life_s,
        number(document.client.lag_ms.p99),
    );
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Mebibytes with a sign that reads as one.
fn signed_mebibytes(bytes: f64) -> String {
    format!("{:+.1} MiB", mebibytes(bytes)).replace('-', "−")
}

#[cfg(test)]
mod tests;
