//! Commands that end by themselves.

use std::process::{Output, Stdio};

use bulkhead_testkit::Scratch;

use crate::bulkhead;

const GOOD: &str = "\
listeners:
  - address: 127.0.0.1:0
routes:
  - backends:
      - cluster: api
clusters:
  api:
    endpoints: [\"127.0.0.1:3000\"]
";

fn run(arguments: &[&str]) -> Output {
    bulkhead().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_exits_by_what_it_finds() {
    let scratch = Scratch::new();
    let good = scratch.write("good.yaml", GOOD).display().to_string();
    let bad = scratch.write("bad.yaml", GOOD.replace("backends", "backend")).display().to_string();

    let output = run(&["check", &good]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), format!("{good}: ok (1 listener, 1 route, 1 cluster)\n"));

    let output = run(&["check", &bad]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains(&format!("{bad}:4:5: ")), "{}", err(&output));
    assert!(err(&output).contains("did you mean `backends`?"), "{}", err(&output));

    let output = run(&["check", &bad, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let errors = document["errors"].as_array().unwrap();
    assert!(errors.iter().any(|error| error["suggestion"] == "backends"), "{document:#}");

    let output = run(&["check", "/nonexistent.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).starts_with("error: read `/nonexistent.yaml`: "), "{}", err(&output));
    assert!(err(&output).contains("= help: "), "{}", err(&output));
}

#[test]
fn version_and_completions() {
    let output = run(&["version", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(out(&run(&["version"])).split(' ').next(), Some("bulkhead"));
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success() && out(&output).contains("bulkhead"), "{shell}");
    }
}

#[test]
fn wrong_command_line_exits_with_2() {
    for arguments in [&["run"][..], &["frobnicate"], &["run", "--listen", "x"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!err(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn run_refuses_what_cannot_work() {
    let scratch = Scratch::new();
    let bad = scratch.write("bad.yaml", "listeners: 3\n").display().to_string();
    let output = run(&["run", "--config", &bad]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains(&format!("{bad}:1:12: ")), "{}", err(&output));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["run", "--listen", &address, "--upstream", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains(&address), "{}", err(&output));
    assert!(err(&output).contains("another process listens there"), "{}", err(&output));
}
