//! A minimal HTTP/2 server (cleartext, prior knowledge) on top of the codec alone: one blocking thread
//! for each connection, and `200` with a short body to everything. It exists to run conformance suites
//! against the codec without the gateway: `cargo run --example http2_server -- 127.0.0.1:8080`, then
//! `h2spec -h 127.0.0.1 -p 8080`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bulkhead_codec::http2::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role, StreamId};
use bulkhead_message::ResponseHead;

const BODY: &[u8] = b"hello from the codec\n";

/// Bytes of the body that a stream has still to send.
#[derive(Default)]
struct Unsent(Vec<(StreamId, &'static [u8])>);

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address)?;
    for socket in listener.incoming() {
        let socket = socket?;
        std::thread::spawn(move || serve(socket));
    }
    Ok(())
}

fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut connection = Connection::new(Role::Server, &Settings::default());
    let mut heads = Heads::default();
    let mut input = Vec::new();
    let mut out = Vec::new();
    let mut unsent = Unsent::default();
    let mut buffer = [0; 16_384];
    connection.start(&mut out);
    loop {
        socket.write_all(&out)?;
        out.clear();
        if connection.must_close() {
            return Ok(());
        }
        let len = socket.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        input.extend_from_slice(buffer.get(..len).unwrap_or(&[]));
        let mut rest = &input[..];
        while let Ok(Some(event)) = connection.next_event(&mut rest, &mut heads, &mut out) {
            react(&mut connection, event, &mut unsent, &mut out);
        }
        let left = rest.len();
        input.drain(..input.len() - left);
        while let Some((stream, _)) = connection.next_writable() {
            send(&mut connection, stream, &mut unsent, &mut out);
        }
    }
}

fn react(connection: &mut Connection, event: Event<'_>, unsent: &mut Unsent, out: &mut Vec<u8>) {
    let (stream, end) = match event {
        Event::Request { stream, end } => (stream, end),
        Event::Data { stream, flow_bytes, end, .. } => {
            connection.release(stream, flow_bytes, out);
            (stream, end)
        }
        Event::Trailers { stream, .. } => (stream, true),
        Event::Reset { stream, .. } => return unsent.0.retain(|&(id, _)| id != stream),
        _ => return,
    };
    if end {
        let mut head = ResponseHead::new(200);
        head.fields.push(b"content-type", b"text/plain");
        if connection.respond(stream, &head, false, out).is_ok() {
            unsent.0.push((stream, BODY));
            send(connection, stream, unsent, out);
        }
    }
}

fn send(connection: &mut Connection, stream: StreamId, unsent: &mut Unsent, out: &mut Vec<u8>) {
    let Some(place) = unsent.0.iter_mut().find(|(id, _)| *id == stream) else { return };
    match connection.send_data(stream, place.1, true, out) {
        Ok(taken) if taken < place.1.len() => place.1 = place.1.get(taken..).unwrap_or(&[]),
        _ => unsent.0.retain(|&(id, _)| id != stream),
    }
}
