#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

mod flow;
mod rules;
mod tunnel;

use bulkhead_message::{BodyLength, Fields, Method, RequestHead, ResponseHead, Scheme};

use super::*;
use crate::{OpenError, SendError};

/// One side with its buffers, and a log of what it was told.
struct Side {
    connection: Connection,
    heads: Heads,
    input: Vec<u8>,
    out: Vec<u8>,
    log: Vec<String>,
    /// Gives window back as soon as data arrives.
    releases: bool,
}

impl Side {
    fn new(role: Role, settings: &Settings) -> Self {
        let mut side = Self {
            connection: Connection::new(role, settings),
            heads: Heads::default(),
            input: Vec::new(),
            out: Vec::new(),
            log: Vec::new(),
            releases: true,
        };
        side.connection.start(&mut side.out);
        side
    }

    /// Takes bytes, `piece` of them at a time.
    fn feed(&mut self, bytes: &[u8], piece: usize) -> Result<(), ConnectionError> {
        for part in bytes.chunks(piece) {
            self.input.extend_from_slice(part);
            let input = std::mem::take(&mut self.input);
            let mut rest = &input[..];
            while let Some(event) =
                self.connection.next_event(&mut rest, &mut self.heads, &mut self.out)?
            {
                if let Event::Data { stream, flow_bytes, .. } = event
                    && self.releases
                {
                    self.connection.release(stream, flow_bytes, &mut self.out);
                }
                self.log.push(describe(&event, &self.heads));
            }
            self.input = rest.to_vec();
        }
        Ok(())
    }

    fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log).join("\n")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn list(fields: &Fields) -> String {
    fields.iter().map(|f| format!(" {}={}", text(f.name), text(f.value))).collect()
}

fn describe(event: &Event<'_>, heads: &Heads) -> String {
    match *event {
        Event::Request { stream, end } => {
            let head = &heads.request;
            let end = if end { " end" } else { "" };
            format!(
                "{stream} {} {}://{}{}{}{end}",
                text(head.method_text()),
                head.scheme.as_str(),
                text(head.authority()),
                text(head.target()),
                list(&head.fields)
            )
        }
        Event::Response { stream, tag, end } => {
            let end = if end { " end" } else { "" };
            let head = &heads.response;
            format!("{stream}/{tag} {}{}{end}", head.status, list(&head.fields))
        }
        Event::Data { stream, bytes, end, .. } => {
            let end = if end { " end" } else { "" };
            format!("{stream} data {}{end}", text(bytes))
        }
        Event::Trailers { stream, .. } => format!("{stream} trailers{}", list(&heads.trailers)),
        Event::Reset { stream, code, by_peer, .. } => {
            format!("{stream} reset {} {}", code.0, if by_peer { "by peer" } else { "by us" })
        }
        Event::GoAway { last_stream, code } => format!("goaway {last_stream} {}", code.0),
        Event::Ready => "ready".to_owned(),
        Event::Pong(bytes) => format!("pong {}", text(&bytes)),
    }
}

struct Pair {
    client: Side,
    server: Side,
    piece: usize,
}

impl Pair {
    fn new(piece: usize) -> Self {
        Self::with(piece, &Settings::default(), &Settings::default())
    }

    fn with(piece: usize, client: &Settings, server: &Settings) -> Self {
        let client = Side::new(Role::Client, client);
        let server = Side::new(Role::Server, server);
        let mut pair = Self { client, server, piece };
        pair.exchange();
        assert_eq!(pair.client.take_log(), "ready");
        assert_eq!(pair.server.take_log(), "");
        pair
    }

    /// Carries bytes to and fro until neither side says more.
    fn exchange(&mut self) {
        while !(self.client.out.is_empty() && self.server.out.is_empty()) {
            let bytes = std::mem::take(&mut self.client.out);
            self.server.feed(&bytes, self.piece).unwrap();
            let bytes = std::mem::take(&mut self.server.out);
            self.client.feed(&bytes, self.piece).unwrap();
        }
    }

    fn open(&mut self, head: &RequestHead, end: bool, tag: Tag) -> StreamId {
        self.client.connection.open(head, end, tag, &mut self.client.out).unwrap()
    }

    fn respond(&mut self, stream: StreamId, head: &ResponseHead, end: bool) {
        self.server.connection.respond(stream, head, end, &mut self.server.out).unwrap();
    }
}

fn get(target: &str) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_target(target.as_bytes());
    head.set_authority(b"example.test");
    head
}

fn post(target: &str) -> RequestHead {
    let mut head = get(target);
    head.set_method(b"POST");
    head
}

