//! A lab that tells a receiver of OTLP logs, and processes that are named by what they are known by.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

/// Takes log records until one says that an injection has ended.
fn receiver() -> (String, thread::JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    let serve = move || {
        let mut records = Vec::new();
        'connections: loop {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            loop {
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") {
                    if stream.read_line(&mut head).unwrap() == 0 {
                        continue 'connections;
                    }
                }
                for line in head.to_ascii_lowercase().lines() {
                    if let Some(value) = line.strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                stream.get_mut().write_all(answer).unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let logs = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
                records.extend(logs.as_array().unwrap().iter().cloned());
                if attribute(records.last().unwrap(), "chaos.state") == "reverted" {
                    return records;
                }
            }
        }
    };
    (url, thread::spawn(serve))
}

fn attribute(record: &Value, key: &str) -> String {
    let attributes = record["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == key).unwrap();
    found["value"]["stringValue"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_step_of_an_injection_is_told_to_a_receiver_of_logs() {
    let (scratch, sleeper) = (Scratch::new(), Process::sleeper());
    let state = path(&scratch);
    let (url, told) = receiver();
    let _lab = serve_with(&scratch, &state, r#"{"overall_ms": 20000}"#, &["--otlp", &url]);
    let file = scratch.write("pid", format!("{}\n", sleeper.pid())).display().to_string();
    let stop =
        |name: &[&str]| chaos(&state, &[&["inject", "process.stop", "--json"], name].concat());
    let nobody = stop(&["--command", "no-such-program"]);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    let why = String::from_utf8_lossy(&nobody.stdout).into_owned();
    assert!(why.contains("there is no process with command `no-such-program`"), "{why}");
    let injected = stop(&["--pid-file", &file]);
    assert_eq!(injected.status.code(), Some(0), "{injected:?}");
    assert_eq!(sleeper.state(), 'T');
    let id = json(&injected)["ids"][0].as_str().unwrap().to_owned();
    assert_eq!(chaos(&state, &["revert", &id]).status.code(), Some(0));
    let records = told.join().unwrap();
    let states: Vec<String> =
        records.iter().map(|record| attribute(record, "chaos.state")).collect();
    let expected = [
        "intended",
        "permitted",
        "dispatched",
        "injecting",
        "verifying",
        "active",
        "reverting",
        "verifying_revert",
        "reverted",
    ];
    assert_eq!(states, expected);
    for record in &records {
        assert_eq!(attribute(record, "chaos.id"), id);
        assert_eq!(attribute(record, "chaos.kind"), "process.stop");
        assert!(attribute(record, "chaos.target").contains(&sleeper.pid()), "{record}");
    }
    assert!(attribute(&records[5], "chaos.reason").contains("is in state T"), "{:?}", records[5]);
}
