//! HTTP/1.1 downstream.

use bulkhead_config::model::Protocol;

use crate::support::{client, config, feed, origin, read_response, start};

#[test]
fn a_request_is_answered_and_the_connection_goes_on() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let gateway = start(config(origin.addr(), protocol, 1));
        let mut client = client(&gateway);
        for user in [7, 8, 9] {
            client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n"));
            let (head, body) = read_response(&mut client);
            assert!(head.starts_with("HTTP/1.1 200"), "{protocol:?}: {head}");
            assert_eq!(body, feed(user));
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    let mut requests = String::new();
    for user in 0..20 {
        requests += &format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n");
    }
    client.send(requests);
    for user in 0..20 {
        assert_eq!(read_response(&mut client).1, feed(user));
    }
}

#[test]
fn a_client_that_ended_its_half_gets_all_its_answers() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send(
        "GET /delay/30 HTTP/1.1\r\nhost: a\r\n\r\nGET /api/v1/5/feed HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    client.finish();
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    assert_eq!(read_response(&mut client).1, feed(5));
    assert!(client.read_to_end().is_empty());
}

#[test]
fn a_request_cut_off_in_its_body_is_not_answered() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    client.finish();
    assert!(client.read_to_end().is_empty());
}

#[test]
fn an_early_answer_leaves_a_usable_connection() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.body_bytes_max = Some(4);
    let gateway = start(config);
    let mut client = client(&gateway);
    // Refused by its declared length; the body is read and thrown away.
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n0123456789");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 413"));
    client.send("GET /api/v1/5/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(5));
    // Refused when it grows too long.
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 413"));
    client.send("GET /api/v1/6/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(6));
}

#[test]
fn what_came_before_an_answer_does_not_count_towards_what_is_thrown_away_after_it() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.limits.body_bytes_max = Some(200 * 1024);
    let gateway = start(config);
    let mut client = client(&gateway);
    let chunk = format!("32001\r\n{}\r\n", "a".repeat(200 * 1024 + 1));
    client.send("POST /collect HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(chunk.as_str());
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 413"));
    client.send(chunk + "0\r\n\r\n");
    client.send("GET /api/v1/5/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(5));
}

#[test]
fn expect_100_continue_is_answered_by_the_gateway() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send(
        "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
    );
    let interim = String::from_utf8(client.read_until(b"\r\n\r\n")).expect("ASCII");
    assert!(interim.starts_with("HTTP/1.1 100"));
    client.send("abc");
    assert_eq!(read_response(&mut client).1, b"abc");
}

#[test]
fn the_upstream_sees_whose_request_it_is_and_nothing_hop_by_hop() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send(
        "GET /headers HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\
         x-forwarded-for: 10.0.0.1\r\nx-forwarded-proto: https\r\nx-kept: 2\r\n\r\n",
    );
    let body = String::from_utf8(read_response(&mut client).1).expect("JSON");
    assert!(body.contains("10.0.0.1, 127.0.0.1"), "{body}");
    assert!(body.contains("x-kept") && !body.contains("x-hop"), "{body}");
    assert!(!body.contains("https"), "a client does not say what our listener is: {body}");
}

#[test]
fn an_upstream_that_closes_an_idle_connection_costs_no_request() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    for user in 0..20 {
        client.send("GET /close HTTP/1.1\r\nhost: a\r\n\r\n");
        read_response(&mut client);
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut client).1, feed(user));
    }
}

#[test]
fn what_is_neither_protocol_is_closed_without_an_answer() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    for (input, expect) in [
        ("INVALID CONNECTION PREFACE\r\n\r\n", ""),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", ""),
        ("GET / HTTP/9.9\r\nhost: a\r\n\r\n", "HTTP/1.1 505"),
        ("GET /\r\n\r\n", "HTTP/1.1 400"),
        ("BREW / HTTP/1.1\r\nhost : a\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let mut client = client(&gateway);
        client.send(input);
        let answer = String::from_utf8_lossy(&client.read_to_end()).into_owned();
        assert!(answer.starts_with(expect) && answer.is_empty() == expect.is_empty(), "{answer}");
    }
}