fn ok(fields: &[(&str, &str)]) -> ResponseHead {
    let mut head = ResponseHead::new(200);
    head.fields = fields.iter().copied().collect();
    head
}

#[test]
fn exchange_with_bodies_and_trailers_in_pieces_of_every_size() {
    for piece in [1, 2, 3, 5, 8, 9, 10, 11, 64, 100_000] {
        let mut pair = Pair::new(piece);
        let mut head = post("/upload?x=1");
        head.scheme = Scheme::Https;
        head.fields.push(b"x-custom", b"one");
        head.fields.push(b"user-agent", b"test/1");
        for round in 0..4u32 {
            let id = pair.open(&head, false, 7);
            let client = &mut pair.client;
            let sent = client.connection.send_data(id, b"hello", true, &mut client.out);
            assert_eq!(sent, Ok(5));
            pair.exchange();
            assert_eq!(
                pair.server.take_log(),
                format!(
                    "{id} POST https://example.test/upload?x=1 x-custom=one user-agent=test/1\n\
                     {id} data hello end"
                )
            );
            assert_eq!(id, 1 + 2 * round);
            pair.respond(id, &ResponseHead::new(103), false);
            pair.respond(id, &ok(&[("content-type", "text/plain")]), false);
            let server = &mut pair.server;
            let sent = server.connection.send_data(id, b"world", false, &mut server.out);
            assert_eq!(sent, Ok(5));
            let trailers = [("grpc-status", "0")].into_iter().collect();
            server.connection.send_trailers(id, &trailers, &mut server.out).unwrap();
            pair.exchange();
            assert_eq!(
                pair.client.take_log(),
                format!(
                    "{id}/7 103\n{id}/7 200 content-type=text/plain\n{id} data world\n\
                     {id} trailers grpc-status=0"
                )
            );
            assert_eq!(pair.client.connection.active_streams(), 0);
            assert_eq!(pair.server.connection.active_streams(), 0);
        }
    }
}

#[test]
fn head_says_what_body_follows() {
    let mut pair = Pair::new(100_000);
    let mut head = post("/");
    head.fields.push(b"content-length", b"3");
    let id = pair.open(&head, false, 0);
    pair.exchange();
    assert_eq!(pair.server.heads.request.body, BodyLength::Known(3));
    assert_eq!(pair.server.heads.request.method(), Method::Post);
    pair.respond(id, &ok(&[]), false);
    pair.exchange();
    assert_eq!(pair.client.heads.response.body, BodyLength::Unknown);
    pair.open(&get("/"), true, 0);
    pair.exchange();
    assert_eq!(pair.server.heads.request.body, BodyLength::None);
}

#[test]
fn tags_are_the_owners() {
    let mut pair = Pair::new(100_000);
    let first = pair.open(&get("/a"), true, 1);
    let second = pair.open(&get("/b"), true, 2);
    pair.exchange();
    let server = &mut pair.server.connection;
    server.set_tag(first, 10);
    server.set_tag(second, 20);
    server.for_each_stream(|_, tag| *tag += 1);
    let mut seen = Vec::new();
    server.for_each_stream(|id, tag| seen.push((id, *tag)));
    assert_eq!(seen, [(first, 11), (second, 21)]);
    pair.respond(second, &ok(&[]), true);
    pair.exchange();
    assert_eq!(pair.client.take_log(), "3/2 200 end");
    assert_eq!(pair.client.connection.active_streams(), 1);
}

#[test]
fn either_side_may_reset() {
    let mut pair = Pair::new(100_000);
    let first = pair.open(&get("/a"), false, 1);
    let second = pair.open(&get("/b"), false, 2);
    pair.exchange();
    pair.server.take_log();
    let client = &mut pair.client;
    client.connection.reset(first, ErrorCode::CANCEL, &mut client.out);
    let server = &mut pair.server;
    server.connection.reset(second, ErrorCode::REFUSED_STREAM, &mut server.out);
    pair.exchange();
    assert_eq!(pair.server.take_log(), "1 reset 8 by peer");
    assert_eq!(pair.client.take_log(), "3 reset 7 by peer");
    assert_eq!(pair.server.connection.take_counters().unwrap().resets_received, 1);
    // Late frames on a stream that was reset are ignored, by both sides.
    let server = &mut pair.server;
    assert_eq!(
        server.connection.respond(first, &ok(&[]), true, &mut server.out),
        Err(SendError::Closed)
    );
}

