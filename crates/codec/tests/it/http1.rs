//! Our HTTP/1 client against our HTTP/1 server, in memory.

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{ErrorCode, Event, Heads, OpenError, Role, SendError};
use bulkhead_message::{BodyLength, Fields, RequestHead, ResponseHead};

/// One side of a connection: codec, heads, what it has received and not decoded, what it has written.
pub(crate) struct Side {
    pub(crate) connection: Connection,
    pub(crate) heads: Heads,
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Side {
    fn new(role: Role) -> Self {
        Self {
            connection: Connection::new(role, &Settings::default()),
            heads: Heads::default(),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Decodes everything there is into one line of text for each event.
    pub(crate) fn events(&mut self) -> Vec<String> {
        let mut events: Vec<String> = Vec::new();
        let mut rest = self.input.as_slice();
        loop {
            match self.connection.next_event(&mut rest, &mut self.heads, &mut self.output) {
                Ok(Some(event)) => events.push(describe(event, &self.heads)),
                Ok(None) => break,
                Err(error) => {
                    events.push(format!("error {}: {}", error.status, error.reason));
                    break;
                }
            }
        }
        let left = rest.len();
        self.input.drain(..self.input.len() - left);
        events
    }

    pub(crate) fn end_of_input(&mut self) -> String {
        match self.connection.end_of_input(&self.input) {
            Ok(Some(event)) => describe(event, &self.heads),
            Ok(None) => "none".to_owned(),
            Err(error) => format!("error {}: {}", error.status, error.reason),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fields(fields: &Fields) -> String {
    fields.iter().map(|f| format!(" {}={}", text(f.name), text(f.value))).collect()
}

fn describe(event: Event<'_>, heads: &Heads) -> String {
    match event {
        Event::Request { stream, end } => {
            let head = &heads.request;
            let (method, target) = (text(head.method_text()), text(head.target()));
            let (authority, body) = (text(head.authority()), head.body);
            let fields = fields(&head.fields);
            format!("{stream} {method} {target} @{authority} {body:?} end={end}{fields}")
        }
        Event::Response { stream, end, .. } => {
            let head = &heads.response;
            format!("{stream} {} {:?} end={end}{}", head.status, head.body, fields(&head.fields))
        }
        Event::Data { bytes, end, .. } => format!("data {:?} end={end}", text(bytes)),
        Event::Trailers { .. } => format!("trailers{}", fields(&heads.trailers)),
        other => format!("{other:?}"),
    }
}

pub(crate) struct Pair {
    pub(crate) client: Side,
    pub(crate) server: Side,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { client: Side::new(Role::Client), server: Side::new(Role::Server) }
    }

    /// Carries what the client wrote over to the server, and decodes it.
    pub(crate) fn at_server(&mut self) -> Vec<String> {
        self.server.input.append(&mut self.client.output);
        self.server.events()
    }

    /// Carries what the server wrote over to the client, and decodes it.
    pub(crate) fn at_client(&mut self) -> Vec<String> {
        self.client.input.append(&mut self.server.output);
        self.client.events()
    }

    pub(crate) fn open(&mut self, head: &RequestHead, end: bool) -> Result<u32, OpenError> {
        self.client.connection.open(head, end, 7, &mut self.client.output)
    }

    pub(crate) fn respond(
        &mut self,
        stream: u32,
        head: &ResponseHead,
        end: bool,
    ) -> Result<(), SendError> {
        self.server.connection.respond(stream, head, end, &mut self.server.output)
    }

    pub(crate) fn client_data(
        &mut self,
        stream: u32,
        bytes: &[u8],
        end: bool,
    ) -> Result<usize, SendError> {
        self.client.connection.send_data(stream, bytes, end, &mut self.client.output)
    }

    pub(crate) fn server_data(
        &mut self,
        stream: u32,
        bytes: &[u8],
        end: bool,
    ) -> Result<usize, SendError> {
        self.server.connection.send_data(stream, bytes, end, &mut self.server.output)
    }
}

pub(crate) fn request(method: &str, target: &str, body: BodyLength) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_authority(b"a.example");
    head.set_target(target.as_bytes());
    head.body = body;
    head
}

pub(crate) fn response(status: u16, body: BodyLength) -> ResponseHead {
    ResponseHead { body, ..ResponseHead::new(status) }
}

#[test]
fn exchanges_follow_each_other_on_one_connection() {
    let mut pair = Pair::new();
    for stream in [1, 3, 5] {
        assert_eq!(pair.client.connection.available_streams(), 1);
        let mut head = request("GET", "/x?y", BodyLength::None);
        head.fields.push(b"accept", b"*/*");
        assert_eq!(pair.open(&head, true), Ok(stream));
        assert_eq!(pair.open(&head, true), Err(OpenError::Full));
        assert_eq!(
            pair.at_server(),
            [format!("{stream} GET /x?y @a.example None end=true accept=*/*")]
        );
        let mut answer = response(200, BodyLength::Known(5));
        answer.fields.push(b"content-type", b"text/plain");
        assert_eq!(pair.respond(stream, &answer, false), Ok(()));
        assert_eq!(pair.server_data(stream, b"hello", true), Ok(5));
        assert_eq!(
            pair.at_client(),
            [
                format!("{stream} 200 Known(5) end=false content-length=5 content-type=text/plain"),
                "data \"hello\" end=true".to_owned()
            ]
        );
        assert_eq!(pair.client.connection.active_streams(), 0);
        assert_eq!(pair.server.connection.active_streams(), 0);
    }
    assert!(!pair.client.connection.must_close() && !pair.server.connection.must_close());
}

#[test]
fn bodies_of_unknown_length_are_chunked_both_ways() {
    let mut pair = Pair::new();
    let mut head = request("POST", "/", BodyLength::Unknown);
    head.fields.push(b"te", b"trailers");
    assert_eq!(pair.open(&head, false), Ok(1));
    assert_eq!(pair.client_data(1, b"one", false), Ok(3));
    assert_eq!(pair.client_data(1, b"", false), Ok(0));
    assert_eq!(pair.client_data(1, b"two", true), Ok(3));
    assert_eq!(pair.client_data(1, b"", true), Err(SendError::Closed));
    assert_eq!(
        pair.at_server(),
        [
            "1 POST / @a.example Unknown end=false transfer-encoding=chunked connection=te \
             te=trailers",
            "data \"one\" end=false",
            "data \"two\" end=true"
        ]
    );
    assert_eq!(pair.respond(1, &response(200, BodyLength::Unknown), false), Ok(()));
    assert_eq!(pair.server_data(1, b"three", false), Ok(5));
    let trailers: Fields = [("grpc-status", "0"), ("content-length", "9"), ("authorization", "x")]
        .into_iter()
        .collect();
    let server = &mut pair.server;
    assert_eq!(server.connection.send_trailers(1, &trailers, &mut server.output), Ok(()));
    assert_eq!(
        pair.at_client(),
        [
            "1 200 Unknown end=false transfer-encoding=chunked",
            "data \"three\" end=false",
            "trailers grpc-status=0"
        ]
    );
}

#[test]
fn a_pipelined_request_waits_for_its_turn() {
    let mut pair = Pair::new();
    pair.client.output.extend_from_slice(
        b"POST /1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    assert_eq!(
        pair.at_server(),
        ["1 POST /1 @a Known(2) end=false content-length=2", "data \"hi\" end=true"]
    );
    assert!(pair.server.input.starts_with(b"GET /2"));
    assert_eq!(pair.at_server(), Vec::<String>::new());
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Ok(()));
    assert_eq!(pair.at_server(), ["3 GET /2 @a None end=true"]);
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Err(SendError::Closed));
    assert_eq!(pair.respond(3, &response(204, BodyLength::None), true), Ok(()));
    assert_eq!(pair.server.input, b"");
}

#[test]
fn a_response_may_end_before_its_request() {
    let mut pair = Pair::new();
    assert_eq!(pair.open(&request("PUT", "/", BodyLength::Known(4)), false), Ok(1));
    assert_eq!(pair.client_data(1, b"ab", false), Ok(2));
    assert_eq!(
        pair.at_server(),
        ["1 PUT / @a.example Known(4) end=false content-length=4", "data \"ab\" end=false"]
    );
    assert_eq!(pair.respond(1, &response(403, BodyLength::None), true), Ok(()));
    assert_eq!(pair.at_client(), ["1 403 Known(0) end=true content-length=0"]);
    assert_eq!(pair.client.connection.available_streams(), 0);
    assert_eq!(pair.server.connection.active_streams(), 1);
    assert_eq!(pair.client_data(1, b"cd", true), Ok(2));
    assert_eq!(pair.at_server(), ["data \"cd\" end=true"]);
    assert_eq!(pair.client.connection.available_streams(), 1);
    assert_eq!(pair.server.connection.active_streams(), 0);
    assert!(!pair.server.connection.must_close());
}

#[test]
fn the_peer_decides_about_100_continue() {
    let mut pair = Pair::new();
    let mut head = request("POST", "/", BodyLength::Known(2));
    head.fields.push(b"expect", b"100-continue");
    assert_eq!(pair.open(&head, false), Ok(1));
    assert_eq!(
        pair.at_server(),
        ["1 POST / @a.example Known(2) end=false content-length=2 expect=100-continue"]
    );
    assert_eq!(pair.respond(1, &response(100, BodyLength::None), false), Ok(()));
    assert_eq!(pair.at_client(), ["1 100 None end=false"]);
    assert_eq!(pair.client_data(1, b"ok", true), Ok(2));
    assert_eq!(pair.at_server(), ["data \"ok\" end=true"]);
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Ok(()));
    assert_eq!(pair.at_client(), ["1 204 None end=true"]);
    assert!(!pair.server.connection.must_close());
}

#[test]
fn a_refused_expectation_ends_the_connection() {
    let mut pair = Pair::new();
    let mut head = request("POST", "/", BodyLength::Known(2));
    head.fields.push(b"expect", b"100-continue");
    assert_eq!(pair.open(&head, false), Ok(1));
    assert_eq!(pair.at_server().len(), 1);
    assert_eq!(pair.respond(1, &response(417, BodyLength::None), true), Ok(()));
    assert_eq!(pair.at_client(), ["1 417 Known(0) end=true content-length=0 connection=close"]);
    assert!(pair.server.connection.must_close() && pair.client.connection.must_close());
}

#[test]
fn declared_lengths_are_kept() {
    let mut pair = Pair::new();
    assert_eq!(pair.open(&request("PUT", "/", BodyLength::Known(2)), false), Ok(1));
    let longer = SendError::Invalid("body longer than declared");
    assert_eq!(pair.client_data(1, b"abc", true), Err(longer));
    assert_eq!(pair.client_data(1, b"a", true), Ok(1));
    assert!(pair.client.connection.must_close());
    assert!(pair.client.output.ends_with(b"content-length: 2\r\n\r\na"));
}

#[test]
fn closing_is_announced_in_the_next_response() {
    let mut pair = Pair::new();
    assert_eq!(pair.open(&request("GET", "/", BodyLength::None), true), Ok(1));
    pair.at_server();
    pair.server.connection.announce_close(&mut Vec::new());
    assert!(!pair.server.connection.must_close());
    assert_eq!(pair.respond(1, &response(200, BodyLength::None), true), Ok(()));
    assert!(pair.server.connection.must_close());
    assert_eq!(pair.at_client(), ["1 200 Known(0) end=true content-length=0 connection=close"]);
    assert!(pair.client.connection.must_close());
    assert_eq!(pair.open(&request("GET", "/", BodyLength::None), true), Err(OpenError::Closing));
}

#[test]
fn idle_connections_close_at_once() {
    for role in [Role::Client, Role::Server] {
        let mut side = Side::new(role);
        assert!(!side.connection.must_close());
        side.connection.refuse_new(ErrorCode::NO_ERROR, &mut side.output);
        assert!(side.connection.must_close());
        assert_eq!(side.connection.available_streams(), 0);
        assert_eq!(side.output, b"");
        side.input.extend_from_slice(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        if role == Role::Server {
            assert_eq!(side.events(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_request_already_read_is_served_after_the_announcement() {
    let mut pair = Pair::new();
    pair.server.connection.announce_close(&mut Vec::new());
    assert!(pair.server.connection.must_close());
    pair.client.output.extend_from_slice(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(pair.at_server(), ["1 GET / @a None end=true"]);
    assert!(!pair.server.connection.must_close());
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Ok(()));
    assert!(pair.server.connection.must_close());
    assert_eq!(text(&pair.server.output), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

#[test]
fn requests_before_a_half_close_are_answered() {
    let mut pair = Pair::new();
    let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    pair.client.output.extend_from_slice(&[&get[..], get].concat());
    assert_eq!(pair.at_server(), ["1 GET / @a None end=true"]);
    assert_eq!(pair.server.end_of_input(), "none");
    assert!(!pair.server.connection.must_close());
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Ok(()));
    assert!(!pair.server.connection.must_close());
    assert_eq!(pair.at_server(), ["3 GET / @a None end=true"]);
    assert_eq!(pair.respond(3, &response(204, BodyLength::None), true), Ok(()));
    assert!(pair.server.connection.must_close());
    assert!(text(&pair.server.output).ends_with("connection: close\r\n\r\n"));
}

#[test]
fn a_request_cut_off_after_a_half_close_is_refused() {
    let mut pair = Pair::new();
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    pair.client.output.extend_from_slice(format!("{get}{}", &get[..20]).as_bytes());
    assert_eq!(pair.at_server(), ["1 GET / @a None end=true"]);
    assert_eq!(pair.server.end_of_input(), "none");
    assert_eq!(pair.respond(1, &response(204, BodyLength::None), true), Ok(()));
    assert_eq!(pair.at_server(), ["error 400: the message was cut off"]);
    assert!(pair.server.connection.must_close());
}

#[test]
fn reset_leaves_nothing_but_to_close() {
    for role in [Role::Client, Role::Server] {
        let mut pair = Pair::new();
        assert_eq!(pair.open(&request("PUT", "/", BodyLength::Known(2)), false), Ok(1));
        pair.at_server();
        let side = if role == Role::Client { &mut pair.client } else { &mut pair.server };
        let mut tags = Vec::new();
        side.connection.set_tag(1, 9);
        side.connection.for_each_stream(|stream, tag| tags.push((stream, *tag)));
        assert_eq!(tags, [(1, 9)]);
        side.connection.reset(1, ErrorCode::CANCEL, &mut side.output);
        assert!(side.connection.must_close());
        assert_eq!(side.connection.active_streams(), 0);
        let sent = side.connection.send_data(1, b"x", true, &mut side.output);
        assert_eq!(sent, Err(SendError::Closed));
    }
}
