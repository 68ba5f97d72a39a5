//! The report: one HTML file that needs nothing else. Style, script, charts and the whole results are
//! within it; it fetches nothing, and reads well without its script, in the dark and on paper.

use std::fmt::Write;

use super::document::Document;
use super::plan::CONNECTION_LIFE;
use super::table::{mebibytes, number};

mod charts;
mod tables;

/// Renders the report; `json` is the document as `--json` writes it.
pub(crate) fn render(document: &Document, json: &str) -> String {
    let tone = document.verdict;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Bulkhead prove: {tone}</title>\n<style>\n{}</style>\n<main class=\"{tone}\">\n",
        include_str!("html/style.css")
    );
    header(&mut page, document);
    tiles(&mut page, document);
    chart(&mut page, "Throughput", "Right answers in each second.", &charts::throughput(document));
    chart(
        &mut page,
        "Latency",
        "From the time at which each request was meant to be sent to its whole, checked answer. \
         Logarithmic.",
        &charts::latency(document),
    );
    tables::checks(&mut page, document);
    tables::protocols(&mut page, document);
    tables::kills(&mut page, document);
    tables::failures(&mut page, document);
    chart(
        &mut page,
        "Memory",
        "Of the whole process: gateway, load generator and upstreams together.",
        &charts::memory(document),
    );
    page += "<div class=\"columns\">\n";
    environment(&mut page, document);
    method(&mut page, document);
    page += "</div>\n";
    let _ = write!(
        page,
        "<section class=\"card\"><h2>Make the same run again</h2><pre>{}</pre></section>\n</main>\n\
         <script type=\"application/json\" id=\"results\">{}</script>\n<script>\n{}</script>\n</html>\n",
        escape(&document.command),
        // `<` stands in texts only, and could end the element early or open a comment.
        json.replace('<', "\\u003c"),
        include_str!("html/script.js"),
    );
    page
}

fn header(page: &mut String, document: &Document) {
    let Document { requests, workers, .. } = document;
    let sentence = if document.passed() {
        format!(
            "All {} requests got their right answer while {} {} killed under them.",
            grouped(requests.ok),
            workers.killed,
            if workers.killed == 1 { "worker was" } else { "workers were" }
        )
    } else {
        let failed = document.checks.iter().filter(|check| !check.pass).count();
        format!(
            "{failed} of {} checks failed; {} of {} requests did not get their right answer.",
            document.checks.len(),
            grouped(requests.failed),
            grouped(requests.scheduled)
        )
    };
    let partial =
        if document.partial { " The run was interrupted: this is its first part." } else { "" };
    let _ = write!(
        page,
        "<p class=\"brand\">Bulkhead · prove</p>\n<header class=\"head\"><div class=\"badge\">{}</div>\
         <div><h1>{sentence}</h1><p>{:.0} s at {} requests/s offered, {} workers, {} connections, {}.{partial}</p>\
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
            format!("median {} · max {} ms", number(latency_ms.p50), number(latency_ms.max)),
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
    *page += "<section class=\"tiles\">\n";
    for (name, value, note) in tiles {
        let _ = writeln!(
            page,
            "<div class=\"tile\"><span>{name}</span><b>{value}</b><small>{note}</small></div>"
        );
    }
    *page += "</section>\n";
}

fn chart(page: &mut String, title: &str, note: &str, svg: &str) {
    let _ = writeln!(page, "<section class=\"card\"><h2>{title}</h2><p>{note}</p>{svg}</section>");
}

fn environment(page: &mut String, document: &Document) {
    let environment = &document.environment;
    let rows = [
        ("Version", format!("{} ({} build)", environment.version, environment.build)),
        ("Commit", environment.commit.to_owned()),
        ("Processor", format!("{} × {}", environment.cpus, environment.cpu)),
        ("Memory", format!("{:.1} GiB", mebibytes(environment.memory_bytes as f64) / 1_024.0)),
        ("Kernel", format!("{} ({})", environment.kernel, environment.architecture)),
        ("Ended", utc(document.ended_unix_s)),
        ("Seed", document.seed.to_string()),
        ("Profile", document.profile.to_owned()),
    ];
    *page += "<section class=\"card\"><h2>Where</h2><dl>\n";
    for (name, value) in rows {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    *page += "</dl></section>\n";
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
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>How</h2><ul>\
         <li>Open loop, Poisson arrivals: requests are sent at their time, whether or not earlier ones \
         were answered. {rate}</li>\
         <li>72 % HTTP/2 and 28 % gRPC over cleartext HTTP/2, for random users, on connections that \
         live {} s on average. {tokens}</li>\
         <li>An answer is right if status, headers, every byte of its body and its trailers are. The \
         client retries nothing.</li>\
         <li>Generator lag, 99 %: {} ms. It is part of every latency above.</li>\
         <li>15 % of the workers are killed every {} s: at least one, never all, rounded at random so \
         that the mean holds.</li>\
         <li>Generator, gateway and upstreams share the processors of one machine.</li></ul></section>",
        CONNECTION_LIFE.as_secs(),
        number(document.client.lag_ms.p99),
        number(document.kill_interval_s),
    );
}

/// Mebibytes with a sign that reads as one.
fn signed_mebibytes(bytes: f64) -> String {
    format!("{:+.1} MiB", mebibytes(bytes)).replace('-', "−")
}

/// A number with its thousands apart.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-11-24 04:05 UTC` from seconds since 1970 (civil-from-days, proleptic Gregorian).
fn utc(unix_s: u64) -> String {
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600, seconds % 3_600 / 60)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
