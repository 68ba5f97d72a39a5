//! gRPC-Web in front of a service of gRPC: binary and text, over both versions of HTTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bulkhead_config::Config;
use bulkhead_config::model::{Cors, Filter, Protocol};
use bulkhead_origin::Origin;
use bytes::Bytes;
use http::Request;

use crate::grpc::{next, request};
use crate::http2::{connect, exchange, run};
use crate::support::{address, client, config, origin, read_response, start};

fn translating() -> (Origin, Config) {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 2);
    let cors = Cors {
        allow_origins: vec!["https://app.example".to_owned()],
        allow_headers: vec!["content-type".to_owned(), "x-grpc-web".to_owned()],
        expose_headers: vec!["grpc-status".to_owned()],
        ..Cors::default()
    };
    config.routes[0].filters = vec![Filter::Cors(cors), Filter::GrpcWeb];
    (origin, config)
}

/// The message of an answer that the origin gives for a user.
fn message(user: u64) -> Vec<u8> {
    let mut message = Vec::new();
    bulkhead_origin::feed::push_grpc_response(user, &mut message);
    message
}

/// The lines of the frame with the trailers, which must end the body; and what is before it.
fn split_trailers(body: &[u8]) -> (Vec<u8>, String) {
    let mut at = 0;
    while body[at] & 0x80 == 0 {
        at += 5 + length(&body[at..]);
    }
    assert_eq!(body.len(), at + 5 + length(&body[at..]), "the trailers are last");
    (body[..at].to_vec(), String::from_utf8(body[at + 5..].to_vec()).expect("ASCII"))
}

fn length(frame: &[u8]) -> usize {
    u32::from_be_bytes(frame[1..5].try_into().expect("a prefix")) as usize
}

