//! Faults that look into connections of TCP: resets at an offset, failures of DNS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bulkhead_lab::{Link, LinkOptions};

use crate::support::{PATIENCE, deadline, fault, link};

const MINUTE: Duration = Duration::from_secs(60);

fn impose(link: &Link, json: &str) {
    link.impose(1, &fault(json), 5, Instant::now() + MINUTE, deadline()).unwrap();
}

/// A new connection from the client's end to this port of the server's.
fn connect(link: &Link, port: u16) -> (TcpStream, TcpStream) {
    let (client, server) = (link.client(), link.server());
    let listener = server.namespace.enter(|| TcpListener::bind((server.v4, port)));
    let listener = listener.unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    let client = client.namespace.enter(|| TcpStream::connect(address)).unwrap().unwrap();
    let (server, _) = listener.accept().unwrap();
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
    }
    (client, server)
}

/// Sends packets of 1,000 bytes, each when the one before has arrived, until the connection ends.
fn bytes_passed(from: &mut TcpStream, to: &mut TcpStream, most: usize) -> usize {
    let mut data = [7; 1_000];
    let mut passed = 0;
    while passed < most {
        let arrived = from.write_all(&data).and_then(|()| to.read_exact(&mut data));
        match arrived {
            Ok(()) => passed += data.len(),
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                    "{error}"
                );
                break;
            }
        }
    }
    passed
}

#[test]
fn each_connection_is_reset_at_its_offset_in_its_direction() {
    let Some(link) = link("offset", &LinkOptions::default()) else { return };
    let (mut early, mut early_peer) = connect(&link, 0);
    assert_eq!(bytes_passed(&mut early, &mut early_peer, 7_000), 7_000);
    impose(&link, r#"{"reset": {"direction": "upstream", "after_bytes": 12500}}"#);
    for _ in 0..2 {
        let (mut client, mut server) = connect(&link, 0);
        // The other direction does not count.
        assert_eq!(bytes_passed(&mut server, &mut client, 50_000), 50_000);
        assert_eq!(bytes_passed(&mut client, &mut server, 50_000), 12_000);
        for socket in [&mut client, &mut server] {
            let ended = socket.read(&mut [0; 6]).map_err(|error| error.kind());
            assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
        }
    }
    // Of one that was there before, what came since.
    assert_eq!(bytes_passed(&mut early, &mut early_peer, 50_000), 12_000);
    link.lift(1, deadline()).unwrap();
    let (mut client, mut server) = connect(&link, 0);
    assert_eq!(bytes_passed(&mut client, &mut server, 50_000), 50_000);
}

/// A query for `a.test` with EDNS, as it goes over TCP.
const QUERY: &[u8] = b"\0\x23\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x01a\x04test\0\0\x01\0\x01\
                       \0\0\x29\x04\xd0\0\0\x80\0\0\0";

#[test]
fn queries_over_tcp_fail_as_those_over_udp_do() {
    let Some(link) = link("dns", &LinkOptions::default()) else { return };
    impose(&link, r#"{"dns": {"direction": "upstream", "percent": 100, "failure": "servfail"}}"#);
    assert_eq!(QUERY.len(), 0x23 + 2);
    // Each on a connection of its own: the port may still be in the hands of the one before.
    let (mut client, mut server) = connect(&link, 53);
    client.write_all(QUERY).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    // The end after the answer is orderly, or the server's for a connection that it has no more.
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                break;
            }
        }
    }
    let expected = b"\0\x23\x12\x34\x81\x82\0\x01\0\0\0\0\0\x01\x01a\x04test\0\0\x01\0\x01\
                     \0\0\x29\x04\xd0\0\0\x80\0\0\0";
    assert_eq!(answer, expected, "the answer arrives whole");
    // The server never saw the query.
    let seen = server.read(&mut buffer).expect_err("its connection is open");
    assert_eq!(seen.kind(), ErrorKind::ConnectionReset);
    link.lift(1, deadline()).unwrap();
}

#[test]
fn a_query_over_tcp_that_is_dropped_stays_so_when_it_is_sent_again() {
    let Some(link) = link("silence", &LinkOptions::default()) else { return };
    impose(&link, r#"{"dns": {"direction": "upstream", "percent": 100, "failure": "timeout"}}"#);
    let (mut client, mut server) = connect(&link, 53);
    client.write_all(QUERY).unwrap();
    // It is sent again and again, and dropped each time.
    let began = Instant::now();
    while link.report(deadline()).unwrap().upstream.counts.lost < 3 {
        assert!(began.elapsed() < PATIENCE, "TCP does not try again");
        std::thread::yield_now();
    }
    link.lift(1, deadline()).unwrap();
    let mut query = [0; QUERY.len()];
    server.read_exact(&mut query).unwrap();
    assert_eq!(query, QUERY, "it comes when the fault is gone");
}
