//! Properties of the HTTP/1 codec that hold for any input:
//! - the outcome does not depend on how the input was cut into pieces;
//! - after an error the connection must be closed, and a server has told the peer so;
//! - a head that was decoded can be encoded, and is then decoded to the same head: nothing that one
//!   side lets in makes the other side send something else.

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role};
use bulkhead_message::{BodyLength, Fields, Known, Method, RequestHead, ResponseHead};

const METHODS: [&str; 4] = ["GET", "HEAD", "CONNECT", "POST"];

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Debug, PartialEq)]
enum Item {
    Head { start: Vec<Vec<u8>>, body: BodyLength, fields: Pairs },
    Body(Vec<u8>),
    Trailers(Pairs),
    End,
    Error(u16, &'static str),
}

/// Any bytes as requests. The first byte says how long the pieces are.
pub fn server(data: &[u8]) {
    let Some((control, input)) = data.split_first() else { return };
    let (piece, method) = (usize::from(control % 64) + 1, METHODS[0]);
    assert_eq!(
        run(Role::Server, method, input, input.len()),
        run(Role::Server, method, input, piece)
    );
}

/// Any bytes as responses. The first byte says what was asked and how long the pieces are.
pub fn client(data: &[u8]) {
    let Some((control, input)) = data.split_first() else { return };
    let (piece, method) = (usize::from(control % 64) + 1, METHODS[usize::from(control / 64)]);
    assert_eq!(
        run(Role::Client, method, input, input.len()),
        run(Role::Client, method, input, piece)
    );
}

fn request(method: &str) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_authority(b"a:1");
    if method != "CONNECT" {
        head.set_target(b"/");
    }
    head
}

fn run(role: Role, method: &str, input: &[u8], piece: usize) -> (Vec<Item>, Vec<u8>) {
    let mut connection = Connection::new(role, &Settings::default());
    if role == Role::Client {
        connection.open(&request(method), true, 0, &mut Vec::new()).expect("an idle connection");
    }
    let (mut items, mut out, mut heads) = (Vec::new(), Vec::new(), Heads::default());
    let mut pending = Vec::new();
    for piece in input.chunks(piece.max(1)) {
        pending.extend_from_slice(piece);
        let mut rest = pending.as_slice();
        loop {
            let before = rest.len();
            match connection.next_event(&mut rest, &mut heads, &mut out) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    assert!(rest.len() < before, "an event from nothing");
                    note(event, &heads, method, &mut items);
                    answer(event, &mut connection, &items, &mut out);
                }
                Err(error) => {
                    assert!(connection.must_close());
                    assert_eq!(error.status != 0, role == Role::Server);
                    items.push(Item::Error(error.status, error.reason));
                    return (items, out);
                }
            }
        }
        let left = rest.len();
        pending.drain(..pending.len() - left);
    }
    for _ in 0..2 {
        match connection.end_of_input(&pending) {
            Ok(Some(event)) => note(event, &heads, method, &mut items),
            Ok(None) => break,
            Err(error) => items.push(Item::Error(error.status, error.reason)),
        }
    }
    assert!(connection.must_close() || connection.is_tunnel());
    (items, out)
}

fn note(event: Event<'_>, heads: &Heads, method: &str, items: &mut Vec<Item>) {
    let end = match event {
        Event::Request { end, .. } => {
            let item = request_item(&heads.request);
            if let Some(again) = request_again(&heads.request, end) {
                assert_eq!(item, again);
            }
            items.push(item);
            end
        }
        Event::Response { end, .. } => {
            let item = response_item(&heads.response);
            assert_eq!(item, response_again(&heads.response, method, end));
            items.push(item);
            end
        }
        Event::Data { bytes, end, .. } => {
            match items.last_mut() {
                _ if bytes.is_empty() => assert!(end),
                Some(Item::Body(body)) => body.extend_from_slice(bytes),
                _ => items.push(Item::Body(bytes.to_vec())),
            }
            end
        }
        Event::Trailers { .. } => {
            items.push(Item::Trailers(pairs(&heads.trailers)));
            true
        }
        other => panic!("{other:?}"),
    };
    if end {
        items.push(Item::End);
    }
}

