//! Our HTTP/1 codec against hyper, in both directions, and both servers on the same golden input.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role};
use bulkhead_message::{BodyLength, Fields, Known, RequestHead, ResponseHead};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::http1_wire::cases;

/// What one side got from the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Message {
    /// Method and target, or status.
    start: String,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

/// Our side of a connection. The pipe is small, so that messages arrive in pieces.
struct Ours {
    connection: Connection,
    heads: Heads,
    io: DuplexStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Ours {
    fn new(role: Role) -> (Self, DuplexStream) {
        let (io, peer) = tokio::io::duplex(37);
        let connection = Connection::new(role, &Settings::default());
        let (input, output) = (Vec::new(), Vec::new());
        (Self { connection, heads: Heads::default(), io, input, output }, peer)
    }

    /// The next whole message, with the stream it came on; `None` at the end of the connection.
    /// Interim responses are left out, and each `100 Continue` that is asked for is given.
    async fn receive(&mut self) -> Option<(u32, Message)> {
        let mut message = Message::default();
        loop {
            let mut rest = self.input.as_slice();
            let event =
                self.connection.next_event(&mut rest, &mut self.heads, &mut self.output).unwrap();
            let mut ended = None;
            match event {
                None => {}
                Some(Event::Request { stream, end }) => {
                    let head = &self.heads.request;
                    message.start = format!("{} {}", text(head.method_text()), text(head.target()));
                    if head.fields.contains(Known::Expect) {
                        let go_on = ResponseHead::new(100);
                        self.connection.respond(stream, &go_on, false, &mut self.output).unwrap();
                    }
                    ended = end.then_some(stream);
                }
                Some(Event::Response { stream, end, .. }) if !self.heads.response.is_interim() => {
                    message.start = self.heads.response.status.to_string();
                    ended = end.then_some(stream);
                }
                Some(Event::Data { stream, bytes, end, .. }) => {
                    message.body.extend_from_slice(bytes);
                    ended = end.then_some(stream);
                }
                Some(Event::Trailers { stream, .. }) => {
                    message.trailers = pairs(&self.heads.trailers);
                    ended = Some(stream);
                }
                Some(_) => {}
            }
            let (left, more) = (rest.len(), event.is_some());
            self.input.drain(..self.input.len() - left);
            self.flush().await;
            if let Some(stream) = ended {
                return Some((stream, message));
            }
            if !more && self.io.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                assert_eq!(self.connection.end_of_input(&self.input), Ok(None));
                return None;
            }
        }
    }

    async fn flush(&mut self) {
        // The peer may have gone after its last word.
        let _ = self.io.write_all(&self.output).await;
        self.output.clear();
    }

