use std::process::{Command, Stdio};

use bulkhead_load::Row;
use bulkhead_testkit::Scratch;
use serde_json::Value;

use super::*;
use crate::load::output::sample;

fn page(change: impl FnOnce(&mut Document, &mut LoadReport)) -> String {
    let (mut document, mut report) = (sample::document(), sample::report());
    change(&mut document, &mut report);
    let curve = Curve {
        title: "Latency by rate".to_owned(),
        note: "Each point is a trial.".to_owned(),
        x_unit: "requests/s".to_owned(),
        y_unit: "ms".to_owned(),
        y_logarithmic: true,
        points_name: "measured".to_owned(),
        line_name: "fitted".to_owned(),
        points: vec![(100.0, 1.0), (200.0, 1.5), (400.0, 9.0)],
        line: vec![(0.0, 0.9), (200.0, 1.4), (400.0, 10.0)],
        mark: Some((350.0, "highest rate".to_owned())),
    };
    let provenance = sample::provenance();
    html(&Contents {
        document: &document,
        report: &report,
        provenance: &provenance,
        curves: &[curve],
    })
}

#[test]
fn the_report_needs_nothing_but_itself() {
    let page = page(|_, _| {});
    for outside in ["src=", "href=", "url(", "@import", "fetch(", "NaN", "<script>alert"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn it_tells_the_figures_and_how_to_repeat_them() {
    let page = page(|_, _| {});
    for part in [
        "<title>Bulkhead load: fail</title>",
        "<main class=\"fail\">",
        "<h1>1 of 2 assertions failed.</h1>",
        "<b>290</b><small>96.67 % of all</small>",
        "<b>10</b><small>3.33 % of all · 0 never sent</small>",
        "<td class=\"mark bad\">✕ failed</td><td><code>error_rate&lt;0.1%</code></td>",
        "<td class=\"name\">&lt;grpc&gt;</td><td class=\"number\">62</td>",
        "<tr class=\"total\"><td class=\"name\">all</td><td class=\"number\">300</td>",
        "<td><code>reset</code></td><td>feed</td><td class=\"number\">4</td>",
        "<td><code>200</code></td><td>feed</td><td class=\"number\">230</td>",
        "<dt>TLS handshakes</dt><dd>12 (2 resumed)</dd>",
        "<dt>Ended</dt><dd>2026-11-24 04:24 UTC</dd>",
        "<pre>bulkhead load 'http://127.0.0.1:9000/?a=1' --rate 100 --seed 7</pre>",
        "RST_STREAM &lt;/script&gt;",
        "aria-label=\"latency and service time by percentile\"",
        "<h2>Latency by rate</h2>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let start = page.find("id=\"results\">").unwrap() + "id=\"results\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    let within: Value = serde_json::from_str(&page[start..end]).unwrap();
    assert_eq!(within, serde_json::to_value(sample::document()).unwrap());
}

#[test]
fn the_banner_follows_validity_before_assertions() {
    let invalid = page(|document, _| {
        document.valid = false;
        document.invalid_reasons = vec!["the generator was 3 ms behind".to_owned()];
    });
    assert!(invalid.contains("INVALID") && invalid.contains("say nothing about the target"));
    assert!(invalid.contains("the generator was 3 ms behind."));
    let valid = page(|document, _| document.assertions.clear());
    assert!(valid.contains(">VALID<") && valid.contains("290 of 300 requests got their right"));
}

#[test]
fn a_run_without_a_single_second_still_renders() {
    let page = page(|document, report| {
        *report = LoadReport::default();
        document.latency_ms = report.latency_ms;
    });
    assert!(page.contains("No answer came.") && !page.contains("NaN"));
}

#[test]
fn a_day_fits_and_shows_its_worst_second() {
    let usual = sample::row(0).0;
    let rows: Vec<Row> = (0..86_400)
        .map(|second| {
            let mut row = Row { second, ..usual.clone() };
            if second == 50_000 {
                row.latency_ms.max = 4_321.0;
            }
            row
        })
        .collect();
    let page = page(|_, report| report.rows = rows);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("Each point is the worst second of 173."));
    assert!(page.contains("max 4321 ms") && page.contains("right answers 100&quot;"));
}

/// The page in a real browser, which has to take it as it is.
#[test]
fn a_browser_shows_the_charts() {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok())
    else {
        println!("skipped: there is no chromium on this machine");
        return;
    };
    let scratch = Scratch::new();
    let file = scratch.write("report.html", page(|_, _| {}));
    let dom = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", scratch.path().join("profile").display()))
        .args(["--dump-dom", &format!("file://{}", file.display())])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let dom = String::from_utf8(dom.stdout).unwrap();
    // Six charts, each at two sizes, in a page that the parser did not have to mend.
    assert_eq!(dom.matches("<svg").count(), 12, "{dom}");
    assert_eq!(dom.matches("<section class=\"card\">").count(), 16, "{dom}");
    assert!(dom.contains("<td><code>reset</code></td>") && dom.trim_end().ends_with("</html>"));
}
