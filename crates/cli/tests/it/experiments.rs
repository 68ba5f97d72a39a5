//! `bulkhead chaos run`, `check`, `schema` and `import`, from outside.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::thread;

use bulkhead_testkit::Scratch;
use serde_json::{Value, json};

use crate::bulkhead;

fn chaos(scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut command = bulkhead();
    command.current_dir(scratch.path()).arg("chaos").args(arguments);
    command.env_remove("BULKHEAD_LAB").stdin(Stdio::null()).output().unwrap()
}

fn journal(scratch: &Scratch) -> Value {
    serde_json::from_str(&fs::read_to_string(scratch.path().join("journal.json")).unwrap()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const HELD: &str = "
title: A file is there
description: And stays there.
configuration: {file: flag}
steady-state-hypothesis:
  title: It is there
  probes:
  - {type: probe, name: there, tolerance: 0, provider: {type: process, path: test, arguments: [-e, '${file}']}}
method:
- {type: action, name: act, provider: {type: process, path: sh, arguments: [-c, 'echo $0', '${file}']}}
rollbacks:
- {type: action, name: undo, provider: {type: process, path: touch, arguments: [undone]}}
";

#[test]
fn an_experiment_runs_and_leaves_its_journal() {
    let scratch = Scratch::new();
    scratch.write("flag", "");
    scratch.write("e.yaml", HELD);
    let output = chaos(&scratch, &["run", "e.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let journal = journal(&scratch);
    assert_eq!(journal["status"], "completed");
    assert_eq!(journal["run"][0]["output"]["stdout"], "flag\n");
    assert_eq!(journal["steady_states"]["after"]["steady_state_met"], true);
    assert!(scratch.path().join("undone").exists());
    // Values of the command line go before those of the file.
    let output =
        chaos(&scratch, &["run", "e.yaml", "--var", "file=nowhere", "--journal-path", "j"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(scratch.path().join("j").exists());
    let output = chaos(&scratch, &["run", "e.yaml", "--dry", "activities"]);
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
}

#[test]
fn what_is_wrong_is_told_before_anything_is_called() {
    let scratch = Scratch::new();
    scratch.write(
        "e.yaml",
        HELD.replace("tolerance: 0", "tolerance: 0.5").replace("path: touch", "path: tuch"),
    );
    for command in ["run", "check", "validate"] {
        let output = chaos(&scratch, &[command, "e.yaml"]);
        let expected = if command == "run" { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(expected), "{}", err(&output));
        assert!(
            err(&output).contains("e.yaml:8:43: a decimal number is no tolerance"),
            "{}",
            err(&output)
        );
        assert!(
            err(&output).contains("`tuch` of the activity `undo` is no program"),
            "{}",
            err(&output)
        );
        assert!(!scratch.path().join("journal.json").exists());
    }
    let output = chaos(&scratch, &["schema"]);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["title"], "Chaos Toolkit experiment");
}

/// A lab that answers so many requests, and what it was asked.
fn lab(answers: usize) -> (String, thread::JoinHandle<Vec<(String, Value)>>) {
    answering(answers, "200 OK")
}

/// The same with this status; with any but 200 it turns everything away.
fn answering(
    answers: usize,
    status: &'static str,
) -> (String, thread::JoinHandle<Vec<(String, Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let answer = |_| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4_096];
            let complete = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_ascii_lowercase();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                (body.len() >= length).then_some(())
            };
            while complete(&request).is_none() {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the request was cut short");
                request.extend_from_slice(&buffer[..read]);
            }
            let text = String::from_utf8(request).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let line = head.lines().next().unwrap().to_owned();
            let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
            let id = body["id"].as_str().unwrap_or_else(|| line.rsplit(['/', ' ']).nth(2).unwrap());
            let state = if line.starts_with("DELETE") { "reverted" } else { "active" };
            let answer = match status {
                "200 OK" => json!({"id": id, "state": state}),
                _ => json!({"error": "the safety lever is engaged"}),
            };
            let answer = answer.to_string();
            let head = "content-type: application/json\r\nconnection: close";
            write!(
                stream,
                "HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            )
            .unwrap();
            (line, body)
        };
        (0..answers).map(answer).collect()
    };
    (format!("http://{address}"), thread::spawn(serve))
}

const FAULT: &str = "
title: t
description: d
method:
- type: action
  name: kill
  provider:
    type: python
    module: chaosbulkhead.actions
    func: inject
    arguments: {fault: {gateway: {kill_worker: {worker: 0}}}, target: {gateway: {admin: '127.0.0.1:1'}}, ttl: 5s}
";

#[test]
fn faults_are_asked_of_the_lab_and_taken_back() {
    let scratch = Scratch::new();
    scratch.write("e.yaml", FAULT);
    let (url, asked) = lab(3);
    let output = chaos(&scratch, &["run", "e.yaml", "--lab", &url, "--seed", "7"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let mut asked = asked.join().unwrap();
    // Before anything else, whether there is a lab.
    assert_eq!(asked.remove(0).0, "GET /v1/status HTTP/1.1");
    assert_eq!(asked[0].0, "POST /v1/inject HTTP/1.1");
    assert_eq!(asked[0].1["ttl_ms"], 5_000);
    assert_eq!(asked[0].1["fault"], json!({"gateway": {"kill_worker": {"worker": 0}}}));
    let id = asked[0].1["id"].as_str().unwrap();
    assert_eq!(asked[1].0, format!("DELETE /v1/injections/{id} HTTP/1.1"));
    assert_eq!(journal(&scratch)["bulkhead"]["injections"][0]["state"], "reverted");
    let output = chaos(&scratch, &["run", "e.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("no lab was named"), "{}", err(&output));
    // Of a lab that nobody reached nothing may be left behind.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = chaos(&scratch, &["run", "e.yaml", "--lab", &format!("http://{gone}")]);
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(err(&output).contains("nothing was begun"), "{}", err(&output));
    let (url, _) = answering(1, "401 Unauthorized");
    let output = chaos(&scratch, &["run", "e.yaml", "--lab", &url]);
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
}

#[test]
fn objects_of_chaos_mesh_become_an_experiment() {
    let scratch = Scratch::new();
    let object = "kind: PodChaos\nspec:\n  action: pod-kill\n  mode: one\n  duration: 1s\n";
    scratch.write("mesh.yaml", object);
    let output = chaos(&scratch, &["import", "mesh.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(
        err(&output).starts_with("mesh.yaml:4: spec.mode: there are no pods"),
        "{}",
        err(&output)
    );
    let experiment: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(experiment["method"][0]["provider"]["func"], "inject");
    assert_eq!(chaos(&scratch, &["import", "mesh.yaml", "--strict"]).status.code(), Some(1));
}

/// Nothing was injected, so nothing is to be taken back: the lab is not asked a second time.
#[test]
fn an_order_that_the_lab_turned_away_leaves_nothing_in_force() {
    let scratch = Scratch::new();
    scratch.write("e.yaml", FAULT);
    let (url, asked) = answering(2, "423 Locked");
    let output = chaos(&scratch, &["run", "e.yaml", "--lab", &url]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert_eq!(asked.join().unwrap().len(), 2, "whether there is a lab, and the order");
    let journal = journal(&scratch);
    assert_eq!(journal["bulkhead"]["injections"][0]["state"], "refused");
    assert!(journal["run"][0]["exception"][0].as_str().unwrap().contains("lever"), "{journal:#}");
}
