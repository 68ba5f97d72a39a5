//! HTTP/2 against the `h2` crate as oracle, in both directions, over a pipe in memory.

use std::collections::BTreeMap;
use std::future::poll_fn;

use bulkhead_codec::http2::{Connection, Settings};
use bulkhead_codec::{ErrorCode, Event, Heads, Role, StreamId};
use bulkhead_message::{Fields, RequestHead, ResponseHead};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Bytes that the pipe holds: small, so that both sides see input cut at odd places.
const PIPE_BYTES: usize = 1_021;

/// Writes some of `out`, or reads something behind `input`, whichever is possible first: a side that only
/// writes while the other one does the same would wait for ever. False when the peer hung up.
async fn carry(io: &mut DuplexStream, out: &mut Vec<u8>, input: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4_096];
    let (mut reader, mut writer) = tokio::io::split(io);
    tokio::select! {
        written = writer.write(out), if !out.is_empty() => {
            out.drain(..written.unwrap());
            true
        }
        read = reader.read(&mut buffer) => {
            let len = read.unwrap();
            input.extend_from_slice(&buffer[..len]);
            len > 0
        }
    }
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251) as u8).collect()
}

/// Fields that exercise the tables: repeated ones, unique ones, long ones, every visible byte.
fn fields(round: usize, count: usize) -> Vec<(String, String)> {
    let visible: String = (0x21..0x7f).map(char::from).collect();
    let mut fields = vec![
        ("user-agent".to_owned(), "oracle/1.0".to_owned()),
        ("x-visible".to_owned(), visible),
        ("x-empty".to_owned(), String::new()),
        ("x-long".to_owned(), "long value ".repeat(30) + "end"),
    ];
    fields.extend((0..count).map(|at| {
        let value = if at % 2 == 0 { format!("{at}-{round}") } else { format!("{at}") };
        (format!("x-{}", at % 50), value)
    }));
    fields
}

/// Our server: answers with the request's fields, body, and trailers.
struct Echo {
    connection: Connection,
    heads: Heads,
    out: Vec<u8>,
    streams: BTreeMap<StreamId, Pending>,
    resets: usize,
}

#[derive(Default)]
struct Pending {
    unsent: Vec<u8>,
    ended: bool,
    trailers: Option<Fields>,
}

impl Echo {
    fn new(settings: &Settings) -> Self {
        let mut connection = Connection::new(Role::Server, settings);
        let mut out = Vec::new();
        connection.start(&mut out);
        let streams = BTreeMap::new();
        Self { connection, heads: Heads::default(), out, streams, resets: 0 }
    }

    /// Serves until the client is gone; gives the number of streams that the client reset.
    async fn serve(mut self, mut io: DuplexStream) -> usize {
        let mut input = Vec::new();
        loop {
            if !carry(&mut io, &mut self.out, &mut input).await {
                return self.resets;
            }
            let mut rest = &input[..];
            while let Some(event) =
                self.connection.next_event(&mut rest, &mut self.heads, &mut self.out).unwrap()
            {
                self.react(event);
            }
            input = rest.to_vec();
            while let Some((stream, _)) = self.connection.next_writable() {
                self.push(stream);
            }
        }
    }

    fn react(&mut self, event: Event<'_>) {
        match event {
            Event::Request { stream, end } => self.request(stream, end),
            Event::Data { stream, bytes, end, .. } => {
                let pending = self.streams.get_mut(&stream).unwrap();
                pending.unsent.extend_from_slice(bytes);
                pending.ended = end;
                self.push(stream);
            }
            Event::Trailers { stream, .. } => {
                let pending = self.streams.get_mut(&stream).unwrap();
                pending.ended = true;
                pending.trailers = Some(self.heads.trailers.clone());
                self.push(stream);
            }
            Event::Reset { stream, .. } => {
                self.streams.remove(&stream);
                self.resets += 1;
            }
            _ => {}
        }
    }

    fn request(&mut self, stream: StreamId, end: bool) {
        let head = &self.heads.request;
        if head.path() == b"/reset" {
            return self.connection.reset(stream, ErrorCode::INTERNAL_ERROR, &mut self.out);
        }
        let mut response = ResponseHead::new(if end { 203 } else { 200 });
        response.fields = head.fields.iter().map(|f| (f.name, f.value)).collect();
        response.fields.push(b"x-path", head.target());
        response.fields.push(b"x-authority", head.authority());
        self.connection.respond(stream, &response, end, &mut self.out).unwrap();
        if !end {
            self.streams.insert(stream, Pending::default());
        }
    }

