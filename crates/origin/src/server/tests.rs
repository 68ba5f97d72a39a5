use std::io::{Read, Write};
use std::net::TcpStream;

use bulkhead_codec::{Codec, ErrorCode, Event, Heads, Role, http2};
use bulkhead_message::{BodyLength, Fields, Known, RequestHead};

use super::*;
use crate::{Endpoint, feed};

/// What a client got.
#[derive(Debug, Default, PartialEq)]
struct Reply {
    status: u16,
    fields: Fields,
    body: Vec<u8>,
    trailers: Fields,
    reset: Option<ErrorCode>,
    /// It was the first to end, the second, …
    rank: usize,
}

fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}

fn connect(origin: &Origin) -> TcpStream {
    let stream = TcpStream::connect(origin.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn head(method: &str, target: &str) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_authority(b"origin.example");
    head.set_target(target.as_bytes());
    head
}

/// Makes requests over HTTP/2 on one connection, all at once, and waits for all answers.
fn ask(origin: &Origin, requests: &[(RequestHead, Vec<u8>)]) -> Vec<Reply> {
    let mut stream = connect(origin);
    let settings = http2::Settings::default();
    let mut codec = Codec::Http2(Box::new(http2::Connection::new(Role::Client, &settings)));
    let mut out = Vec::new();
    codec.start(&mut out);
    let mut unsent = Vec::new();
    for (place, (head, body)) in requests.iter().enumerate() {
        let id = codec.open(head, body.is_empty(), place as u64, &mut out).unwrap();
        if !body.is_empty() {
            let sent = codec.send_data(id, body, true, &mut out).unwrap();
            unsent.push((id, place, sent));
        }
    }
    let mut replies: Vec<Reply> = requests.iter().map(|_| Reply::default()).collect();
    let (mut open, mut input, mut heads) = (requests.len(), Vec::new(), Heads::default());
    while open > 0 {
        stream.write_all(&std::mem::take(&mut out)).unwrap();
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the origin closed the connection");
        input.extend_from_slice(&buffer[..count]);
        let mut rest = &input[..];
        while let Some(event) = codec.next_event(&mut rest, &mut heads, &mut out).unwrap() {
            open -= usize::from(take(event, &mut heads, &mut replies, &mut codec, &mut out));
        }
        let left = rest.len();
        input.drain(..input.len() - left);
        while let Some((id, _)) = codec.next_writable() {
            let (_, place, sent) = unsent.iter_mut().find(|(other, ..)| *other == id).unwrap();
            *sent += codec.send_data(id, &requests[*place].1[*sent..], true, &mut out).unwrap();
        }
    }
    replies
}

/// Notes an event; whether it ended an answer.
fn take(
    event: Event<'_>,
    heads: &mut Heads,
    replies: &mut [Reply],
    codec: &mut Codec,
    out: &mut Vec<u8>,
) -> bool {
    match event {
        Event::Response { tag, end, .. } => {
            replies[tag as usize].status = heads.response.status;
            replies[tag as usize].fields = heads.response.fields.clone();
            end && rank(replies, tag)
        }
        Event::Data { stream, tag, bytes, flow_bytes, end } => {
            replies[tag as usize].body.extend_from_slice(bytes);
            codec.release(stream, flow_bytes, out);
            end && rank(replies, tag)
        }
        Event::Trailers { tag, .. } => {
            replies[tag as usize].trailers = heads.trailers.clone();
            rank(replies, tag)
        }
        Event::Reset { tag, code, .. } => {
            replies[tag as usize].reset = Some(code);
            rank(replies, tag)
        }
        _ => false,
    }
}

/// An answer has ended.
fn rank(replies: &mut [Reply], tag: u64) -> bool {
    let ended = replies.iter().filter(|reply| reply.rank > 0).count();
    replies[tag as usize].rank = ended + 1;
    true
}

fn get(origin: &Origin, target: &str) -> Reply {
    ask(origin, &[(head("GET", target), Vec::new())]).remove(0)
}

#[test]
fn feeds_come_whole_over_http2_many_at_once() {
    let origin = origin();
    let requests: Vec<_> =
        (0..100).map(|user| (head("GET", &format!("/api/v1/{user}/feed")), Vec::new())).collect();
    for (user, reply) in ask(&origin, &requests).into_iter().enumerate() {
        let mut expected = Vec::new();
        feed::push_json(user as u64, &mut expected);
        assert_eq!((reply.status, reply.body), (200, expected));
        assert_eq!(reply.fields.get(Known::ContentType), Some(&b"application/json"[..]));
    }
    assert_eq!(origin.stats().requests(Endpoint::Feed), 100);
    assert_eq!((origin.stats().requests_total(), origin.stats().connections()), (100, 1));
}

#[test]
fn the_subject_that_the_gateway_found_comes_back() {
    let origin = origin();
    let mut request = head("GET", "/api/v1/1/feed");
    request.fields.push(b"x-token-subject", b"somebody");
    let reply = ask(&origin, &[(request, Vec::new())]).remove(0);
    assert_eq!(reply.fields.get_named(b"x-token-subject"), Some(&b"somebody"[..]));
}

#[test]
fn grpc_calls_end_with_a_status() {
    let origin = origin();
    let messages = |users: &[u64]| {
        let mut body = Vec::new();
        users.iter().for_each(|&user| feed::push_grpc_request(user, &mut body));
        body
    };
    let feeds = |users: &[u64]| {
        let mut body = Vec::new();
        users.iter().for_each(|&user| feed::push_grpc_response(user, &mut body));
        body
    };
    for (method, body, status, answer) in [
        ("Get", messages(&[7]), "0", feeds(&[7])),
        ("Watch", messages(&[7]), "0", feeds(&[7, 8, 9, 10, 11])),
        ("Upload", messages(&[7, 8]), "0", feeds(&[15])),
        ("Chat", messages(&[7, 8]), "0", feeds(&[7, 8])),
        ("Get", Vec::new(), "3", Vec::new()),
        ("Get", b"\x01\0\0\0\0".to_vec(), "3", Vec::new()),
    ] {
        let mut request = head("POST", &format!("/feed.v1.Feed/{method}"));
        request.fields.push_known(Known::ContentType, b"application/grpc");
        let reply = ask(&origin, &[(request, body)]).remove(0);
        assert_eq!((reply.status, reply.body), (200, answer), "{method}");
        assert_eq!(reply.trailers.get(Known::GrpcStatus), Some(status.as_bytes()), "{method}");
    }
    let mut unknown = head("POST", "/feed.v1.Feed/None");
    unknown.fields.push_known(Known::ContentType, b"application/grpc");
    let reply = ask(&origin, &[(unknown, Vec::new())]).remove(0);
    assert_eq!(reply.fields.get(Known::GrpcStatus), Some(&b"12"[..]));
}

#[test]
fn small_answers_are_what_their_paths_say() {
    let origin = origin();
    for (target, status, body) in [
        ("/status/204", 204, ""),
        ("/status/503", 503, "status 503\n"),
        ("/delay/5", 200, "after 5 ms\n"),
        ("/busy/5", 200, "after 5 ms\n"),
        ("/bytes/0", 200, ""),
        ("/bytes/28", 200, "abcdefghijklmnopqrstuvwxyzab"),
        ("/nothing", 404, "status 404\n"),
    ] {
        let reply = get(&origin, target);
        let text = String::from_utf8(reply.body).unwrap();
        assert_eq!((reply.status, text.as_str()), (status, body), "{target}");
    }
    assert_eq!(get(&origin, "/reset").reset, Some(ErrorCode::INTERNAL_ERROR));
}

#[test]
fn bodies_larger_than_every_window_come_and_go() {
    let origin = origin();
    let length = 3_000_000;
    let reply = get(&origin, &format!("/bytes/{length}"));
    assert_eq!(reply.body.len(), length);
    assert!(reply.body.iter().enumerate().all(|(at, byte)| *byte == b'a' + (at % 26) as u8));

    let mut request = head("POST", "/echo");
    request.body = BodyLength::Known(length as u64);
    request.fields.push_known(Known::ContentType, b"text/x-letters");
    let echo = ask(&origin, &[(request, reply.body.clone())]).remove(0);
    assert!(echo.body == reply.body, "{} bytes", echo.body.len());
    assert_eq!(echo.fields.get(Known::ContentType), Some(&b"text/x-letters"[..]));
}

#[test]
fn a_body_that_is_collected_is_answered_when_it_is_whole() {
    let origin = origin();
    let body: Vec<u8> = (0..300_000u32).map(|place| place as u8).collect();
    let mut request = head("PUT", "/collect");
    request.body = BodyLength::Known(body.len() as u64);
    let reply = ask(&origin, &[(request, body.clone())]).remove(0);
    assert!(reply.body == body, "{} bytes", reply.body.len());
    let begun = "PUT /collect HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel";
    // Not even a head before the end, so that a client can tell: the answer to the next request is first.
    let mut stream = connect(&origin);
    stream.write_all(begun.as_bytes()).unwrap();
    assert!(
        http1(&origin, "GET /status/200 HTTP/1.1\r\nhost: a\r\n\r\n", "status 200").contains("200")
    );
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"lo").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nhello") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let empty =
        http1(&origin, "PUT /collect HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", "\r\n\r\n");
    assert!(empty.contains("content-length: 0"), "{empty}");
}

