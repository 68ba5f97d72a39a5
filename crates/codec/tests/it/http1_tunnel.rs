//! Upgrades and CONNECT over HTTP/1: nothing is a tunnel's before both have agreed, and each half
//! ends by itself.

use bulkhead_codec::{Event, OpenError, SendError};
use bulkhead_message::BodyLength::{Known, None as NoBody};
use bulkhead_message::{RequestHead, ResponseHead};

use crate::http1::{Pair, request, response};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, UPGRADE\r\n\
                       Upgrade: websocket\r\n\r\n";
const CONNECT: &str = "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n";

fn upgrade() -> RequestHead {
    let mut head = request("GET", "/chat", NoBody);
    head.set_protocol(b"websocket");
    head
}

fn connect() -> RequestHead {
    let mut head = request("CONNECT", "", NoBody);
    head.set_authority(b"b.example:443");
    head
}

fn switching() -> ResponseHead {
    let mut head = response(101, NoBody);
    head.fields.push(b"upgrade", b"websocket");
    head
}

/// A tunnel between our two sides.
fn tunnel(head: &RequestHead, answer: &ResponseHead) -> Pair {
    let mut pair = Pair::new();
    assert_eq!(pair.open(head, false), Ok(1));
    assert_eq!(pair.at_server().len(), 1);
    assert_eq!(pair.respond(1, answer, false), Ok(()));
    let fields = if answer.status == 101 { " connection=upgrade upgrade=websocket" } else { "" };
    assert_eq!(pair.at_client(), [format!("1 {} None end=false{fields}", answer.status)]);
    assert!(pair.client.connection.is_tunnel() && pair.server.connection.is_tunnel());
    pair
}

fn tunnels() -> [Pair; 2] {
    [tunnel(&upgrade(), &switching()), tunnel(&connect(), &response(200, NoBody))]
}