    fn push(&mut self, stream: StreamId) {
        let Some(pending) = self.streams.get_mut(&stream) else { return };
        let end = pending.ended && pending.trailers.is_none();
        let out = &mut self.out;
        let sent = self.connection.send_data(stream, &pending.unsent, end, out).unwrap();
        pending.unsent.drain(..sent);
        self.connection.release(stream, sent as u32, out);
        if pending.ended && pending.unsent.is_empty() {
            if let Some(trailers) = &pending.trailers {
                self.connection.send_trailers(stream, trailers, out).unwrap();
            }
            self.streams.remove(&stream);
        }
    }
}

/// One exchange by the `h2` client, checked.
async fn exchange(
    sender: h2::client::SendRequest<Bytes>,
    round: usize,
    body_len: usize,
    field_count: usize,
    trailers: bool,
) {
    let mut sender = sender.ready().await.unwrap();
    let mut request = Request::post(format!("https://oracle.test/echo/{round}?a=b"));
    let sent = fields(round, field_count);
    for (name, value) in &sent {
        request = request.header(name, value);
    }
    let (response, mut stream) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    let mut rest = Bytes::from(body(body_len));
    let receive = async {
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let (head, mut incoming) = response.into_parts();
        let received: Vec<_> = sent.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        for (name, _) in &received {
            let expect: Vec<_> =
                sent.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_bytes()).collect();
            let got: Vec<_> =
                head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(got, expect, "{name}");
        }
        assert_eq!(head.headers["x-path"], format!("/echo/{round}?a=b"));
        assert_eq!(head.headers["x-authority"], "oracle.test");
        let mut bytes = Vec::new();
        while let Some(piece) = incoming.data().await {
            let piece = piece.unwrap();
            incoming.flow_control().release_capacity(piece.len()).unwrap();
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(bytes, body(body_len));
        let got = incoming.trailers().await.unwrap();
        assert_eq!(got.is_some(), trailers);
        if let Some(got) = got {
            assert_eq!(got["x-round"], round.to_string());
        }
    };
    let send = async {
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let room = poll_fn(|context| stream.poll_capacity(context)).await.unwrap().unwrap();
            let piece = rest.split_to(room.min(rest.len()));
            stream.send_data(piece, false).unwrap();
        }
        if trailers {
            let mut map = HeaderMap::new();
            map.insert("x-round", HeaderValue::from(round));
            stream.send_trailers(map).unwrap();
        } else {
            stream.send_data(Bytes::new(), true).unwrap();
        }
    };
    tokio::join!(send, receive);
}

/// Runs `count` exchanges of the `h2` client with our server, all at once.
async fn h2_client(
    client: &mut h2::client::Builder,
    settings: &Settings,
    count: usize,
    body_len: usize,
    field_count: usize,
) {
    let (near, far) = duplex(PIPE_BYTES);
    let echo = Echo::new(settings).serve(far);
    let drive = async move {
        let (sender, connection) = client.handshake::<_, Bytes>(near).await.unwrap();
        let exchanges = async {
            let all = (0..count).map(|round| {
                let sender = sender.clone();
                async move { exchange(sender, round, body_len, field_count, round % 2 == 0).await }
            });
            join_all(all).await;
            drop(sender);
        };
        let (ended, ()) = tokio::join!(connection, exchanges);
        ended.unwrap();
    };
    let (resets, ()) = tokio::join!(echo, drive);
    assert_eq!(resets, 0);
}

