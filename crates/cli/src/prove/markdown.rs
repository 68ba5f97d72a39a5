//! The results as Markdown, for a comment or a release note.

use std::fmt::Write;

use crate::page::{grouped, number};

use super::against::PeerResult;
use super::document::Document;
use super::table::mebibytes;
use super::verdict::sentence;

const COLUMNS: &str = "| gateway | right answers/s | P99, ms | RSS growth, MiB | OOM events | requests lost | note |\n\
                       |---|---|---|---|---|---|---|\n";

/// The whole report without its charts.
pub(crate) fn render(document: &Document) -> String {
    let mut text = format!(
        "# Bulkhead prove: {}\n\n{} (exit status {}). Profile `{}`, {:.0} s at {} requests/s, {} of {} \
         workers killed.\n\n",
        document.verdict,
        sentence(document.outcome),
        document.exit_status,
        document.profile,
        document.duration_s,
        grouped(document.offered_rps.round() as u64),
        document.workers.killed,
        document.workers.count,
    );
    columns(&mut text, document);
    link(&mut text, document);
    text += "\n| check | about | measured | must be | |\n|---|---|---|---|---|\n";
    for check in &document.checks {
        let mark = if check.pass { "pass" } else { "**fail**" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {mark} |",
            check.name,
            check.aspect.name(),
            number(check.value),
            check.limit
        );
    }
    let _ = write!(text, "\nThe same run again: `{}`\n", document.command);
    text
}

/// The article's columns, with the others beside us.
fn columns(text: &mut String, document: &Document) {
    *text += COLUMNS;
    let note = if document.jwt { "with tokens" } else { "without tokens" };
    let _ = writeln!(
        text,
        "| bulkhead | {:.0} | {} | {:+.1} | {} | {} | {note} |",
        document.throughput_rps,
        number(document.latency_ms.p99),
        mebibytes(document.memory.rss_growth_bytes as f64),
        document.oom_events,
        document.requests.failed,
    );
    peer_rows(text, &document.against);
}

/// The rows of the others alone.
pub(crate) fn peers(against: &[PeerResult]) -> String {
    let mut text = COLUMNS.to_owned();
    peer_rows(&mut text, against);
    text
}

fn peer_rows(text: &mut String, against: &[PeerResult]) {
    for peer in against {
        if let Some(error) = &peer.error {
            let error = error.replace(['|', '\n'], " ");
            let _ = writeln!(text, "| {} | – | – | – | – | – | {error} |", peer.name);
            continue;
        }
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {:+.1} | {} | {} | {} |",
            peer.name,
            peer.throughput_rps,
            number(peer.p99_ms),
            mebibytes(peer.rss_growth_bytes as f64),
            peer.oom_events,
            peer.requests_lost,
            peer.note,
        );
    }
}

fn link(text: &mut String, document: &Document) {
    let Some(link) = &document.link else { return };
    let _ = write!(
        text,
        "\n{}. Carried by a {}; congestion control {}. Measured: {:.2} % lost towards the server (99 % interval {:.2} to \
         {:.2}), {:.2} % back; mean delay {:.1} ms. This link alone costs 1 % of requests at least \
         {:.0} ms, and {:.0} ms where each loss waits for its time-out; measured P99 {} ms.\n",
        link.declared,
        link.carrier,
        link.congestion_control,
        link.upstream.loss_percent,
        link.upstream.loss_percent_low,
        link.upstream.loss_percent_high,
        link.downstream.loss_percent,
        link.upstream.delay_mean_ms,
        link.floor.p99_ms,
        link.floor.p99_by_time_out_ms,
        number(document.latency_ms.p99),
    );
}

#[cfg(test)]
mod tests {
    use super::{peers, render};
    use crate::prove::against::PeerResult;
    use crate::prove::document::tests::document;
    use crate::prove::link::tests::link;

    #[test]
    fn columns_link_and_checks_are_told() {
        let mut document = document();
        document.link = Some(link());
        let missing = Some("not | installed".to_owned());
        document.against = vec![
            PeerResult { name: "nginx", requests_lost: 7, ..PeerResult::default() },
            PeerResult { name: "envoy", error: missing, ..PeerResult::default() },
        ];
        let rows = peers(&document.against);
        assert!(rows.contains("| nginx | 0 |") && !rows.contains("bulkhead"), "{rows}");
        let text = render(&document);
        for part in [
            "| bulkhead | 100 | 1.234 | +1.0 | 0 | 0 | with tokens |",
            "| nginx | 0 | 0 | +0.0 | 0 | 7 |  |",
            "| envoy | – | – | – | – | – | not   installed |",
            "Carried by a packet box (TUN); congestion control cubic. Measured: 12.10 %",
            "| `requests_failed` | hypothesis | 0 | = 0 | pass |",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
