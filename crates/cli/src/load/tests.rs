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
    run(&args, &Interrupt::never()).map(|(document, _)| document)
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
        (format!("http://{nobody}/"), &["--mix", "grpc=1"][..], "--grpc-path"),
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
        &["--rate", "1", "--stages", "1:1s"],
        &["--stages", "1:1s", "--duration", "2s"],
        &["--rate", "1", "--think", "1s"],
        &["--rate", "1", "--mix", "h9=1"],
        &["--rate", "1", "--cert", "a"],
        &["--rate", "1", "--source", "nonsense"],
    ] {
        let mut arguments = vec!["http://a/"];
        arguments.extend(flags);
        assert!(parse(&arguments).is_err(), "{flags:?}");
    }
    assert!(parse(&["http://a/", "--closed", "--streams", "4"]).is_ok());
}

#[test]
fn stages_and_a_mix_are_run_as_asked() {
    let mut message = Vec::new();
    feed::push_grpc_request(7, &mut message);
    let file = bulkhead_testkit::Scratch::new();
    let body = format!("@{}", file.write("message.bin", &message[5..]).display());
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let url = format!("h2c://{}/api/v1/{{user:uniform(1,9)}}/feed", origin.addr());
    let args = parse(&[
        &url,
        "--stages",
        "100:200ms,100..900:400ms",
        "--warmup",
        "100ms",
        "--cooldown",
        "100ms",
        "--mix",
        "h1=20,h2=50,grpc=30",
        "--grpc-path",
        feed::GRPC_PATH,
        "--grpc-body",
        &body,
        "--seed",
        "3",
        "--connections",
        "2",
    ])
    .unwrap();
    let (document, report) = run(&args, &Interrupt::never()).unwrap();
    assert_eq!(document.errors.len(), 0, "{:?}", document.failure_samples);
    // 20 requests, then 200 while the rate grows; 10 of the first and the last 80 are not counted.
    assert_eq!(report.scheduled + report.excluded.scheduled, 220);
    assert!((125..=135).contains(&report.scheduled), "{}", report.scheduled);
    let names: Vec<_> = report.classes.iter().map(|class| &*class.name).collect();
    assert_eq!(names, ["http1", "http2", "grpc"]);
    let sent = report.sent + report.excluded.sent;
    // And the one before the load.
    assert_eq!(origin.stats().requests_total(), sent + 1);
    assert!(report.classes.iter().all(|class| class.ok > 0 && class.failed == 0));
    assert_eq!(document.statuses.get("2xx"), Some(&report.ok));
}

#[test]
fn tls_is_spoken_with_whom_it_trusts() {
    let authority = bulkhead_testkit::Authority::new();
    let leaf = authority.issue(&["localhost"]);
    let pem = bulkhead_transport::CertificatePem {
        chain_pem: leaf.chain_pem.into_bytes(),
        key_pem: leaf.key_pem.into_bytes(),
    };
    let tls = bulkhead_transport::ServerTls::new(
        vec![pem],
        bulkhead_transport::TlsVersion::Tls12,
        &[b"h2", b"http/1.1"],
        &bulkhead_transport::Ticketer::new().unwrap(),
    );
    let tls = Some(tls.unwrap());
    let origin = Origin::start(OriginOptions { tls, ..OriginOptions::default() }).unwrap();
    let files = bulkhead_testkit::Scratch::new();
    let ca = files.write("ca.pem", authority.certificate_pem()).display().to_string();
    let address = origin.addr().to_string();
    for scheme in ["https", "h2"] {
        let url = format!("{scheme}://localhost/status/200");
        let measure = |more: &[&str]| {
            measure(&url, &[&["--connect-to", &address, "--connections", "2"], more].concat())
        };
        let trusting = measure(&["--cacert", &ca, "--requests-per-connection", "10"]).unwrap();
        let answered = (trusting.requests.ok, trusting.requests.failed);
        assert_eq!(answered, (100, 0), "{:?}", trusting.failure_samples);
        assert!(trusting.connections.tls_resumed > 0, "{:?}", trusting.connections);
        let fresh = ["--insecure", "--no-tls-resume", "--requests-per-connection", "10"];
        let connections = measure(&fresh).unwrap().connections;
        assert!(connections.tls_handshakes >= 10 && connections.tls_resumed == 0);
        for (more, expected) in [
            (&[][..], "--cacert"),
            (&["--cacert", &ca, "--tls-name", "other.example"], "the TLS handshake fails"),
            (&["--cacert", "/nonexistent"], "read `/nonexistent`"),
        ] {
            let error = format!("{:#}", measure(more).unwrap_err());
            assert!(error.contains(expected) && !error.contains('\n'), "{more:?}: {error}");
        }
    }
    // TLS spoken to a cleartext port, and the other way round.
    let plain = Origin::start(OriginOptions::default()).unwrap();
    let error = measure(&format!("h2://{}/", plain.addr()), &["--insecure"]).unwrap_err();
    assert!(format!("{error:#}").contains("if it speaks no TLS"), "{error:#}");
    let error = measure(&format!("http://{}/", origin.addr()), &[]).unwrap_err();
    assert!(format!("{error:#}").contains("https:// if TLS"), "{error:#}");
}

#[test]
fn websocket_messages_come_back_as_they_were_sent() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let echo = measure(&format!("ws://{}/ws", origin.addr()), &["--body", "hello"]).unwrap();
    assert_eq!((echo.requests.ok, echo.requests.failed), (100, 0), "{:?}", echo.failure_samples);
    let wrong = measure(&format!("ws://{}/ws-wrong", origin.addr()), &[]).unwrap();
    assert_eq!((wrong.requests.ok, wrong.errors.get("wrong_body")), (0, Some(&100)));
    for (path, expected) in [("/status/404", "404"), ("/{a:uniform(1,2)}", "no placeholders")] {
        let error = measure(&format!("ws://{}{path}", origin.addr()), &[]).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
    let mixed = ["--mix", "h2=1,ws=1", "--ws-path", "/ws", "--connections", "2"];
    let mixed = measure(&format!("h2c://{}/status/200", origin.addr()), &mixed).unwrap();
    assert_eq!((mixed.requests.ok, mixed.classes.len()), (100, 2), "{:?}", mixed.failure_samples);
}

#[test]
fn bodies_are_compared_when_asked() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let url = format!("http://{}/echo", origin.addr());
    let right = measure(&url, &["--body", "hello", "--expect-body", "hello"]).unwrap();
    assert_eq!((right.requests.ok, right.requests.failed), (100, 0));
    let wrong = measure(&url, &["--body", "hello", "--expect-body", "hullo"]).unwrap();
    assert_eq!((wrong.requests.ok, wrong.errors.get("wrong_body")), (0, Some(&100)));
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
    let (document, _) = run(&args, &Interrupt::never()).unwrap();
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