/// Waits for all futures, polling each one whenever any may have moved on.
async fn join_all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = futures.map(Box::pin).map(Some).collect();
    poll_fn(|context| {
        for place in &mut all {
            if place.as_mut().is_some_and(|future| future.as_mut().poll(context).is_ready()) {
                *place = None;
            }
        }
        let left = all.iter().any(Option::is_some);
        if left { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
}

fn plain() -> Settings {
    Settings::default()
}

#[tokio::test]
async fn h2_client_with_many_fields() {
    for (huffman, table, peer_table) in [(false, 4_096, 4_096), (true, 0, 0), (true, 16_384, 100)] {
        let settings = Settings { huffman, header_table_bytes: table, ..plain() };
        for round in 0..3 {
            let mut client = h2::client::Builder::new();
            client.header_table_size(peer_table);
            h2_client(&mut client, &settings, 20, 10, round * 60).await;
        }
    }
}

#[tokio::test]
async fn h2_client_with_large_bodies_through_small_windows() {
    for (ours, theirs) in [(65_535, 1_000), (1_000, 65_535), (200, 200), (1 << 20, 1 << 20)] {
        let settings = Settings { stream_window_bytes: ours, ..plain() };
        let mut client = h2::client::Builder::new();
        client.initial_window_size(theirs).initial_connection_window_size(80_000);
        let len = if ours == 200 { 20_000 } else { 300_000 };
        h2_client(&mut client, &settings, 3, len, 2).await;
    }
}

#[tokio::test]
async fn h2_client_with_100_streams_at_once() {
    h2_client(&mut h2::client::Builder::new(), &plain(), 100, 5_000, 5).await;
}

#[tokio::test]
async fn h2_client_without_bodies_and_with_resets() {
    let (near, far) = duplex(PIPE_BYTES);
    let echo = Echo::new(&plain()).serve(far);
    let drive = async move {
        let (sender, connection) = h2::client::handshake(near).await.unwrap();
        let work = async move {
            let mut sender: h2::client::SendRequest<Bytes> = sender;
            for round in 0..50 {
                sender = sender.ready().await.unwrap();
                let target = if round % 2 == 0 { "http://o.test/" } else { "http://o.test/reset" };
                let request = Request::get(target).body(()).unwrap();
                let (response, _) = sender.send_request(request, true).unwrap();
                match response.await {
                    Ok(response) => assert_eq!(response.status(), 203),
                    Err(error) => assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR)),
                }
                // Given up by the client, after the answer has begun.
                let request = Request::post("http://o.test/").body(()).unwrap();
                let (response, mut stream) = sender.send_request(request, false).unwrap();
                response.await.unwrap();
                stream.send_reset(h2::Reason::CANCEL);
            }
        };
        let (ended, ()) = tokio::join!(connection, work);
        ended.unwrap();
    };
    let (resets, ()) = tokio::join!(echo, drive);
    assert_eq!(resets, 50);
}

/// What our client got.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    status: u16,
    fields: Fields,
    body: Vec<u8>,
    trailers: Option<Fields>,
    reset: Option<ErrorCode>,
}

/// Our client: sends all requests as soon as streams are to be had, and collects the answers.
async fn our_client(
    mut io: DuplexStream,
    settings: &Settings,
    requests: &[(RequestHead, Vec<u8>)],
) -> Vec<Answer> {
    let mut connection = Connection::new(Role::Client, settings);
    let mut heads = Heads::default();
    let mut out = Vec::new();
    let mut input = Vec::new();
    let mut answers: Vec<Answer> = Vec::new();
    answers.resize_with(requests.len(), Answer::default);
    let mut sent = vec![0; requests.len()];
    let mut opened = 0;
    connection.start(&mut out);
    loop {
        while opened < requests.len() && connection.available_streams() > 0 {
            let (head, body) = &requests[opened];
            let end = body.is_empty();
            let id = connection.open(head, end, opened as u64, &mut out).unwrap();
            if !end {
                sent[opened] = connection.send_data(id, body, true, &mut out).unwrap();
            }
            opened += 1;
        }
        while let Some((id, tag)) = connection.next_writable() {
            let (at, body) = (tag as usize, &requests[tag as usize].1);
            sent[at] += connection.send_data(id, &body[sent[at]..], true, &mut out).unwrap();
        }
        if opened == requests.len() && connection.active_streams() == 0 {
            return answers;
        }
        assert!(carry(&mut io, &mut out, &mut input).await, "the server hung up");
        let mut rest = &input[..];
        while let Some(event) = connection.next_event(&mut rest, &mut heads, &mut out).unwrap() {
            match event {
                Event::Response { tag, .. } => {
                    answers[tag as usize].status = heads.response.status;
                    answers[tag as usize].fields = heads.response.fields.clone();
                }
                Event::Data { stream, tag, bytes, flow_bytes, .. } => {
                    answers[tag as usize].body.extend_from_slice(bytes);
                    connection.release(stream, flow_bytes, &mut out);
                }
                Event::Trailers { tag, .. } => {
                    answers[tag as usize].trailers = Some(heads.trailers.clone());
                }
                Event::Reset { tag, code, .. } => answers[tag as usize].reset = Some(code),
                _ => {}
            }
        }
        input = rest.to_vec();
    }
}

/// The `h2` server: echoes like ours.
async fn h2_server(io: DuplexStream, builder: h2::server::Builder) {
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(request) = connection.accept().await {
        let Ok((request, respond)) = request else { return };
        tasks.spawn(h2_answer(request, respond));
    }
}

