//! The report's parts about the link and about the others in the same storm.

use std::fmt::Write;

use crate::page::{self, escape, grouped, number};

use super::super::document::Document;
use super::super::link::{LaneSeen, LinkSeen};
use super::super::table::mebibytes;

/// What the link was asked to do, and what it did.
pub(super) fn link(page: &mut String, document: &Document) {
    let Some(link) = &document.link else { return };
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>Link</h2><p>{}. Carried by a {}; congestion control {}. In force from \
         before the first second to after the last.</p><table><tr><th>Direction<th class=\"number\">Packets\
         <th class=\"number\">Lost, asked<th class=\"number\">Lost, measured<th class=\"number\">99 % interval\
         <th class=\"number\">Delay, asked<th class=\"number\">Mean delay, measured</tr>",
        escape(&link.declared),
        escape(link.carrier),
        escape(&link.congestion_control),
    );
    lane(page, link, "to the server", &link.upstream, true);
    lane(page, link, "back", &link.downstream, false);
    *page += "</table></section>\n";
    floor(page, document, link);
}

fn lane(page: &mut String, link: &LinkSeen, name: &str, lane: &LaneSeen, delayed: bool) {
    let (asked, met) = if delayed && link.delay_ms > 0.0 {
        (
            format!("{} ± {} ms", link.delay_ms, link.jitter_ms),
            format!("{:.1} ms", lane.delay_mean_ms),
        )
    } else {
        ("–".to_owned(), "–".to_owned())
    };
    let _ = writeln!(
        page,
        "<tr><td>{name}</td><td class=\"number\">{}</td><td class=\"number\">{} %</td>\
         <td class=\"number\">{:.2} %</td><td class=\"number\">{:.2} to {:.2} %</td>\
         <td class=\"number\">{asked}</td><td class=\"number\">{met}</td></tr>",
        grouped(lane.packets),
        link.loss_percent,
        lane.loss_percent,
        lane.loss_percent_low,
        lane.loss_percent_high,
    );
}

/// The measured percentile beside what the link alone costs.
fn floor(page: &mut String, document: &Document, link: &LinkSeen) {
    let rows = [
        ("Measured P99", format!("{} ms", number(document.latency_ms.p99))),
        (
            "Floor of the P99",
            format!("{:.0} ms: each loss costs one more round trip", link.floor.p99_ms),
        ),
        (
            "P99 by time-outs",
            format!(
                "{:.0} ms: each loss waits for its time-out, at first {:.0} ms",
                link.floor.p99_by_time_out_ms, link.floor.time_out_ms
            ),
        ),
        ("Before the storm", probed(link.probes_held, "probes met the faults")),
        ("After the storm", probed(link.reverted, "probes met no fault any more")),
    ];
    page::facts(page, "What the link alone costs", &rows);
}

fn probed(holds: Option<bool>, what: &str) -> String {
    match holds {
        Some(true) => format!("✓ {what}"),
        Some(false) => format!("✕ not so that {what}"),
        None => "probes came to no end".to_owned(),
    }
}

/// The article's columns.
pub(super) fn against(page: &mut String, document: &Document) {
    if document.against.is_empty() {
        return;
    }
    *page += "<section class=\"card\"><h2>Side by side</h2><p>The same requests at the same rate from the \
              same seed, over the same link, with the same share of the worker processes killed. \
              Memory is that of the gateway's processes; ours is that of gateway, load generator and \
              upstreams together.</p><table><tr><th>Gateway<th class=\"number\">Right answers/s\
              <th class=\"number\">P99, ms<th class=\"number\">RSS growth<th class=\"number\">OOM events\
              <th class=\"number\">Requests lost<th>Note</tr>\n";
    let note = if document.jwt { "with tokens" } else { "without tokens" };
    let growth = |bytes: i64| format!("{:+.1} MiB", mebibytes(bytes as f64)).replace('-', "−");
    let mut row = |name: &str, cells: [String; 5], note: &str| {
        let cells: String =
            cells.iter().map(|cell| format!("<td class=\"number\">{cell}</td>")).collect();
        let _ = writeln!(
            page,
            "<tr><td class=\"name\">{name}</td>{cells}<td>{}</td></tr>",
            escape(note)
        );
    };
    row(
        "bulkhead",
        [
            grouped(document.throughput_rps.round() as u64),
            number(document.latency_ms.p99),
            growth(document.memory.rss_growth_bytes),
            grouped(document.oom_events),
            grouped(document.requests.failed),
        ],
        note,
    );
    for peer in &document.against {
        if let Some(error) = &peer.error {
            row(peer.name, std::array::from_fn(|_| "–".to_owned()), error);
            continue;
        }
        row(
            peer.name,
            [
                grouped(peer.throughput_rps.round() as u64),
                number(peer.p99_ms),
                growth(peer.rss_growth_bytes),
                grouped(peer.oom_events),
                grouped(peer.requests_lost),
            ],
            &peer.note,
        );
    }
    *page += "</table></section>\n";
}