    /// Sends the body in pieces, then trailers if there are any.
    async fn send_body(&mut self, stream: u32, body: &[u8], trailers: &[(&str, &str)]) {
        for piece in body.chunks(1_000) {
            let sent = self.connection.send_data(stream, piece, false, &mut self.output);
            assert_eq!(sent, Ok(piece.len()));
            self.flush().await;
        }
        if trailers.is_empty() {
            self.connection.send_data(stream, b"", true, &mut self.output).unwrap();
        } else {
            let trailers: Fields = trailers.iter().copied().collect();
            self.connection.send_trailers(stream, &trailers, &mut self.output).unwrap();
        }
        self.flush().await;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(fields: &Fields) -> Vec<(String, String)> {
    fields.iter().map(|field| (text(field.name), text(field.value))).collect()
}

fn hyper_pairs(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

async fn collect(mut body: Incoming) -> Option<(Vec<u8>, Vec<(String, String)>)> {
    let (mut bytes, mut trailers) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = hyper_pairs(&frame.into_trailers().ok()?),
        }
    }
    Some((bytes, trailers))
}

/// A body of known or unknown length, for hyper to send.
fn hyper_body(
    bytes: Vec<u8>,
    known: bool,
    trailers: &[(&str, &str)],
) -> BoxBody<Bytes, Infallible> {
    if known {
        return Full::new(Bytes::from(bytes)).boxed();
    }
    let mut frames: VecDeque<_> =
        bytes.chunks(1_000).map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect();
    if !trailers.is_empty() {
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        frames.push_back(Frame::trailers(map));
    }
    Frames(frames).boxed()
}

/// A body whose length cannot be known beforehand.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// A message to send: method and target (or nothing for a response), body, whether its length is
/// declared, trailers.
#[derive(Clone, Debug)]
struct Sent {
    start: &'static str,
    body: Vec<u8>,
    known: bool,
    trailers: Vec<(&'static str, &'static str)>,
}

impl Sent {
    fn length(&self) -> BodyLength {
        if self.known { BodyLength::Known(self.body.len() as u64) } else { BodyLength::Unknown }
    }
}

/// Requests and the responses to them, all on one connection.
fn exchanges() -> Vec<(Sent, Sent)> {
    let plain =
        |start, body: &[u8], known| Sent { start, body: body.to_vec(), known, trailers: vec![] };
    let big: Vec<u8> = (0..20_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let with_trailers = |start, body: &[u8]| Sent {
        trailers: vec![("x-sum", "12"), ("x-more", "a b")],
        ..plain(start, body, false)
    };
    vec![
        (plain("GET /a?b=c", b"", true), plain("", b"hello", true)),
        (plain("GET /a", b"", true), plain("", b"hello", false)),
        (plain("POST /b", b"known", true), plain("", b"", true)),
        (plain("POST /b", b"unknown", false), plain("", b"", false)),
        (plain("PUT /empty", b"", true), plain("", &big, true)),
        (plain("PUT /empty", b"", false), plain("", &big, false)),
        (plain("PATCH /big", &big, true), with_trailers("", b"")),
        (with_trailers("POST /big", &big), with_trailers("", &big)),
        (with_trailers("POST /none", b""), plain("", b"last", true)),
        (plain("DELETE /x", b"", true), plain("", b"", true)),
        (plain("OPTIONS *", b"", true), plain("", b"x", false)),
    ]
}

fn as_message(sent: &Sent, start: &str) -> Message {
    let trailers =
        sent.trailers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Message { start: start.to_owned(), body: sent.body.clone(), trailers: trailers.collect() }
}

/// Runs hyper's server on `io` and gives what it got. The n-th request gets the n-th response, and the
/// last one of the list when there are no more.
async fn hyper_server(io: DuplexStream, responses: Vec<Sent>) -> Vec<Option<Message>> {
    let got = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (got, responses) = (&got, &responses);
        async move {
            let target = request.uri().path_and_query().map_or("", |target| target.as_str());
            let start = format!("{} {target}", request.method());
            let count = got.borrow().len();
            got.borrow_mut().push(None);
            let whole = collect(request.into_body()).await;
            got.borrow_mut()[count] =
                whole.map(|(body, trailers)| Message { start, body, trailers });
            let sent = responses.get(count).or_else(|| responses.last()).unwrap();
            let body = hyper_body(sent.body.clone(), sent.known, &sent.trailers);
            let mut response = Response::new(body);
            declare(response.headers_mut(), &sent.trailers);
            Ok::<_, Infallible>(response)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .max_headers(200)
        .serve_connection(TokioIo::new(io), service)
        .await;
    drop(served);
    got.into_inner()
}

/// hyper writes only the trailers that were declared.
fn declare(headers: &mut HeaderMap, trailers: &[(&str, &str)]) {
    for (name, _) in trailers {
        headers.append(http::header::TRAILER, name.parse().unwrap());
    }
}

#[tokio::test]
async fn our_client_and_hyper_s_server() {
    let (mut client, io) = Ours::new(Role::Client);
    let (requests, responses): (Vec<_>, Vec<_>) = exchanges().into_iter().unzip();
    let asked = async {
        let mut got = Vec::new();
        for request in &requests {
            let (method, target) = request.start.split_once(' ').unwrap();
            let mut head = RequestHead::new();
            head.set_method(method.as_bytes());
            head.set_authority(b"a.example");
            head.set_target(target.as_bytes());
            head.body = request.length();
            head.fields.push(b"te", b"trailers");
            assert_eq!(client.connection.available_streams(), 1);
            let bodyless = request.known && request.body.is_empty();
            let stream = client.connection.open(&head, bodyless, 0, &mut client.output).unwrap();
            client.flush().await;
            if !bodyless {
                client.send_body(stream, &request.body, &request.trailers).await;
            }
            got.push(client.receive().await.unwrap().1);
        }
        drop(client);
        got
    };
    let (got, seen) = tokio::join!(asked, hyper_server(io, responses.clone()));
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(seen[index], Some(as_message(request, request.start)), "request {index}");
        assert_eq!(got[index], as_message(&responses[index], "200"), "response {index}");
    }
    assert_eq!((seen.len(), got.len()), (requests.len(), requests.len()));
}

#[tokio::test]
async fn our_client_waits_for_hyper_s_100_continue() {
    let (mut client, io) = Ours::new(Role::Client);
    let response = Sent { start: "", body: b"ok".to_vec(), known: true, trailers: vec![] };
    let asked = async {
        let mut head = RequestHead::new();
        head.set_method(b"POST");
        head.set_authority(b"a.example");
        head.set_target(b"/");
        head.body = BodyLength::Known(5);
        head.fields.push(b"expect", b"100-continue");
        let stream = client.connection.open(&head, false, 0, &mut client.output).unwrap();
        client.flush().await;
        while !client.input.ends_with(b"\r\n\r\n") {
            assert_ne!(client.io.read_buf(&mut client.input).await.unwrap(), 0);
        }
        assert_eq!(client.input, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.send_body(stream, b"hello", &[]).await;
        let got = client.receive().await.unwrap().1;
        drop(client);
        got
    };
    let (got, seen) = tokio::join!(asked, hyper_server(io, vec![response.clone()]));
    assert_eq!(got, as_message(&response, "200"));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].as_ref().unwrap().body, b"hello");
}

#[tokio::test]
async fn hyper_s_client_and_our_server() {
    let (mut server, io) = Ours::new(Role::Server);
    let (requests, responses): (Vec<_>, Vec<_>) = exchanges().into_iter().unzip();
    let serve = async {
        let mut got = Vec::new();
        while let Some((stream, message)) = server.receive().await {
            let response: &Sent = &responses[got.len()];
            let mut head = ResponseHead { body: response.length(), ..ResponseHead::new(200) };
            head.fields.push(b"x-index", got.len().to_string().as_bytes());
            let bodyless = response.known && response.body.is_empty();
            server.connection.respond(stream, &head, bodyless, &mut server.output).unwrap();
            server.flush().await;
            if !bodyless {
                server.send_body(stream, &response.body, &response.trailers).await;
            }
            got.push(message);
        }
        got
    };
    let asked = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
        let ask = async {
            let mut got = Vec::new();
            for request in &requests {
                let (method, target) = request.start.split_once(' ').unwrap();
                let body = hyper_body(request.body.clone(), request.known, &request.trailers);
                let mut asked = Request::new(body);
                *asked.method_mut() = method.parse().unwrap();
                *asked.uri_mut() = target.parse().unwrap();
                asked.headers_mut().insert("host", "a.example".parse().unwrap());
                asked.headers_mut().insert("te", "trailers".parse().unwrap());
                if !request.body.is_empty() && request.known {
                    asked.headers_mut().insert("expect", "100-continue".parse().unwrap());
                }
                declare(asked.headers_mut(), &request.trailers);
                sender.ready().await.unwrap();
                let response = sender.send_request(asked).await.unwrap();
                let start = response.status().as_str().to_owned();
                let (body, trailers) = collect(response.into_body()).await.unwrap();
                got.push(Message { start, body, trailers });
            }
            drop(sender);
            got
        };
        let (got, connection) = tokio::join!(ask, connection);
        connection.unwrap();
        got
    };
    let (seen, got) = tokio::join!(serve, asked);
    for (index, request) in requests.iter().enumerate() {
        assert_eq!(seen[index], as_message(request, request.start), "request {index}");
        assert_eq!(got[index], as_message(&responses[index], "200"), "response {index}");
    }
    assert_eq!((seen.len(), got.len()), (requests.len(), requests.len()));
}