/// A server answers what is whole, so that what follows is decoded too.
fn answer(event: Event<'_>, connection: &mut Connection, items: &[Item], out: &mut Vec<u8>) {
    let (Event::Request { stream, .. }
    | Event::Data { stream, .. }
    | Event::Trailers { stream, .. }) = event
    else {
        return;
    };
    if connection.role() == Role::Server && items.last() == Some(&Item::End) {
        connection.respond(stream, &ResponseHead::new(200), true, out).expect("an open stream");
    }
}

/// The fields that an encoder copies, which is all but those that are its own business.
fn pairs(fields: &Fields) -> Pairs {
    fields
        .iter()
        .filter(|field| {
            !matches!(
                field.known,
                Known::Connection
                    | Known::ContentLength
                    | Known::Host
                    | Known::Http2Settings
                    | Known::KeepAlive
                    | Known::ProxyConnection
                    | Known::TransferEncoding
                    | Known::Upgrade
            )
        })
        .map(|field| (field.name.to_vec(), field.value.to_vec()))
        .collect()
}

fn request_item(head: &RequestHead) -> Item {
    let start = [head.method_text(), head.target(), head.authority()];
    // A POST without body says so on the wire, with a length of zero.
    let body = match head.body {
        BodyLength::Known(0) => BodyLength::None,
        body => body,
    };
    Item::Head { start: start.map(<[u8]>::to_vec).to_vec(), body, fields: pairs(&head.fields) }
}

fn response_item(head: &ResponseHead) -> Item {
    let start = vec![head.status.to_string().into_bytes()];
    Item::Head { start, body: head.body, fields: pairs(&head.fields) }
}

/// Encodes and decodes; `None` where HTTP/1.1 cannot express what HTTP/1.0 or a tunnel may.
fn request_again(head: &RequestHead, end: bool) -> Option<Item> {
    if head.authority().is_empty() || (head.method() == Method::Connect && !end) {
        return None;
    }
    let (mut wire, mut heads) = (Vec::new(), Heads::default());
    let mut client = Connection::new(Role::Client, &Settings::default());
    client.open(head, end, 0, &mut wire).expect("a decoded head can be encoded");
    // The way out adds a few bytes: what came in at the limit may go beyond it here.
    let settings = Settings { head_bytes_max: 100_000, fields_max: 200, ..Settings::default() };
    let mut server = Connection::new(Role::Server, &settings);
    let mut input = wire.as_slice();
    let event = server.next_event(&mut input, &mut heads, &mut Vec::new());
    assert!(
        matches!(event, Ok(Some(Event::Request { end: again, .. })) if again == end),
        "{event:?} {}",
        wire.escape_ascii()
    );
    assert_eq!(input, b"");
    Some(request_item(&heads.request))
}

fn response_again(head: &ResponseHead, method: &str, end: bool) -> Item {
    if head.status == 101 {
        // Nobody asked for it, so that nobody would write it.
        return response_item(head);
    }
    let (mut wire, mut heads) = (Vec::new(), Heads::default());
    let settings = Settings { head_bytes_max: 100_000, fields_max: 200, ..Settings::default() };
    let mut server = Connection::new(Role::Server, &settings);
    let mut client = Connection::new(Role::Client, &settings);
    client.open(&request(method), true, 0, &mut wire).expect("an idle connection");
    let mut input = wire.as_slice();
    let asked = server.next_event(&mut input, &mut heads, &mut Vec::new());
    assert!(matches!(asked, Ok(Some(Event::Request { stream: 1, end: true }))), "{asked:?}");
    wire.clear();
    server.respond(1, head, end, &mut wire).expect("a decoded head can be encoded");
    let mut input = wire.as_slice();
    let event = client.next_event(&mut input, &mut heads, &mut Vec::new());
    assert!(
        matches!(event, Ok(Some(Event::Response { end: again, .. })) if again == end),
        "{event:?} {}",
        wire.escape_ascii()
    );
    assert_eq!(input, b"");
    response_item(&heads.response)
}
