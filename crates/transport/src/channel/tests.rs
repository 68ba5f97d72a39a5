use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::thread;

use mio::{Events, Poll};

use super::*;
use crate::tls::tests::{authority, client_config, server_config};
use crate::{Listener, ListenerOptions, TlsVersion};

mod tls;

/// Calls until something comes of it; a bug ends the test instead of hanging it.
#[track_caller]
pub(crate) fn until<T>(mut step: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2_000_000 {
        if let Some(value) = step() {
            return value;
        }
        thread::yield_now();
    }
    panic!("nothing happened");
}

pub(crate) fn listener() -> Listener {
    Listener::bind((Ipv4Addr::LOCALHOST, 0), &ListenerOptions::default()).unwrap()
}

pub(crate) fn accept(listener: &Listener) -> TcpStream {
    until(|| listener.accept().ok()).0
}

fn plain_pair() -> (Channel, Channel) {
    let listener = listener();
    let mut client = Channel::connect(listener.local_addr().unwrap(), None).unwrap();
    let server = Channel::plain(accept(&listener));
    until(|| client.connect_result().unwrap().then_some(()));
    (client, server)
}

/// Reads until `count` bytes are there.
#[track_caller]
pub(crate) fn receive(channel: &mut Channel, count: usize) -> Vec<u8> {
    let mut text = vec![0; count];
    let mut filled = 0;
    until(|| {
        match channel.read(&mut text[filled..]).unwrap() {
            ReadOutcome::Bytes(more) => filled += more,
            ReadOutcome::WouldBlock => {}
            ReadOutcome::Closed => panic!("closed after {filled} of {count} bytes"),
        }
        (filled == count).then_some(())
    });
    text
}

#[track_caller]
pub(crate) fn receive_end(channel: &mut Channel) {
    let outcome = until(|| match channel.read(&mut [0; 64]).unwrap() {
        ReadOutcome::WouldBlock => None,
        other => Some(other),
    });
    assert_eq!(outcome, ReadOutcome::Closed);
}

/// Bytes that show any loss, repetition or change of order.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Sends `count` bytes one way with a slow reader, so that writes are partial; both take turns.
#[track_caller]
pub(crate) fn transfer(from: &mut Channel, to: &mut Channel, count: usize, read_bytes: usize) {
    let sent = pattern(count);
    let mut received = Vec::with_capacity(count);
    let (mut taken, mut partial, mut buffer) = (0, 0, vec![0; read_bytes]);
    until(|| {
        if taken < count {
            let accepted = from.write(&sent[taken..]).unwrap();
            partial += usize::from(accepted < count - taken);
            taken += accepted;
        }
        from.flush().unwrap();
        if let ReadOutcome::Bytes(more) = to.read(&mut buffer).unwrap() {
            received.extend_from_slice(&buffer[..more]);
        }
        (received.len() == count).then_some(())
    });
    assert!(received == sent, "the bytes arrived changed");
    assert!(partial > 0, "{count} bytes went at once: make it more");
    assert!(!from.wants_write());
}

#[test]
fn connecting_tells_both_addresses() {
    let (client, server) = plain_pair();
    assert!(client.is_connected() && server.is_connected());
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
    assert!(client.socket.nodelay().unwrap());
    assert!(!client.is_tls() && !client.is_handshaking());
    assert_eq!((client.alpn(), client.tls_info()), (None, None));
}

#[test]
fn a_refused_connection_says_so() {
    let address = listener().local_addr().unwrap();
    let error = match Channel::connect(address, None) {
        Err(error) => error,
        Ok(mut channel) => until(|| match channel.connect_result() {
            Ok(true) => panic!("connected to nobody"),
            Ok(false) => None,
            Err(error) => Some(error),
        }),
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn bytes_go_both_ways_and_the_end_is_clean() {
    let (mut client, mut server) = plain_pair();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), ReadOutcome::WouldBlock);
    assert_eq!(client.write(b"ping").unwrap(), 4);
    assert_eq!(receive(&mut server, 4), b"ping");
    client.close_notify();
    receive_end(&mut server);
    let slices = [IoSlice::new(b"po"), IoSlice::new(b""), IoSlice::new(b"ng")];
    assert_eq!(server.write_vectored(&slices).unwrap(), 4);
    assert_eq!(receive(&mut client, 4), b"pong", "our end does not end theirs");
    drop(server);
    receive_end(&mut client);
}

