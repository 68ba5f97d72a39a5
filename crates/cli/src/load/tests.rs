use std::io::Read;
use std::net::{SocketAddr, TcpListener};

use bulkhead_origin::{Endpoint, Origin, OriginOptions, feed};
use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

fn parse(arguments: &[&str]) -> Result<LoadArgs, clap::Error> {
    let arguments = ["bulkhead", "load"].iter().chain(arguments);
    Cli::try_parse_from(arguments).map(|cli| match cli.command {
        Command::Load(args) => *args,
        other => panic!("{other:?}"),
    })
}

/// 100 requests in 200 ms, without a warm-up.
fn measure(url: &str, more: &[&str]) -> anyhow::Result<Document> {
    let mut arguments =
        vec![url, "--rate", "500", "--duration", "200ms", "--warmup", "0s", "--seed", "1"];
    arguments.extend(more);
    let args = parse(&arguments).unwrap();
    run(&args, &AtomicBool::new(false)).map(|(document, _)| document)
}

#[test]
fn counts_agree_with_those_of_the_target() {
    let mut message = Vec::new();
    feed::push_grpc_request(7, &mut message);
    let file = bulkhead_testkit::Scratch::new();
    let body = format!("@{}", file.write("message.bin", &message[5..]).display());
    let feeds = "/api/v1/{user:uniform(1,1000000)}/feed";
    let grpc = ["--grpc", "--body", &body];
    for (scheme, path, more, endpoint) in [
        ("http", feeds, &[][..], Endpoint::Feed),
        ("h2c", feeds, &["--arrivals", "poisson"][..], Endpoint::Feed),
        ("h2c", feed::GRPC_PATH, &grpc[..], Endpoint::GrpcGet),
        ("http", "/echo", &["--body", "hello", "--header", "X-A: b"][..], Endpoint::Echo),
        ("h2c", "/status/404", &["--expect-status", "404"][..], Endpoint::Status),
    ] {
        let origin = Origin::start(OriginOptions::default()).unwrap();
        let document = measure(&format!("{scheme}://{}{path}", origin.addr()), more).unwrap();
        let requests = document.requests;
        assert_eq!(document.errors.len(), 0, "{path}: {:?}", document.failure_samples);
        assert!(more.contains(&"poisson") || requests.scheduled == 100, "{requests:?}");
        assert_eq!((requests.sent, requests.ok), (requests.scheduled, requests.scheduled));
        // And the one before the load.
        assert_eq!(origin.stats().requests(endpoint), requests.sent + 1, "{scheme} {path}");
    }
}

#[test]
fn wrong_answers_are_counted_by_kind() {
    for (path, more, kind) in [
        ("/status/503", &["--assert", "p99<1s"][..], "wrong_status"),
        ("/reset", &[][..], "reset"),
        ("/status/200", &["--grpc"][..], "wrong_grpc_status"),
    ] {
        let origin = Origin::start(OriginOptions::default()).unwrap();
        let document = measure(&format!("h2c://{}{path}", origin.addr()), more).unwrap();
        assert_eq!((document.requests.ok, document.requests.failed), (0, 100), "{path}");
        assert_eq!(document.errors.get(kind), Some(&100), "{path}: {:?}", document.errors);
        assert_eq!(document.holds(), more.first() != Some(&"--assert"));
        assert_eq!(origin.stats().requests_total(), document.requests.sent + 1, "{path}");
    }
}

#[test]
fn what_cannot_be_run_is_told_in_one_line() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let hangs_up = stub(|_| Vec::new(), 0);
    let only_http1 = stub(|_| b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec(), 1);
    for (url, more, expected) in [
        (format!("http://{nobody}/"), &[][..], "check that the target runs"),
        (format!("http://{hangs_up}/"), &[][..], "does not answer in HTTP/1.1"),
        (format!("h2c://{only_http1}/"), &[][..], "try http://"),
        (format!("http://{nobody}/"), &["--grpc"][..], "gRPC needs HTTP/2"),
        (format!("http://{nobody}/"), &["--header", "x"][..], "has no `:`"),
        (format!("http://{nobody}/"), &["--header", "Content-Length: 1"][..], "set by load itself"),
        (format!("http://{nobody}/"), &["--method", "A B"][..], "no method"),
        (format!("http://{nobody}/"), &["--body", "@/nonexistent"][..], "read the body"),
    ] {
        let error = format!("{:#}", measure(&url, more).unwrap_err());
        assert!(error.contains(expected) && !error.contains('\n'), "{url} {more:?}: {error}");
    }
}

#[test]
fn bad_flags_are_refused() {
    for flags in [
        &[][..],
        &["--rate", "1", "--closed"],
        &["--rate", "0"],
        &["--rate", "1", "--duration", "0s"],
        &["--rate", "1", "--duration", "10"],
        &["--rate", "1", "--connections", "0"],
        &["--rate", "1", "--grpc", "--method", "PUT"],
        &["--rate", "1", "--assert", "p99<10"],
        &["--rate", "1", "--expect-status", "99"],
        &["--closed", "--arrivals", "poisson"],
    ] {
        let mut arguments = vec!["http://a/"];
        arguments.extend(flags);
        assert!(parse(&arguments).is_err(), "{flags:?}");
    }
    assert!(parse(&["http://a/", "--closed", "--streams", "4"]).is_ok());
}

/// A target that answers one request per read, and request 100 (the preflight is request 0) 500 ms
/// late: of 300 requests over 1.5 s, those of 0.5 s wait, the first 500 ms and the last hardly.
#[test]
fn one_stall_gives_the_percentiles_that_theory_says() {
    let target = stub(
        |number| {
            if number == 100 {
                std::thread::sleep(Duration::from_millis(500));
            }
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()
        },
        usize::MAX,
    );
    let url = format!("http://{target}/");
    let args = ["--rate", "200", "--duration", "1500ms", "--connections", "1", "--warmup", "0s"];
    let args = parse(&[&[url.as_str()], &args[..]].concat()).unwrap();
    let (document, _) = run(&args, &AtomicBool::new(false)).unwrap();
    assert_eq!((document.requests.ok, document.requests.failed), (300, 0));
    // A third of the requests waits uniformly up to 500 ms: P90 = 350 ms, P99 = 485 ms. The lower
    // bounds hold on any machine; the upper ones leave room for a busy one.
    let latency = &document.latency_ms;
    for (value, theory) in [(latency.p90, 350.0), (latency.p99, 485.0), (latency.max, 500.0)] {
        assert!((theory * 0.98..theory + 500.0).contains(&value), "{theory}: {latency:?}");
    }
    // Only one request took long once it was sent: that is what a closed loop would have seen.
    assert!(document.service_ms.max >= 500.0, "{:?}", document.service_ms);
    assert!(document.service_ms.p90 < latency.p90 / 2.0, "{:?}", document.service_ms);
    assert!(document.requests.late >= 95, "{:?}", document.requests);
}

/// Answers `answers_max` reads of each connection with what `answer` says, then closes it. Reads are
/// numbered over all connections.
fn stub(answer: impl Fn(usize) -> Vec<u8> + Send + 'static, answers_max: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            for _ in 0..answers_max {
                if !matches!(stream.read(&mut buffer), Ok(count) if count > 0) {
                    break;
                }
                if stream.write_all(&answer(number)).is_err() {
                    break;
                }
                number += 1;
            }
        }
    });
    address
}
