use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use prost::Message;
use serde_json::Value;

use super::remote_write::WriteRequest;
use super::snapshot::BOUNDS;
use super::*;
use crate::load::output::sample;

/// A request's path, its header lines in small letters, and its body.
type Received = (String, String, Vec<u8>);

/// Takes `count` requests and answers each with `answer`.
fn receiver(count: usize, answer: &'static str) -> (SocketAddr, JoinHandle<Vec<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut received = Vec::new();
        'accept: while received.len() < count {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            while received.len() < count {
                let (mut first, mut headers) = (String::new(), String::new());
                if stream.read_line(&mut first).unwrap() == 0 {
                    continue 'accept;
                }
                while !headers.ends_with("\r\n\r\n") {
                    stream.read_line(&mut headers).unwrap();
                }
                let headers = headers.to_ascii_lowercase();
                let length = headers.split("content-length: ").nth(1).unwrap();
                let length = length.split("\r\n").next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let path = first.split(' ').nth(1).unwrap().to_owned();
                received.push((path, headers, body));
                write!(stream.get_mut(), "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
        received
    });
    (address, thread)
}

fn push(format: Format, address: SocketAddr, timeout: Duration) -> Push {
    let labels = Labels::parse("h2c://origin", &["zone=a".to_owned()]).unwrap();
    let classes = vec!["feed".to_owned(), "grpc".to_owned()];
    Push::with_timeout(format, &format!("http://{address}"), labels, classes, timeout).unwrap()
}

/// Tells of the sample's three seconds and gives what the receiver has got.
fn tell(format: Format) -> (PushReport, Vec<Received>) {
    let (address, thread) = receiver(3, "204 No Content");
    let mut push = push(format, address, TIMEOUT);
    for (row, latencies) in (0..3).map(sample::row) {
        push.on_row(&row, &latencies);
    }
    let report = push.finish();
    assert_eq!(report, PushReport { sent: 3, ..PushReport::default() });
    (report, thread.join().unwrap())
}

#[test]
fn a_remote_write_receiver_gets_every_request() {
    let (report, received) = tell(Format::RemoteWrite);
    assert_eq!(report.complaint(), None);
    let (path, headers, body) = received.last().unwrap();
    assert_eq!(path, "/api/v1/write");
    for header in ["content-encoding: snappy", "content-type: application/x-protobuf"] {
        assert!(headers.contains(header), "{headers}");
    }
    let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let request = WriteRequest::decode(body.as_slice()).unwrap();
    let mut sum_of_requests = 0.0;
    for series in &request.series {
        assert!(series.labels.is_sorted(), "{series:?}");
        assert!(series.labels.iter().any(|label| label.name == "zone" && label.value == "a"));
        assert!(series.samples[0].timestamp > 1_700_000_000_000);
        if series.labels[0].value == "bulkhead_load_requests_total" {
            sum_of_requests += series.samples[0].value;
        }
    }
    assert!((sum_of_requests - 300.0).abs() < 1e-9, "{sum_of_requests}");
    let value = |name: &str, label: &str, wanted: &str| {
        let matches = request.series.iter().filter(|series| {
            series.labels[0].value == name
                && (label.is_empty()
                    || series.labels.iter().any(|l| l.name == label && l.value == wanted))
        });
        matches.map(|series| series.samples[0].value).sum::<f64>()
    };
    let duration = "http_client_request_duration_seconds";
    for (name, label, wanted, expected) in [
        ("bulkhead_load_requests_total", "class", "grpc", 60.0),
        ("bulkhead_load_requests_total", "outcome", "timeout", 6.0),
        ("bulkhead_load_requests_scheduled_total", "", "", 300.0),
        ("bulkhead_load_connections", "", "", 10.0),
        (&format!("{duration}_count"), "", "", 290.0),
        (&format!("{duration}_bucket"), "le", "+Inf", 290.0),
        (&format!("{duration}_bucket"), "le", "0.001", 129.0),
    ] {
        let got = value(name, label, wanted);
        assert!((got - expected).abs() < 1e-9, "{name} {label}={wanted}: {got}");
    }
}

#[test]
fn an_otlp_receiver_gets_every_request() {
    let (_, received) = tell(Format::Otlp);
    let (path, headers, body) = received.last().unwrap();
    assert_eq!(path, "/v1/metrics");
    assert!(headers.contains("content-type: application/json"), "{headers}");
    let request: Value = serde_json::from_slice(body).unwrap();
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    let requests = &metric("bulkhead.load.requests")["sum"];
    assert_eq!(
        (&requests["isMonotonic"], &requests["aggregationTemporality"]),
        (&true.into(), &2.into())
    );
    let points = requests["dataPoints"].as_array().unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(points.iter().map(|point| number(&point["asInt"])).sum::<u64>(), 300);
    assert!(number(&points[0]["timeUnixNano"]) >= number(&points[0]["startTimeUnixNano"]));
    let attributes = points[0]["attributes"].to_string();
    assert!(attributes.contains("{\"key\":\"class\",\"value\":{\"stringValue\":\"feed\"}}"));
    let duration = &metric("http.client.request.duration")["histogram"]["dataPoints"][0];
    let counts: Vec<u64> =
        duration["bucketCounts"].as_array().unwrap().iter().map(number).collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (BOUNDS.len() + 1, 290));
    assert_eq!(number(&duration["count"]), 290);
    let expected: f64 = (0..3).map(|s| sample::row(s).1.0).map(|h| h.mean() * h.len() as f64).sum();
    let sum = duration["sum"].as_f64().unwrap();
    assert!((sum * 1e6 / expected - 1.0).abs() < 0.002, "{sum} and not {expected} µs");
}

#[test]
fn a_receiver_that_never_answers_costs_seconds_and_no_load() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut push = push(Format::Otlp, address, Duration::from_millis(50));
    let (row, latencies) = sample::row(0);
    for _ in 0..100 {
        push.on_row(&row, &latencies);
    }
    let report = push.finish();
    assert_eq!((report.sent, report.failed + report.dropped), (0, 100), "{report:?}");
    assert!(report.dropped > 0, "{report:?}");
    let complaint = report.complaint().unwrap();
    assert!(complaint.contains("did not answer within 50 ms"), "{complaint}");
}

#[test]
fn a_receiver_that_refuses_or_is_not_there_is_told_of() {
    let (address, thread) = receiver(1, "404 Not Found");
    let mut refused = push(Format::RemoteWrite, address, TIMEOUT);
    let (row, latencies) = sample::row(0);
    refused.on_row(&row, &latencies);
    let complaint = refused.finish().complaint().unwrap();
    assert!(complaint.contains("/api/v1/write answered 404 Not Found"), "{complaint}");
    thread.join().unwrap();
    // The listener has gone with its thread.
    let mut nobody = push(Format::RemoteWrite, address, TIMEOUT);
    nobody.on_row(&row, &latencies);
    let complaint = nobody.finish().complaint().unwrap();
    assert!(complaint.contains("connect to 127.0.0.1"), "{complaint}");
}
