use std::time::UNIX_EPOCH;

use bulkhead_testkit::Scratch;

use super::*;
use crate::load::output::sample;

fn open(args: &OutputArgs) -> anyhow::Result<Sinks> {
    let plan = LivePlan { target: "http://a/".to_owned(), ..LivePlan::default() };
    Sinks::open(args, plan, &["feed".to_owned()])
}

#[test]
fn files_are_written_while_the_run_goes_on_and_at_its_end() {
    let scratch = Scratch::new();
    let path = |name: &str| Some(scratch.path().join(name));
    let args = OutputArgs {
        html: path("run.html"),
        hgrm: path("run.hgrm"),
        hdr_log: path("run.hlog"),
        junit: path("run.xml"),
        plain: true,
        ..OutputArgs::default()
    };
    let mut sinks = open(&args).unwrap();
    sinks.on_start(UNIX_EPOCH);
    assert!(!sinks.is_live() && !sinks.tick(Duration::ZERO));
    for (row, latencies) in (0..3).map(sample::row) {
        sinks.on_row(&row, &latencies);
    }
    assert_eq!(sinks.finish(), Vec::<String>::new());
    let (document, report, provenance) =
        (sample::document(), sample::report(), sample::provenance());
    let contents =
        Contents { document: &document, report: &report, provenance: &provenance, curves: &[] };
    write_files(&args, &contents).unwrap();
    for (name, part) in [
        ("run.html", "<!doctype html>"),
        ("run.hgrm", "TotalCount"),
        ("run.hlog", "Tag=latency,2.000,1.000,"),
        ("run.xml", "<testsuites "),
    ] {
        let text = std::fs::read_to_string(scratch.path().join(name)).unwrap();
        assert!(text.contains(part), "{name}: {text}");
    }
}

#[test]
fn what_cannot_be_opened_is_told_before_the_run() {
    let nowhere = Scratch::new().path().join("gone").join("run.hlog");
    for (args, expected) in [
        (OutputArgs { hdr_log: Some(nowhere), ..OutputArgs::default() }, "run.hlog"),
        (OutputArgs { otlp: Some("https://a".to_owned()), ..OutputArgs::default() }, "without TLS"),
        (OutputArgs { labels: vec!["a".to_owned()], ..OutputArgs::default() }, "has no `=`"),
    ] {
        let error = format!("{:#}", open(&args).err().unwrap());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_receiver_that_is_not_there_is_a_complaint_at_the_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let args = OutputArgs { remote_write: Some(url), plain: true, ..OutputArgs::default() };
    let mut sinks = open(&args).unwrap();
    let (row, latencies) = sample::row(0);
    sinks.on_row(&row, &latencies);
    let complaints = sinks.finish();
    assert!(complaints.len() == 1 && complaints[0].contains("connect to"), "{complaints:?}");
}
