//! Properties of the HTTP/2 codec that hold for any input:
//! - nothing panics, and what is written without being asked for is bounded;
//! - the outcome does not depend on how the input was cut into pieces;
//! - whatever decodes into a request stays within the limits, and is the same after it was encoded and
//!   decoded again.

use std::collections::BTreeMap;

use bulkhead_codec::http2::{Connection, PREFACE, Settings};
use bulkhead_codec::{ErrorCode, Event, Heads, Role, StreamId};
use bulkhead_message::{Fields, RequestHead, ResponseHead};

const HEAD_BYTES_MAX: u32 = 4_096;

/// Acknowledgements (64 KiB) and resets (one budget of them), with room for the last GOAWAY.
const UNASKED_BYTES_MAX: usize = 100_000;

const SETTINGS_FRAME: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn settings() -> Settings {
    Settings { head_bytes_max: HEAD_BYTES_MAX, streams_max: 8, ..Settings::default() }
}

/// Frames for a server: the outcome must not depend on the cut, and a server that answers survives.
pub fn server(data: &[u8]) {
    let frames = [PREFACE, SETTINGS_FRAME, &frames(data)].concat();
    check(Role::Server, &frames);
}

/// Frames for a client with requests under way.
pub fn client(data: &[u8]) {
    check(Role::Client, &[SETTINGS_FRAME, &frames(data)].concat());
}

fn check(role: Role, input: &[u8]) {
    let whole = Driver::new(role, false).run(input, usize::MAX);
    for piece in [7, 100] {
        assert_eq!(whole, Driver::new(role, false).run(input, piece));
    }
    Driver::new(role, true).run(input, 1_000);
}

/// Makes frames out of any bytes: kind and flags, stream, length, payload. An odd first byte leaves the
/// bytes as they are.
fn frames(data: &[u8]) -> Vec<u8> {
    let Some((first, mut rest)) = data.split_first() else { return Vec::new() };
    if first % 2 == 1 {
        return rest.to_vec();
    }
    let mut out = Vec::new();
    while let Some((&[kind, flags, stream, len], behind)) = rest.split_first_chunk::<4>() {
        let (payload, behind) = behind.split_at(usize::from(len).min(behind.len()));
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        out.extend_from_slice(&[a, b, c, kind % 11, flags, 0, 0, 0, stream % 32]);
        out.extend_from_slice(payload);
        rest = behind;
    }
    out
}

/// One side and what it was told. With `acts` it also answers, sends, releases and resets.
struct Driver {
    connection: Connection,
    heads: Heads,
    out: Vec<u8>,
    log: Vec<String>,
    acts: bool,
    open: BTreeMap<StreamId, u32>,
}

impl Driver {
    fn new(role: Role, acts: bool) -> Self {
        let mut connection = Connection::new(role, &settings());
        let mut out = Vec::new();
        connection.start(&mut out);
        let mut open = BTreeMap::new();
        if role == Role::Client {
            for method in [&b"GET"[..], b"HEAD", b"POST", b"CONNECT"] {
                let mut head = RequestHead::new();
                head.set_method(method);
                head.set_target(b"/");
                head.set_authority(b"a");
                let id = connection.open(&head, method != b"POST", 0, &mut out);
                open.insert(id.expect("no limit is known yet"), 0);
            }
        }
        out.clear();
        Self { connection, heads: Heads::default(), out, log: Vec::new(), acts, open }
    }

    /// Feeds `input`, `piece` bytes at a time; gives events, answers and the error.
    fn run(mut self, input: &[u8], piece: usize) -> (Vec<String>, Vec<u8>) {
        let mut kept = Vec::new();
        for part in input.chunks(piece.min(input.len().max(1))) {
            kept.extend_from_slice(part);
            let bytes = std::mem::take(&mut kept);
            let mut rest = &bytes[..];
            loop {
                match self.connection.next_event(&mut rest, &mut self.heads, &mut self.out) {
                    Ok(Some(event)) => self.take(event),
                    Ok(None) => break,
                    Err(error) => {
                        assert!(self.connection.must_close());
                        self.log.push(error.reason.to_owned());
                        return (self.log, self.out);
                    }
                }
            }
            kept = rest.to_vec();
            self.turn();
        }
        (self.log, self.out)
    }