#[test]
fn bytes_pass_both_ways_and_each_half_ends_by_itself() {
    for mut pair in tunnels() {
        assert_eq!(pair.client_data(1, b"GET / HTTP/1.1\r\n\r\n", false), Ok(18));
        assert_eq!(pair.at_server(), [r#"data "GET / HTTP/1.1\r\n\r\n" end=false"#]);
        assert_eq!(pair.server_data(1, b"pong", false), Ok(4));
        assert_eq!(pair.at_client(), [r#"data "pong" end=false"#]);

        assert_eq!(pair.client_data(1, b"", true), Ok(0));
        let client = &pair.client.connection;
        assert!(client.is_half_closed() && !client.must_close());
        assert_eq!(pair.server.end_of_input(), r#"data "" end=true"#);
        assert_eq!(pair.server.end_of_input(), "none");
        assert!(!pair.server.connection.is_half_closed() && !pair.server.connection.must_close());
        assert_eq!(pair.client_data(1, b"more", false), Err(SendError::Closed));

        assert_eq!(pair.server_data(1, b"last", true), Ok(4));
        assert!(pair.server.connection.must_close() && !pair.server.connection.is_tunnel());
        assert_eq!(pair.at_client(), [r#"data "last" end=false"#]);
        assert_eq!(pair.client.end_of_input(), r#"data "" end=true"#);
        assert!(pair.client.connection.must_close());
        assert_eq!(pair.client.connection.active_streams(), 0);
    }
}

#[test]
fn the_server_may_end_first() {
    for mut pair in tunnels() {
        assert_eq!(pair.server_data(1, b"bye", true), Ok(3));
        assert!(pair.server.connection.is_half_closed() && !pair.server.connection.must_close());
        assert_eq!(pair.at_client(), [r#"data "bye" end=false"#]);
        assert_eq!(pair.client.end_of_input(), r#"data "" end=true"#);
        assert_eq!(pair.client.end_of_input(), "none");
        assert!(pair.client.connection.is_tunnel() && !pair.client.connection.must_close());
        assert_eq!(pair.client_data(1, b"x", false), Ok(1));
        assert_eq!(pair.at_server(), [r#"data "x" end=false"#]);
        assert_eq!(pair.server.end_of_input(), r#"data "" end=true"#);
        assert!(pair.server.connection.must_close());
    }
}

#[test]
fn what_comes_before_the_agreement_is_held() {
    for (asked, answer) in [(UPGRADE, switching()), (CONNECT, response(200, NoBody))] {
        let mut pair = Pair::new();
        pair.server.input.extend_from_slice(format!("{asked}early").as_bytes());
        assert_eq!(pair.server.events().len(), 1);
        assert_eq!(pair.server.input, b"early");
        assert_eq!(pair.respond(1, &answer, false), Ok(()));
        assert_eq!(pair.server.events(), [r#"data "early" end=false"#]);
    }
}

#[test]
fn a_client_that_has_ended_its_half_gets_its_tunnel_all_the_same() {
    let mut pair = Pair::new();
    pair.server.input.extend_from_slice(format!("{UPGRADE}early").as_bytes());
    assert_eq!(pair.server.events().len(), 1);
    assert_eq!(pair.server.end_of_input(), "none");
    assert_eq!(pair.respond(1, &switching(), false), Ok(()));
    assert_eq!(pair.server.events(), [r#"data "early" end=false"#]);
    assert_eq!(pair.server.end_of_input(), r#"data "" end=true"#);
    assert_eq!(pair.server_data(1, b"x", true), Ok(1));
    assert!(pair.server.connection.must_close());
}

#[test]
fn behind_a_refused_upgrade_http_goes_on() {
    let mut pair = Pair::new();
    let behind = "GET /2 HTTP/1.1\r\nhost: a\r\n\r\n";
    pair.server.input.extend_from_slice(format!("{UPGRADE}{behind}").as_bytes());
    assert_eq!(pair.server.events().len(), 1);
    assert_eq!(pair.respond(1, &response(403, Known(0)), true), Ok(()));
    assert_eq!(pair.server.events(), ["3 GET /2 @a None end=true"]);
}

#[test]
fn behind_a_refused_connect_nothing_is_read() {
    let mut pair = Pair::new();
    let behind = "GET /2 HTTP/1.1\r\nhost: a\r\n\r\n";
    pair.server.input.extend_from_slice(format!("{CONNECT}{behind}").as_bytes());
    assert_eq!(pair.server.events().len(), 1);
    assert_eq!(pair.respond(1, &response(403, Known(0)), true), Ok(()));
    let answer = String::from_utf8(pair.server.output.clone()).unwrap();
    assert_eq!(answer, "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_eq!(pair.server.events(), [""; 0]);
    assert!(pair.server.connection.must_close());
}

#[test]
fn a_switch_that_was_not_asked_for_is_not_written() {
    for asked in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\
         content-length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\
         transfer-encoding: chunked\r\n\r\n",
        CONNECT,
    ] {
        let mut pair = Pair::new();
        pair.server.input.extend_from_slice(asked.as_bytes());
        assert_eq!(pair.server.events().len(), 1, "{asked}");
        assert!(matches!(pair.respond(1, &switching(), false), Err(SendError::Invalid(_))));
        assert!(!pair.server.connection.is_tunnel());
        assert_eq!(pair.respond(1, &response(403, Known(0)), true), Ok(()));
    }
}

#[test]
fn a_connect_with_a_body_is_refused() {
    for framing in ["content-length: 5", "transfer-encoding: chunked"] {
        let mut pair = Pair::new();
        let asked = format!("CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n{framing}\r\n\r\nhello");
        pair.server.input.extend_from_slice(asked.as_bytes());
        assert_eq!(pair.server.events(), ["error 400: CONNECT with a body"]);
    }
}

#[test]
fn a_client_sends_nothing_before_the_agreement() {
    for head in [upgrade(), connect()] {
        let mut pair = Pair::new();
        assert_eq!(pair.open(&head, false), Ok(1));
        let before = pair.client.output.len();
        assert!(matches!(pair.client_data(1, b"x", false), Err(SendError::Invalid(_))));
        assert_eq!(pair.client.output.len(), before);
    }
    let mut with_body = upgrade();
    with_body.body = Known(3);
    assert_eq!(Pair::new().open(&with_body, false), Err(OpenError::Closing));
}

#[test]
fn the_request_for_an_upgrade_as_it_is_sent() {
    let mut head = upgrade();
    head.fields.push(b"te", b"trailers");
    head.fields.push(b"sec-websocket-version", b"13");
    let mut pair = Pair::new();
    assert_eq!(pair.open(&head, false), Ok(1));
    let expect = "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: te, upgrade\r\n\
                  upgrade: websocket\r\nte: trailers\r\nsec-websocket-version: 13\r\n\r\n";
    assert_eq!(String::from_utf8(pair.client.output).unwrap(), expect);
}

#[test]
fn a_client_that_is_refused_can_send_another_request() {
    let mut pair = Pair::new();
    assert_eq!(pair.open(&upgrade(), false), Ok(1));
    assert_eq!(pair.at_server().len(), 1);
    assert_eq!(pair.respond(1, &response(200, Known(2)), false), Ok(()));
    assert_eq!(pair.server_data(1, b"no", true), Ok(2));
    let events = pair.at_client();
    assert_eq!(events, ["1 200 Known(2) end=false content-length=2", r#"data "no" end=true"#]);
    assert_eq!(pair.client.connection.available_streams(), 1);
}

#[test]
fn an_interim_response_is_no_agreement() {
    let mut pair = Pair::new();
    assert_eq!(pair.open(&upgrade(), false), Ok(1));
    assert_eq!(pair.at_server().len(), 1);
    assert_eq!(pair.respond(1, &response(103, NoBody), false), Ok(()));
    assert_eq!(pair.at_client(), ["1 103 None end=false"]);
    assert!(!pair.client.connection.is_tunnel());
    assert_eq!(pair.respond(1, &switching(), false), Ok(()));
    assert_eq!(pair.at_client().len(), 1);
    assert!(pair.client.connection.is_tunnel());
}

#[test]
fn a_tunnel_can_be_given_up() {
    for mut pair in tunnels() {
        pair.server.connection.reset(1, bulkhead_codec::ErrorCode::CANCEL, &mut Vec::new());
        assert!(pair.server.connection.must_close() && !pair.server.connection.is_tunnel());
        let mut rest = &b"late"[..];
        let (heads, out) = (&mut pair.server.heads, &mut Vec::new());
        let event = pair.server.connection.next_event(&mut rest, heads, out);
        assert_eq!(event, Ok(None::<Event<'_>>));
    }
}
