//! Questions as an endpoint reads them, and what its answers come to.

use std::time::Duration;

use bulkhead_codec::StreamId;
use bulkhead_config::model::HealthCheck;
use bulkhead_message::{ResponseHead, Scheme};

use super::*;

fn target(probe: HealthProbe, protocol: Protocol) -> Target {
    Target {
        cluster: "api".to_owned(),
        endpoint: ([10, 0, 0, 1], 80).into(),
        check: HealthCheck {
            probe,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            jitter_percent: 10,
            port: None,
            initially_healthy: true,
        },
        protocol,
        scheme: Scheme::Http,
        proxy_protocol: None,
        authority: "api.test:8080".to_owned(),
    }
}

fn http(method: &str, expected_statuses: &[u16]) -> HealthProbe {
    HealthProbe::Http {
        path: "/healthz?deep=1".to_owned(),
        host: None,
        method: method.to_owned(),
        expected_statuses: expected_statuses.to_vec(),
    }
}

fn grpc(service: &str) -> HealthProbe {
    HealthProbe::Grpc { service: service.to_owned(), host: None }
}

/// What the endpoint was asked.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    line: String,
    body: Vec<u8>,
}

/// Lets a server on the other end of the codec answer once it has the whole question; each piece of
/// the answer has `piece` bytes.
fn converse(
    target: &Target,
    piece: usize,
    answer: &dyn Fn(&mut Codec, StreamId, &mut Vec<u8>),
) -> (Asked, Result<(), String>) {
    let mut server = match target.protocol {
        Protocol::Http1 => Codec::Http1(Box::new(http1::Connection::new(
            Role::Server,
            &http1::Settings::default(),
        ))),
        Protocol::Http2 => Codec::Http2(Box::new(http2::Connection::new(
            Role::Server,
            &http2::Settings::default(),
        ))),
    };
    let (mut heads, mut out, mut asked) = (Heads::default(), Vec::new(), Asked::default());
    server.start(&mut out);
    let mut conversation = Conversation::begin(target).unwrap();
    for _ in 0..4 {
        let question = conversation.take_output();
        let mut input = question.as_slice();
        while let Some(event) = server.next_event(&mut input, &mut heads, &mut out).unwrap() {
            let (stream, ended) = match event {
                Event::Request { stream, end } => {
                    let head = &heads.request;
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    asked.line = format!(
                        "{} {} {}",
                        text(head.method_text()),
                        text(head.authority()),
                        text(head.target())
                    );
                    (stream, end)
                }
                Event::Data { stream, bytes, end, .. } => {
                    asked.body.extend_from_slice(bytes);
                    (stream, end)
                }
                _ => continue,
            };
            if ended {
                answer(&mut server, stream, &mut out);
            }
        }
        for bytes in std::mem::take(&mut out).chunks(piece) {
            if let Some(verdict) = conversation.hear(bytes) {
                return (asked, verdict);
            }
        }
    }
    (asked, conversation.hear(&[]).unwrap())
}

#[test]
fn statuses_pass_that_are_expected() {
    // Method, expected statuses, answer, verdict.
    for (method, expected, status, verdict) in [
        ("GET", &[200][..], 200, Ok(())),
        ("HEAD", &[200, 204], 204, Ok(())),
        ("POST", &[204], 204, Ok(())),
        ("GET", &[200], 204, Err("it answered 204".to_owned())),
        ("GET", &[200], 503, Err("it answered 503".to_owned())),
        ("OPTIONS", &[404], 404, Ok(())),
    ] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for piece in [1, 7, usize::MAX] {
                let target = target(http(method, expected), protocol);
                let answered = converse(&target, piece, &|server, stream, out| {
                    let head = ResponseHead::new(status);
                    server.respond(stream, &head, true, out).unwrap();
                });
                let line = format!("{method} api.test:8080 /healthz?deep=1");
                let expected = (Asked { line, body: Vec::new() }, verdict.clone());
                assert_eq!(answered, expected, "{protocol:?} {piece}");
            }
        }
    }
}

