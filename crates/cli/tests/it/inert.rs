//! The lab's check of itself, over every kind of fault: an injector that does nothing and says that it did
//! must be found out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use bulkhead_testkit::Scratch;
use serde_json::Value;

use crate::bulkhead;
use crate::running::{Running, address, origin};

/// What not every machine, or process of a test, may do.
const MAY_BE_REFUSED: [&str; 2] = ["host.memory_limit", "host.disk_full"];

/// Killed and waited for, whatever becomes of the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn chaos(arguments: &[&str]) -> Output {
    bulkhead().arg("chaos").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// An inert lab, with a link where the kernel lets it have one. One look each is enough for what will
/// never be there.
fn serve(scratch: &Scratch, state: &str) -> (Process, bool) {
    let engine = r#"{"overall_ms": 20000, "attempt_ms": 5000, "retries": 0}"#;
    let engine = scratch.write("engine.json", engine).display().to_string();
    let arguments = ["serve", "--state", state, "--engine", &engine, "--inert", "--allow-commands"];
    let mut command = bulkhead();
    command.arg("chaos").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("chaos lab on"), "{line}");
    let lab = Process(child);
    let made = chaos(&["link", "add", "storm", "--state", state]);
    if !made.status.success() {
        eprintln!("without a link: {made:?}");
    }
    (lab, made.status.success())
}

#[test]
fn no_kind_of_fault_passes_without_having_taken_hold() {
    let (scratch, upstream) = (Scratch::new(), origin());
    let state = scratch.path().join("state").display().to_string();
    let sleeper = Process(Command::new("sleep").arg("600").spawn().unwrap());
    let (_lab, has_link) = serve(&scratch, &state);
    let to = format!("http://{}", upstream.addr());
    let mut gateway = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &to,
        "--admin",
        "127.0.0.1:0",
        "--allow-faults",
    ]);
    let admin = address(&gateway.wait_for("admin server"), "http://").to_string();
    let pid = sleeper.0.id().to_string();

    let listed = chaos(&["kinds", "--json"]);
    let kinds: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
    for kind in &kinds {
        let name = kind["name"].as_str().unwrap();
        let target: &[&str] = match kind["targets"][0].as_str().unwrap() {
            "process" => &["--pid", &pid],
            "gateway" => &["--gateway", &admin],
            "host" => &["--host"],
            "link" if !has_link => continue,
            "link" => &["--link", "storm"],
            other => panic!("{name} strikes {other}"),
        };
        let example = kind["example"].to_string();
        let order = ["inject", &example, "--state", &state, "--json"];
        let answer = chaos(&[&order[..], target].concat());
        assert_eq!(answer.status.code(), Some(2), "{name}: {answer:?}");
        let document: Value = serde_json::from_slice(&answer.stdout).unwrap();
        let injection = &document["injections"][0];
        let is_refused = injection["state"] == "refused" && MAY_BE_REFUSED.contains(&name);
        assert!(is_refused || injection["state"] == "not_effective", "{name}: {injection:#}");
        *ended.entry(name.split_once('.').unwrap().0).or_default() += 1;
    }
    assert!(ended.len() >= 4 && ended.values().all(|count| *count >= 3), "{ended:?}");
}