async fn h2_answer(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    if request.uri().path() == "/reset" {
        return respond.send_reset(h2::Reason::INTERNAL_ERROR);
    }
    let mut head = Response::builder().status(200);
    let headers = head.headers_mut().unwrap();
    headers.extend(request.headers().iter().map(|(n, v)| (n.clone(), v.clone())));
    let path = request.uri().path_and_query().unwrap().as_str();
    headers.insert("x-path", HeaderValue::from_str(path).unwrap());
    let mut incoming = request.into_body();
    let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let mut total = 0usize;
    while let Some(piece) = incoming.data().await {
        let Ok(mut piece) = piece else { return };
        total += piece.len();
        incoming.flow_control().release_capacity(piece.len()).unwrap();
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else {
                return;
            };
            stream.send_data(piece.split_to(room.min(piece.len())), false).unwrap();
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("x-total"), HeaderValue::from(total));
    stream.send_trailers(trailers).unwrap();
}

/// Runs `count` exchanges of our client with the `h2` server, all at once.
async fn against_h2_server(
    settings: &Settings,
    builder: h2::server::Builder,
    count: usize,
    body_len: usize,
    field_count: usize,
) {
    let requests: Vec<_> = (0..count)
        .map(|round| {
            let mut head = RequestHead::new();
            head.fields = fields(round, field_count).into_iter().collect();
            head.set_method(if body_len == 0 { b"GET" } else { b"POST" });
            head.set_authority(b"oracle.test");
            head.set_target(format!("/echo/{round}").as_bytes());
            (head, body(body_len))
        })
        .collect();
    let (near, far) = duplex(PIPE_BYTES);
    let server = tokio::spawn(h2_server(far, builder));
    let answers = our_client(near, settings, &requests).await;
    server.abort();
    for (round, answer) in answers.iter().enumerate() {
        assert_eq!((answer.status, answer.reset), (200, None));
        assert!(answer.body == body(body_len));
        let path = format!("/echo/{round}");
        assert_eq!(answer.fields.get_named(b"x-path"), Some(path.as_bytes()));
        let total = body_len.to_string();
        let trailers = answer.trailers.as_ref().unwrap();
        assert_eq!(trailers.get_named(b"x-total"), Some(total.as_bytes()));
        // The oracle's map keeps the order of each name's values, not that of the names.
        for field in requests[round].0.fields.iter() {
            let values = |fields: &Fields| -> Vec<Vec<u8>> {
                let same = fields.iter().filter(|other| other.name == field.name);
                same.map(|other| other.value.to_vec()).collect()
            };
            assert_eq!(values(&answer.fields), values(&requests[round].0.fields));
        }
    }
}

#[tokio::test]
async fn h2_server_with_many_fields() {
    for (huffman, table) in [(false, 4_096), (true, 4_096), (true, 0), (false, 65_536)] {
        let settings = Settings { huffman, header_table_bytes: table, ..plain() };
        for round in 0..3 {
            let builder = h2::server::Builder::new();
            against_h2_server(&settings, builder, 20, 0, round * 60).await;
        }
    }
}

#[tokio::test]
async fn h2_server_with_large_bodies_through_small_windows() {
    for (ours, theirs) in [(65_535, 1_000), (1_000, 65_535), (200, 200), (1 << 20, 1 << 20)] {
        let settings = Settings { stream_window_bytes: ours, ..plain() };
        let mut builder = h2::server::Builder::new();
        builder.initial_window_size(theirs).initial_connection_window_size(70_000);
        let len = if ours == 200 { 20_000 } else { 300_000 };
        against_h2_server(&settings, builder, 3, len, 2).await;
    }
}

#[tokio::test]
async fn h2_server_with_100_streams_at_once() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(60);
    // Until its settings are here, the client must not open more streams than the server allows.
    let settings = Settings { streams_assumed: 60, ..plain() };
    against_h2_server(&settings, builder, 100, 5_000, 5).await;
}

#[tokio::test]
async fn h2_server_that_resets() {
    let requests: Vec<_> = (0..40)
        .map(|round| {
            let mut head = RequestHead::new();
            head.set_authority(b"oracle.test");
            head.set_target(if round % 2 == 0 { b"/reset" } else { b"/" });
            (head, Vec::new())
        })
        .collect();
    let (near, far) = duplex(PIPE_BYTES);
    let server = tokio::spawn(h2_server(far, h2::server::Builder::new()));
    let answers = our_client(near, &plain(), &requests).await;
    server.abort();
    for (round, answer) in answers.iter().enumerate() {
        let reset = (round % 2 == 0).then_some(ErrorCode::INTERNAL_ERROR);
        assert_eq!(answer.reset, reset);
    }
}