#[test]
fn a_short_read_tells_that_the_socket_is_empty() {
    let (mut client, mut server) = plain_pair();
    client.write(b"12345678").unwrap();
    assert!(server.may_read_more());
    receive(&mut server, 4);
    assert!(server.may_read_more());
    until(|| (server.read(&mut [0; 64]).unwrap() == ReadOutcome::Bytes(4)).then_some(()));
    assert!(!server.may_read_more());
}

#[test]
fn large_transfers_survive_partial_writes() {
    let (mut client, mut server) = plain_pair();
    transfer(&mut client, &mut server, 8 << 20, 64 << 10);
    transfer(&mut server, &mut client, 8 << 20, 7919);
}

#[test]
fn a_full_socket_takes_nothing() {
    let (mut client, _server) = plain_pair();
    let block = vec![0; 1 << 16];
    until(|| (client.write(&block).unwrap() == 0).then_some(()));
    assert!(!client.wants_write(), "cleartext keeps nothing back");
}

#[test]
fn an_abort_reaches_the_peer_as_a_reset() {
    let (mut client, server) = plain_pair();
    server.abort();
    let error = until(|| client.read(&mut [0; 8]).err());
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn fast_open_is_asked_for_only_when_wanted() {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let fast = ConnectOptions { fast_open: true, ..Default::default() };
    for _ in 0..2 {
        // The second time the kernel may hold a cookie: both ways must work.
        let mut client = Channel::connect_with(address.clone(), None, &fast).unwrap();
        assert!(sys::fast_open_connect(&client.socket).unwrap());
        assert_eq!(client.read(&mut [0; 8]).unwrap(), ReadOutcome::WouldBlock);
        assert!(client.connect_result().unwrap(), "ready for the first write");
        until(|| (client.write(b"hello").unwrap() == 5).then_some(()));
        let mut server = Channel::plain(accept(&listener));
        assert_eq!(receive(&mut server, 5), b"hello");
    }
    let ordinary = Channel::connect(address, None).unwrap();
    assert!(!sys::fast_open_connect(&ordinary.socket).unwrap());
}

#[test]
fn a_local_address_is_used() {
    let listener = listener();
    let local = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), 0));
    let options = ConnectOptions { local: Some(local), ..Default::default() };
    let _client = Channel::connect_with(listener.local_addr().unwrap(), None, &options).unwrap();
    assert_eq!(until(|| listener.accept().ok()).1.unwrap().ip(), local.ip());
}

#[test]
fn a_channel_moves_to_another_thread_and_poll() {
    fn is_send<T: Send>(_: &T) {}
    let (mut client, mut server) = plain_pair();
    is_send(&server);
    let first = Poll::new().unwrap();
    first.registry().register(&mut server, Token(1), Interest::READABLE).unwrap();
    client.write(b"before").unwrap();
    first.registry().deregister(&mut server).unwrap();
    let sibling = thread::spawn(move || {
        let mut poll = Poll::new().unwrap();
        poll.registry().register(&mut server, Token(2), Interest::READABLE).unwrap();
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert!(events.iter().any(|event| event.token() == Token(2) && event.is_readable()));
        receive(&mut server, 6)
    });
    assert_eq!(sibling.join().unwrap(), b"before");
}

#[test]
fn what_is_peeked_is_there_for_the_next_read() {
    let listener = listener();
    let mut client = Channel::connect(listener.local_addr().unwrap(), None).unwrap();
    let mut server = Channel::plain(until(|| listener.accept().ok()).0);
    let mut buffer = [0; 8];
    assert_eq!(server.peek(&mut buffer).unwrap(), ReadOutcome::WouldBlock);
    until(|| client.connect_result().unwrap().then_some(()));
    assert_eq!(client.write(b"front rest").unwrap(), 10);
    client.close_notify();
    until(|| (server.peek(&mut buffer).unwrap() == ReadOutcome::Bytes(8)).then_some(()));
    assert_eq!(&buffer, b"front re");
    server.skip(6).unwrap();
    assert_eq!(server.read(&mut buffer).unwrap(), ReadOutcome::Bytes(4));
    assert_eq!(&buffer[..4], b"rest");
    until(|| (server.peek(&mut buffer).unwrap() == ReadOutcome::Closed).then_some(()));
    assert!(server.skip(1).is_err());
}
