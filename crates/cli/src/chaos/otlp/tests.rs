use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};

use bulkhead_chaos::{ChaosId, Effect, Random, State, Target};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::*;

/// A request's path, and its body.
type Received = (String, Value);

/// Takes one request for each of these answers.
fn receiver(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let answer = |answer: &&str| {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let (mut first, mut headers) = (String::new(), String::new());
            stream.read_line(&mut first).unwrap();
            while !headers.ends_with("\r\n\r\n") {
                stream.read_line(&mut headers).unwrap();
            }
            let headers = headers.to_ascii_lowercase();
            assert!(headers.contains("content-type: application/json\r\n"), "{headers}");
            assert!(headers.contains("user-agent: bulkhead-chaos/"), "{headers}");
            let length = headers.split("content-length: ").nth(1).unwrap();
            let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let head =
                format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.get_mut().write_all(head.as_bytes()).unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            (path, serde_json::from_slice(&body).unwrap())
        };
        answers.iter().map(answer).collect()
    };
    (address, thread::spawn(serve))
}

fn happening(sequence: u64, state: State) -> Happening {
    let now = Duration::from_millis(1_700_000_000_000);
    Happening {
        sequence,
        unix_ms: 1_700_000_000_000 + sequence,
        id: ChaosId::new(now, &mut Random::new(sequence)),
        kind: "process.stop".to_owned(),
        target: Target::Process { pid: 7, start_time: 9 },
        actor: "ann".to_owned(),
        from: (sequence > 1).then_some(State::Verifying),
        state,
        attempts: 1,
        detail: (sequence > 1).then(|| "sleep is in state T".to_owned()),
        effect: (state == State::Reverted).then_some(Effect { hits: 3, seen: 20 }),
    }
}

fn records(body: &Value) -> &Vec<Value> {
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap()
}

fn attribute<'r>(record: &'r Value, key: &str) -> Option<&'r Value> {
    let attributes = record["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

#[test]
fn each_change_of_state_is_a_log_record() {
    let (address, thread) = receiver(&["200 OK"]);
    let (_bus, coming) = broadcast::channel(8);
    let kept = vec![happening(1, State::Intended), happening(2, State::RevertFailed)];
    let exporter = Exporter::start((kept.clone(), coming), &format!("http://{address}")).unwrap();
    let report = exporter.finish();
    assert_eq!(report, ExportReport { sent: 2, ..ExportReport::default() });
    assert_eq!(report.complaint(), None);
    let (path, body) = thread.join().unwrap().remove(0);
    assert_eq!(path, "/v1/logs");
    let resource = &body["resourceLogs"][0]["resource"]["attributes"][0];
    assert_eq!(
        *resource,
        json!({"key": "service.name", "value": {"stringValue": "bulkhead-chaos"}})
    );
    let records = records(&body);
    assert_eq!(records.len(), 2);
    let last = &records[1];
    assert_eq!(last["timeUnixNano"], "1700000000002000000");
    assert_eq!((&last["severityNumber"], &last["severityText"]), (&json!(17), &json!("ERROR")));
    assert_eq!(last["body"]["stringValue"], "process.stop revert_failed: sleep is in state T");
    for (key, expected) in [
        ("chaos.id", kept[1].id.to_string().as_str()),
        ("chaos.kind", "process.stop"),
        ("chaos.target", r#"{"process":{"pid":7,"start_time":9}}"#),
        ("chaos.state", "revert_failed"),
        ("chaos.state.previous", "verifying"),
        ("chaos.reason", "sleep is in state T"),
        ("chaos.actor", "ann"),
        ("chaos.attempts", "1"),
        ("chaos.sequence", "2"),
    ] {
        assert_eq!(attribute(last, key), Some(&json!(expected)), "{key}");
    }
    assert_eq!(records[0]["severityText"], "INFO");
    assert_eq!(attribute(&records[0], "chaos.reason"), None);
}

#[test]
fn what_a_receiver_missed_is_counted_and_told_when_it_answers_again() {
    let (address, thread) = receiver(&["503 Service Unavailable", "200 OK"]);
    let (bus, coming) = broadcast::channel(8);
    let kept = vec![happening(1, State::Intended), happening(2, State::Active)];
    let url = format!("http://{address}/logs");
    let exporter = Exporter::start((kept, coming), &url).unwrap();
    bus.send(happening(3, State::Reverted)).unwrap();
    // Asked to end only when both requests are through: after a failure the end waits for nobody.
    let received = thread.join().unwrap();
    drop(bus);
    let report = exporter.finish();
    assert_eq!((report.sent, report.dropped), (1, 2));
    assert!(report.complaint().unwrap().contains("1 events sent, 2 dropped"), "{report:?}");
    assert!(report.last_error.unwrap().contains("503"));
    assert_eq!(received[1].0, "/logs");
    let records = records(&received[1].1);
    assert_eq!(records[0]["eventName"], "chaos.events_dropped");
    assert_eq!(attribute(&records[0], "chaos.dropped"), Some(&json!("2")));
    assert_eq!(attribute(&records[1], "chaos.sequence"), Some(&json!("3")));
    assert_eq!(attribute(&records[1], "chaos.hits"), Some(&json!("3")));
    assert_eq!(attribute(&records[0], "chaos.hits"), None);
}

/// A receiver that takes connections and never answers.
#[test]
fn a_receiver_that_hangs_delays_nobody_and_every_event_is_accounted_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (bus, coming) = broadcast::channel(16);
    let url = format!("http://{}", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(50);
    let exporter = Exporter::with_timeout((Vec::new(), coming), &url, timeout).unwrap();
    for sequence in 1..=1_000 {
        bus.send(happening(sequence, State::Active)).unwrap();
    }
    let report = exporter.finish();
    assert_eq!((report.sent, report.dropped), (0, 1_000), "{report:?}");
}

#[test]
fn a_url_that_is_none_is_refused() {
    for url in ["https://a/v1/logs", "a:4318", "unix:/a"] {
        let (_bus, coming) = broadcast::channel(1);
        assert!(Exporter::start((Vec::new(), coming), url).is_err(), "{url}");
    }
}