#[test]
fn limits_on_streams() {
    let server = Settings { streams_max: 2, ..Settings::default() };
    let mut pair = Pair::with(100_000, &Settings::default(), &server);
    assert_eq!(pair.client.connection.available_streams(), 2);
    let first = pair.open(&get("/a"), true, 1);
    pair.open(&get("/b"), true, 2);
    let client = &mut pair.client;
    let third = client.connection.open(&get("/c"), true, 3, &mut client.out);
    assert_eq!(third, Err(OpenError::Full));
    pair.exchange();
    pair.respond(first, &ok(&[]), true);
    pair.exchange();
    assert_eq!(pair.client.connection.available_streams(), 1);
}

#[test]
fn graceful_end_in_two_phases() {
    let mut pair = Pair::new(100_000);
    let first = pair.open(&get("/a"), true, 1);
    pair.exchange();
    let server = &mut pair.server;
    server.connection.announce_close(&mut server.out);
    // A request that crosses the announcement is still taken.
    let second = pair.open(&get("/b"), true, 2);
    pair.exchange();
    assert_eq!(pair.client.take_log(), "goaway 2147483647 0");
    assert_eq!(pair.client.connection.available_streams(), 0);
    assert!(!pair.client.connection.must_close());
    let client = &mut pair.client;
    let third = client.connection.open(&get("/c"), true, 3, &mut client.out);
    assert_eq!(third, Err(OpenError::Closing));
    let server = &mut pair.server;
    server.connection.refuse_new(ErrorCode::NO_ERROR, &mut server.out);
    assert!(!server.connection.must_close());
    pair.respond(first, &ok(&[]), true);
    pair.respond(second, &ok(&[]), true);
    assert!(pair.server.connection.must_close());
    pair.exchange();
    assert_eq!(pair.client.take_log(), "goaway 3 0\n1/1 200 end\n3/2 200 end");
    assert!(pair.client.connection.must_close());
}

#[test]
fn streams_above_goaway_come_back_as_refused() {
    let mut pair = Pair::new(100_000);
    pair.open(&get("/a"), true, 1);
    pair.exchange();
    let server = &mut pair.server;
    server.connection.refuse_new(ErrorCode::NO_ERROR, &mut server.out);
    pair.open(&get("/b"), true, 2);
    pair.open(&get("/c"), true, 3);
    let bytes = std::mem::take(&mut pair.server.out);
    pair.client.feed(&bytes, 100_000).unwrap();
    assert_eq!(pair.client.take_log(), "goaway 1 0\n3 reset 7 by peer\n5 reset 7 by peer");
    pair.exchange();
    assert_eq!(pair.server.take_log(), "1 GET http://example.test/a end");
    assert_eq!(pair.server.connection.take_counters().unwrap().streams_refused, 2);
}

#[test]
fn stream_numbers_run_out() {
    let mut pair = Pair::new(100_000);
    pair.client.connection.next_id = frame::STREAM_ID_MAX;
    let last = pair.open(&get("/"), true, 1);
    assert_eq!(last, frame::STREAM_ID_MAX);
    let client = &mut pair.client;
    let next = client.connection.open(&get("/"), true, 2, &mut client.out);
    assert_eq!((next, client.connection.available_streams()), (Err(OpenError::Closing), 0));
    pair.exchange();
    pair.respond(last, &ok(&[]), true);
    pair.exchange();
    assert_eq!(pair.client.take_log(), format!("{last}/1 200 end"));
}

#[test]
fn moves_between_threads() {
    let mut pair = Pair::new(100_000);
    let id = pair.open(&get("/"), true, 1);
    pair.exchange();
    let mut pair = std::thread::spawn(move || {
        pair.respond(id, &ok(&[]), true);
        pair
    })
    .join()
    .unwrap();
    pair.exchange();
    assert_eq!(pair.client.take_log(), "1/1 200 end");
}

#[test]
fn ping_is_answered() {
    let mut pair = Pair::new(4);
    pair.client.connection.ping(*b"12345678", &mut pair.client.out);
    pair.exchange();
    assert_eq!(pair.client.take_log(), "pong 12345678");
}

#[test]
fn input_that_ends() {
    let mut pair = Pair::new(100_000);
    assert_eq!(pair.server.connection.end_of_input(&[]), Ok(None));
    assert!(pair.server.connection.end_of_input(&[0]).is_err());
    let id = pair.open(&post("/"), false, 0);
    pair.exchange();
    assert!(pair.server.connection.end_of_input(&[]).is_err());
    assert!(pair.client.connection.end_of_input(&[]).is_err());
    let client = &mut pair.client;
    client.connection.send_data(id, b"", true, &mut client.out).unwrap();
    pair.exchange();
    assert_eq!(pair.server.connection.end_of_input(&[]), Ok(None));
}
