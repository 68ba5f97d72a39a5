use serde_json::Value;

use super::*;
use crate::prove::document::tests::document;

fn page(document: &Document) -> String {
    render(document, &serde_json::to_string_pretty(document).unwrap())
}

#[test]
fn the_report_needs_nothing_but_itself() {
    let page = page(&document());
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn its_figures_are_those_of_the_json() {
    let document = document();
    let page = page(&document);
    let start = page.find("id=\"results\">").unwrap() + "id=\"results\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    let within: Value = serde_json::from_str(&page[start..end]).unwrap();
    assert_eq!(within, serde_json::to_value(&document).unwrap());
    for figure in [
        "<b>306</b><small>every byte checked</small>",
        "<b>1.234 ms</b><small>median 0.512 · max 9.876 ms</small>",
        "<b>9.8 µs</b>",
        "<b>+1.0 MiB</b><small>from 50.0 MiB</small>",
        "<td class=\"number\">216</td><td class=\"number\">216</td><td class=\"number\">0</td>",
        "All 306 requests got their right answer while 1 worker was killed under them.",
        "<title>1.0 s: worker 3 killed</title>",
    ] {
        assert!(page.contains(figure), "{figure}");
    }
    for check in &document.checks {
        assert!(page.contains(check.name), "{}", check.name);
    }
}

#[test]
fn faults_and_compartments_have_their_lanes() {
    let mut document = document();
    document.faults = vec![crate::prove::verdict::tests::fault()];
    document.link = Some(crate::prove::link::tests::link());
    let page = page(&document);
    for part in [
        // Of 3 s: the fault from 1 to 2 s, the kill at 1.002 s until the successor at 1.01 s.
        "<span title=\"fault 1\">fault 1</span>\
         <div><i class=\"fault\" style=\"left:33.33%;width:33.33%\"",
        "<i class=\"gone\" style=\"left:33.40%;width:0.27%\"",
        "client: 12 % lost each way, 40 ± 40 ms</i>",
        "<title>gateway.slow_log</title>",
        "fault in force</span>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<span title=\"worker").count(), 8);
}

#[test]
fn what_came_from_outside_cannot_become_markup() {
    let mut document = document();
    document.verdict = "fail";
    document.failure_samples.push(bulkhead_load::FailureSample {
        at_s: 1.0,
        class: "http2".to_owned(),
        kind: "wrong_body",
        detail: "</script><script>alert(1)</script>".to_owned(),
    });
    let page = page(&document);
    assert!(!page.contains("<script>alert"));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn a_run_without_a_single_second_still_renders() {
    let mut document = document();
    document.timeline.clear();
    assert!(page(&document).contains("<svg"));
}