    fn take(&mut self, event: Event<'_>) {
        self.log.push(format!("{event:?}"));
        let mut live = 0;
        self.connection.for_each_stream(|_, _| live += 1);
        assert_eq!(live, self.connection.active_streams());
        if !self.acts {
            assert!(self.out.len() < UNASKED_BYTES_MAX);
        }
        match event {
            Event::Request { stream, .. } => {
                let head = &self.heads.request;
                assert!(head.fields.list_bytes() <= HEAD_BYTES_MAX as usize);
                assert!(self.open.insert(stream, 0).is_none());
            }
            Event::Response { stream, .. } => assert!(self.open.contains_key(&stream)),
            Event::Data { stream, flow_bytes, bytes, .. } => {
                assert!(bytes.len() <= flow_bytes as usize);
                *self.open.get_mut(&stream).expect("data of a stream that is open") += flow_bytes;
            }
            Event::Trailers { stream, .. } => assert!(self.open.contains_key(&stream)),
            Event::Reset { stream, .. } => assert!(self.open.remove(&stream).is_some()),
            Event::GoAway { .. } | Event::Ready | Event::Pong(_) => {}
        }
    }

    /// What an owner does between two reads.
    fn turn(&mut self) {
        if !self.acts {
            return;
        }
        let Self { connection, out, open, .. } = self;
        for (&id, owed) in open.iter_mut() {
            connection.release(id, std::mem::take(owed), out);
            match id % 5 {
                0 => connection.reset(id, ErrorCode::CANCEL, out),
                1 => _ = connection.respond(id, &ResponseHead::new(200), id % 3 == 0, out),
                _ => {}
            }
            let sent = connection.send_data(id, &[0; 40_000], id % 7 == 0, out);
            assert!(sent.unwrap_or(0) <= 40_000);
            if id % 2 == 0 {
                let _ = connection.send_trailers(id, &Fields::new(), out);
            }
        }
        while let Some((id, _)) = connection.next_writable() {
            assert!(connection.send_data(id, &[0; 70_000], false, out).is_ok());
        }
        out.clear();
    }
}

/// Field blocks of any bytes, parted by 0xfe: as a representation that is an index far out of range.
pub fn hpack(data: &[u8]) {
    let Some((first, blocks)) = data.split_first() else { return };
    let mut server = Connection::new(Role::Server, &settings());
    let mut mirror = Connection::new(Role::Server, &settings());
    let huffman = first % 2 == 1;
    let mut client = Connection::new(Role::Client, &Settings { huffman, ..settings() });
    assert!(feed(&mut server, &[PREFACE, SETTINGS_FRAME].concat(), |_| ()));
    let mut bytes = Vec::new();
    client.start(&mut bytes);
    assert!(feed(&mut mirror, &bytes, |_| ()));
    for (number, block) in blocks.split(|&byte| byte == 0xfe).enumerate() {
        let [_, a, b, c] = (block.len() as u32).to_be_bytes();
        let [s, t, u, v] = (number as u32 * 2 + 1).to_be_bytes();
        let frame = [&[a, b, c, 1, 5, s, t, u, v], block].concat();
        let mut request = None;
        let goes_on = feed(&mut server, &frame, |heads| request = Some(heads.request.clone()));
        if let Some(head) = request {
            encode_and_decode(&mut client, &mut mirror, &head);
        }
        if !goes_on {
            return;
        }
    }
}

fn encode_and_decode(client: &mut Connection, mirror: &mut Connection, head: &RequestHead) {
    let mut bytes = Vec::new();
    let Ok(id) = client.open(head, true, 0, &mut bytes) else { return };
    let mut arrived = 0;
    let decoded = feed(mirror, &bytes, |heads| {
        arrived += 1;
        assert_eq!(heads.request.fields, head.fields);
        assert_eq!(heads.request.target(), head.target());
        assert_eq!(heads.request.authority(), head.authority());
        assert_eq!(heads.request.method_text(), head.method_text());
        assert_eq!(heads.request.scheme, head.scheme);
    });
    assert!(decoded && arrived == 1);
    client.reset(id, ErrorCode::CANCEL, &mut Vec::new());
}

/// Feeds everything; calls `seen` with each request's head and forgets the stream. False on an error.
fn feed(connection: &mut Connection, mut bytes: &[u8], mut seen: impl FnMut(&Heads)) -> bool {
    let (mut heads, mut out) = (Heads::default(), Vec::new());
    loop {
        match connection.next_event(&mut bytes, &mut heads, &mut out) {
            Ok(Some(Event::Request { stream, .. })) => {
                seen(&heads);
                connection.reset(stream, ErrorCode::NO_ERROR, &mut out);
            }
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