/// Sends text and reads until the origin closes, or until `enough`.
fn http1(origin: &Origin, text: &str, enough: &str) -> String {
    let mut stream = connect(origin);
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        answer.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer);
        if count == 0 || (!enough.is_empty() && text.contains(enough)) {
            return text.into_owned();
        }
    }
}

#[test]
fn http1_shares_the_port_and_keeps_pipelined_answers_in_order() {
    let origin = origin();
    let answer = http1(
        &origin,
        "GET /delay/20 HTTP/1.1\r\nhost: a\r\n\r\n\
         GET /bytes/3 HTTP/1.1\r\nhost: a\r\n\r\n\
         POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello\
         GET /status/404 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "",
    );
    let places: Vec<_> =
        ["after 20 ms", "abc", "hello", "status 404"].map(|part| answer.find(part)).to_vec();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
}

/// Upgrades, sends the bytes of frames and gives all that comes back until the end.
fn websocket(origin: &Origin, path: &str, frames: &[u8]) -> Vec<u8> {
    let mut stream = connect(origin);
    let head = "host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // In one piece: what follows the head is the WebSocket's already.
    let request = [format!("GET {path} HTTP/1.1\r\n{head}").as_bytes(), frames].concat();
    stream.write_all(&request).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let at = all.windows(accept.len()).position(|part| part == accept.as_bytes()).unwrap();
    all.split_off(at + accept.len())
}