/// Base64 with padding between its parts.
fn decode(text: &[u8]) -> Vec<u8> {
    text.chunks(4).flat_map(|group| STANDARD.decode(group).expect("base64")).collect()
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n").expect("a size");
        let size = std::str::from_utf8(&body[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole.extend_from_slice(&body[line + 2..line + 2 + size]);
        body = &body[line + 2 + size + 2..];
        if size == 0 {
            return whole;
        }
    }
}

fn post(method: &str, content_type: &str) -> Request<()> {
    Request::post(format!("http://a.example/feed.v1.Feed/{method}"))
        .header("content-type", content_type)
        .header("origin", "https://app.example")
        .header("x-grpc-web", "1")
        .body(())
        .expect("a request")
}

#[test]
fn a_browser_calls_over_http1() {
    let (_origin, config) = translating();
    let gateway = start(config);
    let binary = request(7);
    let text = format!("{}{}", STANDARD.encode(&binary[..4]), STANDARD.encode(&binary[4..]));
    for (content_type, body) in [
        ("application/grpc-web+proto", binary.to_vec()),
        ("application/grpc-web-text", text.into_bytes()),
    ] {
        let mut client = client(&gateway);
        client.send(format!(
            "POST /feed.v1.Feed/Get HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\n\
             origin: https://app.example\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ));
        client.send(body);
        let answer = client.read_to_end();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("ASCII");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-type: {}", &content_type[..20])), "{head}");
        assert!(head.contains("access-control-allow-origin: https://app.example\r\n"), "{head}");
        let body = unchunk(&answer[end + 4..]);
        let body = if content_type.contains("text") { decode(&body) } else { body };
        let (messages, trailers) = split_trailers(&body);
        assert_eq!(messages, message(7));
        assert!(trailers.starts_with("grpc-status: 0\r\n"), "{trailers}");
    }
}

#[test]
fn all_forms_carry_streams_of_messages_over_http2() {
    run(async {
        let (_origin, config) = translating();
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        for content_type in ["application/grpc-web", "application/grpc-web-text+proto"] {
            let is_text = content_type.contains("text");
            for (method, count) in [("Get", 1), ("Upload", 20), ("Chat", 20)] {
                let mut body = Vec::new();
                for user in 1..=count {
                    let message = request(user);
                    body.extend(if is_text {
                        STANDARD.encode(message).into()
                    } else {
                        message.to_vec()
                    });
                }
                let (head, body, trailers) =
                    exchange(&client, post(method, content_type), Some(body.into()))
                        .await
                        .expect("an answer");
                assert_eq!(head.status(), 200, "{method}");
                assert!(trailers.is_none(), "they are in the body");
                let body = if is_text { decode(&body) } else { body };
                let (messages, trailers) = split_trailers(&body);
                assert!(!messages.is_empty() && trailers.contains("grpc-status: 0"), "{trailers}");
            }
        }
        // Plain gRPC passes as it is on the same route.
        let (head, _, trailers) =
            exchange(&client, post("Get", "application/grpc"), Some(request(7)))
                .await
                .expect("an answer");
        assert_eq!(head.headers()["content-type"], "application/grpc");
        assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
    });
}

#[test]
fn a_conversation_in_text_outlives_its_worker_in_the_middle_of_a_group() {
    run(async {
        let (_origin, config) = translating();
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        let mut client = client.ready().await.expect("a ready connection");
        let (response, mut stream) = client
            .send_request(post("Chat", "application/grpc-web-text"), false)
            .expect("a stream");
        let text = Bytes::from(STANDARD.encode(request(1)));
        stream.send_data(text.clone(), false).expect("an open stream");
        let mut body = response.await.expect("a head").into_body();
        let first = decode(&next(&mut body).await.expect("an answer"));
        for round in 0..10 {
            stream.send_data(text.slice(..5), false).expect("an open stream");
            gateway.kill_worker(round % 2).expect("kill a worker");
            stream.send_data(text.slice(5..), false).expect("an open stream");
            let mut answer = Vec::new();
            while answer.len() < first.len() {
                answer.extend(decode(&next(&mut body).await.expect("an answer")));
            }
            assert_eq!(answer, first, "round {round}");
        }
        stream.send_data(Bytes::new(), true).expect("an open stream");
        let mut rest = Vec::new();
        while let Some(piece) = next(&mut body).await {
            rest.extend(decode(&piece));
        }
        assert!(split_trailers(&rest).1.contains("grpc-status: 0"));
    });
}

#[test]
fn failures_are_told_in_the_callers_form() {
    run(async {
        let (_origin, mut config) = translating();
        let mut broken = config.clone();
        config.limits.body_bytes_max = Some(1_000);
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        // Trailers alone, from the upstream: they stay in the head.
        let web = "application/grpc-web+proto";
        let (head, body, _) =
            exchange(&client, post("Nothing", web), Some(request(1))).await.expect("an answer");
        let content_type = head.headers()["content-type"].to_str().expect("ASCII");
        assert!(content_type.starts_with("application/grpc-web"), "{content_type}");
        assert_eq!(
            (&head.headers()["grpc-status"], body.len()),
            (&"12".parse().expect("a value"), 0)
        );
        // What is no base64 is the client's mistake.
        for text in ["AAA", "A===", "*"] {
            let call = post("Get", "application/grpc-web-text");
            let (head, body, _) =
                exchange(&client, call, Some(text.into())).await.expect("an answer");
            // The origin may have begun to answer, or not.
            match head.headers().get("grpc-status") {
                Some(status) => assert_eq!(status, "13", "{text}"),
                None => assert!(split_trailers(&decode(&body)).1.contains("grpc-status: 13\r\n")),
            }
            assert_eq!(head.headers()["content-type"], "application/grpc-web-text", "{text}");
            assert_eq!(head.headers()["access-control-allow-origin"], "https://app.example");
            assert_eq!(head.headers()["access-control-expose-headers"], "grpc-status");
        }
        // Nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let nobody = listener.local_addr().expect("an address");
        drop(listener);
        let cluster = broken.clusters.get_mut("origin").expect("the cluster");
        cluster.endpoints[0].address = bulkhead_config::model::EndpointAddress::Socket(nobody);
        let gateway = start(broken);
        let client = connect(address(&gateway)).await;
        let (head, _, _) =
            exchange(&client, post("Get", web), Some(request(1))).await.expect("an answer");
        assert_eq!(head.headers()["grpc-status"], "14");
        assert_eq!(head.headers()["content-type"], web);
    });
}

#[test]
fn preflight_requests_do_not_reach_the_upstream() {
    let (origin, config) = translating();
    let gateway = start(config);
    let mut client = client(&gateway);
    for (asking, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
        client.send(format!(
            "OPTIONS /feed.v1.Feed/Get HTTP/1.1\r\nhost: a\r\norigin: {asking}\r\n\
             access-control-request-method: POST\r\n\
             access-control-request-headers: content-type,x-grpc-web\r\n\r\n"
        ));
        let (head, _) = read_response(&mut client);
        assert!(head.starts_with("HTTP/1.1 204") && head.contains("vary: origin\r\n"), "{head}");
        let names = [
            "access-control-allow-origin: https://app.example\r\n",
            "access-control-allow-headers: content-type, x-grpc-web\r\n",
        ];
        assert!(names.iter().all(|line| head.contains(line) == allowed), "{head}");
    }
    assert_eq!(origin.stats().requests(bulkhead_origin::Endpoint::GrpcGet), 0);
}