#[test]
fn calls_pass_that_are_answered_with_serving() {
    let with = |body: &'static [u8], status: &'static [u8]| {
        move |server: &mut Codec, stream: StreamId, out: &mut Vec<u8>| {
            let mut head = ResponseHead::new(200);
            head.fields.push_known(Known::ContentType, b"application/grpc");
            head.body = BodyLength::Unknown;
            server.respond(stream, &head, false, out).unwrap();
            server.send_data(stream, body, false, out).unwrap();
            let mut trailers = Fields::default();
            trailers.push_known(Known::GrpcStatus, status);
            server.send_trailers(stream, &trailers, out).unwrap();
        }
    };
    // Frame and message of the answer, status, verdict.
    for (body, status, verdict) in [
        (&[0, 0, 0, 0, 2, 8, 1][..], &b"0"[..], Ok(())),
        (&[0, 0, 0, 0, 2, 8, 2], b"0", Err("it answered NOT_SERVING".to_owned())),
        (&[0, 0, 0, 0, 2, 8, 3], b"0", Err("it answered SERVICE_UNKNOWN".to_owned())),
        (&[0, 0, 0, 0, 0], b"0", Err("it answered UNKNOWN".to_owned())),
        (&[0, 0, 0, 0, 2, 8, 1], b"12", Err("it answered grpc-status 12".to_owned())),
        (&[], b"5", Err("it answered grpc-status 5".to_owned())),
        (&[], b"0", Err("the answer is no HealthCheckResponse".to_owned())),
        (&[1, 0, 0, 0, 2, 8, 1], b"0", Err("the answer is no HealthCheckResponse".to_owned())),
        (&[0, 0, 0, 0, 9, 8, 1], b"0", Err("the answer is no HealthCheckResponse".to_owned())),
        (&[0; 2_000], b"0", Err("the answer is too long".to_owned())),
    ] {
        for piece in [1, usize::MAX] {
            let target = target(grpc("a.B"), Protocol::Http2);
            let (asked, got) = converse(&target, piece, &with(body, status));
            assert_eq!(got, verdict, "{body:?} {status:?}");
            assert_eq!(asked.line, "POST api.test:8080 /grpc.health.v1.Health/Check");
            assert_eq!(asked.body, [0, 0, 0, 0, 5, 10, 3, b'a', b'.', b'B']);
        }
    }
    let (asked, _) = converse(&target(grpc(""), Protocol::Http2), 9, &with(&[], b"0"));
    assert_eq!(asked.body, [0, 0, 0, 0, 0], "the server as a whole");
}

#[test]
fn calls_that_end_otherwise_do_not_pass() {
    let target = target(grpc(""), Protocol::Http2);
    let (_, trailers_only) = converse(&target, usize::MAX, &|server, stream, out| {
        let mut head = ResponseHead::new(200);
        head.fields.push_known(Known::GrpcStatus, b"14");
        server.respond(stream, &head, true, out).unwrap();
    });
    assert_eq!(trailers_only, Err("it answered grpc-status 14".to_owned()));
    let (_, no_grpc) = converse(&target, usize::MAX, &|server, stream, out| {
        server.respond(stream, &ResponseHead::new(404), true, out).unwrap();
    });
    assert_eq!(no_grpc, Err("it answered 404".to_owned()));
    let (_, reset) = converse(&target, usize::MAX, &|server, stream, out| {
        server.reset(stream, bulkhead_codec::ErrorCode::REFUSED_STREAM, out);
    });
    assert_eq!(reset, Err("it gave up the stream".to_owned()));
}

#[test]
fn hostile_answers_end_the_check() {
    for (answer, verdict) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n"[..], "the answer is malformed"),
        (b"HTTP/1.1 2", "the connection ended"),
        (
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
            "it answered 503",
        ),
    ] {
        let mut conversation =
            Conversation::begin(&target(http("GET", &[200]), Protocol::Http1)).unwrap();
        let heard = conversation.hear(answer).or_else(|| conversation.hear(&[]));
        let reason = heard.unwrap().unwrap_err();
        assert!(reason.starts_with(verdict), "{reason}");
    }
    let mut conversation =
        Conversation::begin(&target(http("GET", &[200]), Protocol::Http1)).unwrap();
    let mut endless = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    let mut verdict = conversation.hear(&endless);
    endless.fill(b'a');
    for _ in 0..INPUT_BYTES_MAX {
        if verdict.is_some() {
            break;
        }
        verdict = conversation.hear(&endless);
    }
    assert!(verdict.unwrap().is_err(), "a head without an end");
}