#[test]
fn websocket_messages_come_back_as_the_path_says() {
    // Masked with zeros: text "hi", twice, a ping between them, and a close frame.
    let hi = b"\x81\x82\0\0\0\0hi";
    let frames = [&hi[..], b"\x89\x80\0\0\0\0", hi, b"\x88\x80\0\0\0\0"].concat();
    for (path, expected) in [
        ("/ws", &b"\x81\x02hi\x8a\0\x81\x02hi\x88\0"[..]),
        ("/ws-wrong", b"\x82\x02ii\x8a\0\x82\x02ii\x88\0"),
        ("/ws-silent", b"\x8a\0\x88\0"),
        ("/ws-cut/1", b"\x81\x02hi\x8a\0"),
    ] {
        let origin = origin();
        assert_eq!(websocket(&origin, path, &frames), expected, "{path}");
        let stats = origin.stats();
        assert_eq!((stats.requests(Endpoint::WebSocket), stats.websocket_messages()), (1, 2));
    }
    let closed = websocket(&origin(), "/ws-close/1", &frames);
    assert!(closed.starts_with(b"\x81\x02hi") && closed.ends_with(b"\x88\0"), "{closed:?}");
    // Not masked: refused.
    assert_eq!(websocket(&origin(), "/ws", b"\x81\x02hi"), b"");
}

#[test]
fn a_websocket_needs_an_upgrade() {
    let origin = origin();
    assert_eq!(get(&origin, "/ws").status, 426);
    let answer = http1(&origin, "GET /ws HTTP/1.1\r\nhost: a\r\n\r\n", "WebSocket only\n");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[test]
fn a_close_closes_without_an_answer() {
    let origin = origin();
    assert_eq!(http1(&origin, "GET /close HTTP/1.1\r\nhost: a\r\n\r\n", ""), "");
}

#[test]
fn received_fields_are_told() {
    let origin = origin();
    let answer =
        http1(&origin, "GET /headers HTTP/1.1\r\nhost: a\r\nx-one: 1\r\n\r\n", "\"x-one\":[\"1\"]");
    assert!(answer.contains("\":path\":[\"/headers\"]"), "{answer}");
}

#[test]
fn several_threads_share_the_port_and_stop() {
    let origin = Origin::start(OriginOptions { threads: 3, ..OriginOptions::default() }).unwrap();
    for user in 0..12 {
        assert_eq!(get(&origin, &format!("/api/v1/{user}/feed")).status, 200);
    }
    assert_eq!(origin.stats().requests(Endpoint::Feed), 12);
    origin.stop();
}

#[test]
fn work_waits_for_a_slot() {
    let origin = Origin::start(OriginOptions { slots: 1, ..OriginOptions::default() }).unwrap();
    let request = |target| (head("GET", target), Vec::new());
    // Streams of one connection: without slots the shorter one would be answered first.
    let replies = ask(&origin, &[request("/busy/40"), request("/busy/1"), request("/delay/1")]);
    let ranks: Vec<usize> = replies.iter().map(|reply| reply.rank).collect();
    assert_eq!(ranks, [2, 3, 1]);
}