/// The whole requests that our server makes of `input`.
fn our_requests(input: &[u8]) -> Vec<Message> {
    let mut connection = Connection::new(Role::Server, &Settings::default());
    let (mut heads, mut out, mut rest) = (Heads::default(), Vec::new(), input);
    let (mut requests, mut message) = (Vec::new(), Message::default());
    while let Ok(Some(event)) = connection.next_event(&mut rest, &mut heads, &mut out) {
        let (stream, end) = match event {
            Event::Request { stream, end } => {
                let head = &heads.request;
                message.start = format!("{} {}", text(head.method_text()), text(head.target()));
                (stream, end)
            }
            Event::Data { stream, bytes, end, .. } => {
                message.body.extend_from_slice(bytes);
                (stream, end)
            }
            Event::Trailers { stream, .. } => {
                message.trailers = pairs(&heads.trailers);
                (stream, true)
            }
            other => panic!("{other:?}"),
        };
        if end {
            requests.push(std::mem::take(&mut message));
            connection.respond(stream, &ResponseHead::new(200), true, &mut out).unwrap();
        }
    }
    requests
}

/// Titles of the cases where hyper's `Uri` type, not its message parser, reads a target differently.
const URI_DIFFERENCES: [&str; 2] = [
    "absolute form with query but no path",
    "absolute form of OPTIONS without path is the asterisk form",
];

/// Whatever we take for requests, hyper takes for the same requests: nothing can be smuggled from
/// us to a server like it, or past it to us. It may go on where we have refused.
#[tokio::test]
async fn hyper_s_server_reads_the_golden_files_as_ours_does() {
    let mut differing = Vec::new();
    for (title, input) in ["http1_server", "http1_smuggling"].into_iter().flat_map(cases) {
        let ours: Vec<_> = our_requests(&input).into_iter().map(Some).collect();
        let (mut io, peer) = tokio::io::duplex(200_000);
        io.write_all(&input).await.unwrap();
        io.shutdown().await.unwrap();
        let response = Sent { start: "", body: vec![], known: true, trailers: vec![] };
        let mut theirs = hyper_server(peer, vec![response]).await;
        theirs.truncate(ours.len());
        // hyper knows nothing of fields without business among trailers.
        theirs.iter_mut().flatten().for_each(|message| {
            message.trailers.retain(|(name, _)| name.starts_with("x-"));
        });
        if ours != theirs {
            differing.push(title);
        }
    }
    assert_eq!(differing, URI_DIFFERENCES);
}
