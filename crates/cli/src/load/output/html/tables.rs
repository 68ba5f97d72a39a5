//! The report's tables: assertions, classes, errors, statuses, failures.

use std::fmt::Write;

use bulkhead_load::LoadReport;

use crate::page::{escape, grouped, number};

use super::Document;

pub(super) fn assertions(page: &mut String, document: &Document) {
    if document.assertions.is_empty() {
        return;
    }
    *page += "<section class=\"card\"><h2>Assertions</h2><p>What had to hold, as it was asked \
              for.</p><table><tr><th scope=\"col\">Outcome<th scope=\"col\">Assertion</tr>\n";
    for judged in &document.assertions {
        let mark = if judged.holds { "ok\">✓ holds" } else { "bad\">✕ failed" };
        let _ = writeln!(
            page,
            "<tr><td class=\"mark {mark}</td><td><code>{}</code></td></tr>",
            escape(&judged.assertion)
        );
    }
    *page += "</table></section>\n";
}

pub(super) fn classes(page: &mut String, report: &LoadReport) {
    *page += "<section class=\"card\"><h2>By class</h2><p>Times in milliseconds, of right answers: \
              latency from the intended send time, service time from the actual one.</p><table><tr>\
              <th scope=\"col\">Class";
    for name in ["Sent", "Right", "Failed", "p50", "p90", "p99", "p99.9", "max"] {
        let _ = write!(page, "<th scope=\"col\" class=\"number\">{name}");
    }
    *page += "<th scope=\"col\" class=\"number\">service p50<th scope=\"col\" class=\"number\">service \
              p99<th scope=\"col\" class=\"number\">Body bytes</tr>\n";
    let bytes = report.classes.iter().map(|class| class.body_bytes).sum();
    let counts = (report.sent, report.ok, report.failed, bytes);
    let all = ("all", counts, report.latency_ms, report.service_ms);
    let classes = report.classes.iter().map(|class| {
        let counts = (class.sent, class.ok, class.failed, class.body_bytes);
        (class.name.as_str(), counts, class.latency_ms, class.service_ms)
    });
    // Of a single class the last line would say the same again.
    let all = (report.classes.len() != 1).then_some(all);
    for (name, (sent, ok, failed, bytes), latency, service) in classes.chain(all) {
        let total = if name == "all" { " class=\"total\"" } else { "" };
        let _ = write!(page, "<tr{total}><td class=\"name\">{}</td>", escape(name));
        for count in [sent, ok, failed] {
            let _ = write!(page, "<td class=\"number\">{}</td>", grouped(count));
        }
        let times = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        for time in times.into_iter().chain([service.p50, service.p99]) {
            let _ = write!(page, "<td class=\"number\">{}</td>", number(time));
        }
        let _ = writeln!(page, "<td class=\"number\">{}</td></tr>", grouped(bytes));
    }
    *page += "</table></section>\n";
}

pub(super) fn errors(page: &mut String, report: &LoadReport) {
    let rows = report.classes.iter().flat_map(|class| {
        class.failures.iter().map(|(kind, count)| (class.name.as_str(), (*kind).to_owned(), *count))
    });
    let note = "Failed requests by kind; what was never sent is among them.";
    counts(page, "Errors", note, "Kind", rows, "No request failed.");
}

pub(super) fn statuses(page: &mut String, report: &LoadReport) {
    let rows = report.classes.iter().flat_map(|class| {
        class.statuses.iter().map(|(status, n)| (class.name.as_str(), status.to_string(), *n))
    });
    let note = "Whole answers, right or not.";
    counts(page, "Statuses", note, "Status", rows, "No answer came.");
}

fn counts<'a>(
    page: &mut String,
    title: &str,
    note: &str,
    column: &str,
    rows: impl Iterator<Item = (&'a str, String, u64)>,
    empty: &str,
) {
    let _ = write!(page, "<section class=\"card\"><h2>{title}</h2><p>{note}</p>");
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        let _ = writeln!(page, "<p class=\"none\">{empty}</p></section>");
        return;
    }
    let _ = writeln!(
        page,
        "<table><tr><th scope=\"col\">{column}<th scope=\"col\">Class\
         <th scope=\"col\" class=\"number\">Count</tr>"
    );
    for (class, what, count) in rows {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td class=\"number\">{}</td></tr>",
            escape(&what),
            escape(class),
            grouped(count)
        );
    }
    *page += "</table></section>\n";
}

pub(super) fn failures(page: &mut String, report: &LoadReport) {
    if report.failure_samples.is_empty() {
        return;
    }
    *page += "<section class=\"card\"><h2>Failures</h2><p>The first ones.</p><table><tr>\
              <th scope=\"col\" class=\"number\">At<th scope=\"col\">Class<th scope=\"col\">Kind\
              <th scope=\"col\">Detail</tr>\n";
    for sample in &report.failure_samples {
        let _ = writeln!(
            page,
            "<tr><td class=\"number\">{:.3} s</td><td>{}</td><td><code>{}</code></td>\
             <td class=\"detail\">{}</td></tr>",
            sample.at_s,
            escape(&sample.class),
            sample.kind,
            escape(&sample.detail)
        );
    }
    *page += "</table></section>\n";
}
