//! The report's tables: checks, protocols, kills, failures.

use std::fmt::Write;

use crate::page::{escape, grouped, number};

use super::super::document::Document;

pub(super) fn checks(page: &mut String, document: &Document) {
    *page += "<section class=\"card\"><h2>Checks</h2><p>All must pass. The limits are those of the \
              profile, or fixed in the program; none depends on what was seen.</p><table><tr><th><th>Check<th>About<th class=\"number\">\
              Measured<th class=\"number\">Must be</tr>\n";
    for check in &document.checks {
        let mark = if check.pass { "ok\">✓ pass" } else { "bad\">✕ fail" };
        let _ = writeln!(
            page,
            "<tr><td class=\"mark {mark}</td><td><code>{}</code><small>{}</small></td><td>{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            check.name,
            escape(check.meaning),
            check.aspect.name(),
            readable(check.value),
            escape(&check.limit)
        );
    }
    *page += "</table></section>\n";
}

pub(super) fn protocols(page: &mut String, document: &Document) {
    *page += "<section class=\"card\"><h2>By protocol</h2><p>Latency in milliseconds from the intended \
              send time; service time (from the actual one) beside it. The held requests wait a second at the upstream, so \
              that every kill meets requests in flight; their times are no part of the last line.</p><table><tr><th>Protocol\
              <th class=\"number\">Sent<th class=\"number\">Right<th class=\"number\">Failed\
              <th class=\"number\">p50<th class=\"number\">p90<th class=\"number\">p99\
              <th class=\"number\">p99.9<th class=\"number\">max<th class=\"number\">service p50\
              <th class=\"number\">service p99</tr>\n";
    let requests = &document.requests;
    let all = (
        "all",
        requests.sent,
        requests.ok,
        requests.failed,
        document.latency_ms,
        document.service_ms,
    );
    let classes = document.protocols().map(|(name, class)| {
        let name = match name {
            "http2" => "HTTP/2, JSON",
            "grpc" => "gRPC over HTTP/2",
            "held" => "held at the upstream",
            "flood" => "flood, right to be turned away",
            other => other,
        };
        (name, class.sent, class.ok, class.failed, class.latency_ms, class.service_ms)
    });
    for (name, sent, ok, failed, latency, service) in classes.chain([all]) {
        let total = if name == "all" { " class=\"total\"" } else { "" };
        let _ = write!(page, "<tr{total}><td class=\"name\">{}</td>", escape(name));
        for count in [sent, ok, failed] {
            let _ = write!(page, "<td class=\"number\">{}</td>", grouped(count));
        }
        let times = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        for time in times.into_iter().chain([service.p50, service.p99]) {
            let _ = write!(page, "<td class=\"number\">{}</td>", number(time));
        }
        *page += "</tr>\n";
    }
    *page += "</table></section>\n";
}

pub(super) fn kills(page: &mut String, document: &Document) {
    if document.workers.kills.is_empty() {
        return;
    }
    *page += "<section class=\"card\"><h2>Worker kills</h2><p>A kill stops a worker's event loop for \
              good. Its connections and the requests in flight on them move to the other workers and \
              go on; a successor takes its place.</p><table><tr><th>At<th>Worker\
              <th class=\"number\">Connections moved<th class=\"number\">Requests in flight moved\
              <th class=\"number\">Connections lost<th class=\"number\">Moved within<th>Successor</tr>\n";
    for kill in &document.workers.kills {
        let successor = match (&kill.error, kill.came_back) {
            (Some(error), _) => {
                format!("<span class=\"mark bad\">not killed: {}</span>", escape(error))
            }
            (None, true) => "<span class=\"mark ok\">✓ at work</span>".to_owned(),
            (None, false) => "<span class=\"mark bad\">✕ not seen</span>".to_owned(),
        };
        let _ = writeln!(
            page,
            "<tr><td>{:.1} s</td><td>{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{:.2} ms</td>\
             <td>{successor}</td></tr>",
            kill.at_s,
            kill.worker,
            kill.connections_moved,
            kill.exchanges_moved,
            kill.connections_lost,
            kill.evacuation_ms
        );
    }
    *page += "</table></section>\n";
}

pub(super) fn failures(page: &mut String, document: &Document) {
    if document.failure_samples.is_empty() {
        return;
    }
    *page += "<section class=\"card\"><h2>Failures</h2><p>The first ones, as the client saw them.</p>\
              <table><tr><th class=\"number\">At<th>Protocol<th>Kind<th>Detail</tr>\n";
    for sample in &document.failure_samples {
        let _ = writeln!(
            page,
            "<tr><td class=\"number\">{:.3} s</td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            sample.at_s,
            escape(&sample.class),
            sample.kind,
            escape(&sample.detail)
        );
    }
    *page += "</table></section>\n";
}

/// A measured value: whole ones with their thousands apart.
fn readable(value: f64) -> String {
    match value {
        whole if whole.fract() == 0.0 && whole < 0.0 => format!("−{}", grouped(-whole as u64)),
        whole if whole.fract() == 0.0 => grouped(whole as u64),
        other => number(other),
    }
}
