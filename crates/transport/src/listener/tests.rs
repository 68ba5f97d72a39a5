use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::*;
use crate::Channel;

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn inet(listener: &Listener) -> SocketAddr {
    listener.local_addr().unwrap().inet().unwrap()
}

fn bind(options: &ListenerOptions) -> Listener {
    Listener::bind(any_port(), options).unwrap()
}

#[test]
fn options_reach_the_socket() {
    let listener = bind(&ListenerOptions { fast_open_queue: 17, ..Default::default() });
    let socket = SockRef::from(&listener.socket);
    assert!(socket.reuse_port().unwrap());
    assert!(socket.is_listener().unwrap());
    assert_eq!(sys::fast_open_queue(&listener.socket).unwrap(), 17);
    let without = bind(&ListenerOptions { fast_open_queue: 0, ..Default::default() });
    assert_eq!(sys::fast_open_queue(&without.socket).unwrap(), 0);
}

#[test]
fn accepted_streams_do_not_delay_and_do_not_block() {
    let listener = bind(&ListenerOptions::default());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let client = StdStream::connect(inet(&listener)).unwrap();
    let (mut stream, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().ok());
    assert!(stream.nodelay().unwrap());
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn two_sockets_share_a_port_and_each_connection_reaches_one() {
    let first = bind(&ListenerOptions::default());
    let address = inet(&first);
    let second = Listener::bind(address, &ListenerOptions::default()).unwrap();
    let clients: Vec<_> = (0..64).map(|_| StdStream::connect(address).unwrap()).collect();
    let drain = |listener: &Listener| std::iter::from_fn(|| listener.accept().ok()).count();
    let (first, second) = (drain(&first), drain(&second));
    assert_eq!(first + second, clients.len());
    // Chance leaves one of them empty once in 2^63 runs.
    assert!(first > 0 && second > 0, "{first} and {second}");
}

#[test]
fn a_second_exclusive_listener_is_refused_with_address_and_remedy() {
    let exclusive = ListenerOptions { reuse_port: false, ..Default::default() };
    let first = bind(&exclusive);
    let address = inet(&first);
    let error = Listener::bind(address, &exclusive).unwrap_err();
    assert_eq!(error.cause.kind(), ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(text.starts_with(&format!("listen on {address}: ")), "{text}");
    assert!(text.contains("another process listens there"), "{text}");
}

#[test]
fn every_common_refusal_has_its_own_remedy() {
    let inet = any_port().into();
    let remedies = [libc::EADDRINUSE, libc::EACCES, libc::EADDRNOTAVAIL, libc::EMFILE]
        .map(|code| remedy(&inet, &io::Error::from_raw_os_error(code)));
    for (index, text) in remedies.iter().enumerate() {
        assert_ne!(*text, "check the address");
        assert!(!remedies[..index].contains(text), "{text}");
    }
    assert_eq!(
        remedy(&inet, &io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        remedy(&inet, &io::Error::from(ErrorKind::Unsupported))
    );
}

#[test]
fn the_queue_outlives_the_original() {
    let original = bind(&ListenerOptions::default());
    let address = inet(&original);
    let duplicate = original.duplicate().unwrap();
    let mut early = StdStream::connect(address).unwrap();
    early.write_all(b"early").unwrap();
    drop(original);
    let mut late = StdStream::connect(address).unwrap();
    late.write_all(b"late!").unwrap();
    for expect in [b"early", b"late!"] {
        let (stream, _) = duplicate.accept().unwrap();
        let mut stream = StdStream::from(stream);
        stream.set_nonblocking(false).unwrap();
        let mut text = [0; 5];
        stream.read_exact(&mut text).unwrap();
        assert_eq!(&text, expect);
    }
    assert_eq!(duplicate.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_duplicate_wakes_another_poll_for_what_waits() {
    let mut original = bind(&ListenerOptions::default());
    let mut duplicate = original.duplicate().unwrap();
    let dead = Poll::new().unwrap();
    dead.registry().register(&mut original, Token(1), Interest::READABLE).unwrap();
    let _client = StdStream::connect(inet(&original)).unwrap();
    drop((dead, original));
    let mut sibling = Poll::new().unwrap();
    sibling.registry().register(&mut duplicate, Token(2), Interest::READABLE).unwrap();
    let mut events = Events::with_capacity(4);
    sibling.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
    assert!(events.iter().any(|event| event.token() == Token(2) && event.is_readable()));
    duplicate.accept().unwrap();
}

/// A path in a folder of the test's own.
fn socket_path(test: &str) -> (std::path::PathBuf, Address) {
    let folder = std::env::temp_dir().join(format!("bulkhead-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("a.sock");
    let address = format!("unix:{}", path.display()).parse().unwrap();
    (path, address)
}

fn bind_unix(address: &Address) -> Result<Listener, BindError> {
    let options = ListenerOptions { socket_mode: Some(0o640), ..ListenerOptions::default() };
    Listener::bind(address.clone(), &options)
}

#[test]
fn a_unix_socket_is_kept_from_others_and_removed_with_its_last_keeper() {
    use std::os::unix::fs::PermissionsExt;
    let (path, address) = socket_path("kept");
    let listener = bind_unix(&address).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let second = bind_unix(&address).unwrap_err();
    assert_eq!(second.cause.kind(), ErrorKind::AddrInUse, "{second}");
    // The probe of the second is a connection that has ended.
    drop(listener.accept().unwrap());
    let mut client = Channel::connect(address.clone(), None).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    assert_eq!(peer, None);
    assert!(client.connect_result().unwrap());
    assert_eq!(client.write(b"hello").unwrap(), 5);
    let mut server = Channel::plain(stream);
    let mut buffer = [0; 16];
    assert_eq!(server.read(&mut buffer).unwrap(), crate::ReadOutcome::Bytes(5));
    client.close_notify();
    assert_eq!(server.read(&mut buffer).unwrap(), crate::ReadOutcome::Closed);
    let (keeper, duplicate) = (listener.keep().unwrap(), listener.duplicate().unwrap());
    drop(listener);
    assert!(path.exists());
    drop(keeper);
    assert!(!path.exists());
    drop(duplicate);
}

#[test]
fn a_dead_socket_file_is_replaced_and_any_other_file_is_not() {
    let (path, address) = socket_path("dead");
    drop(StdUnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(bind_unix(&address).unwrap());
    std::fs::write(&path, "precious").unwrap();
    let error = bind_unix(&address).unwrap_err();
    assert_eq!(error.cause.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn an_abstract_name_has_no_file() {
    let address: Address = format!("unix:@bulkhead-{}", std::process::id()).parse().unwrap();
    let listener = Listener::bind(address.clone(), &ListenerOptions::default()).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    let _client = Channel::connect(address.clone(), None).unwrap();
    listener.accept().unwrap();
    drop(listener);
    assert!(Channel::connect(address, None).is_err());
}

#[test]
fn a_socket_from_elsewhere_is_listened_on() {
    let opened = std::net::TcpListener::bind(any_port()).unwrap();
    let address = opened.local_addr().unwrap();
    let listener = Listener::adopt(opened.into()).unwrap();
    let client = StdStream::connect(address).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address.into());
    let (stream, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().ok());
    assert!(stream.nodelay().unwrap());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_does_not_listen_is_refused() {
    let datagrams = std::net::UdpSocket::bind(any_port()).unwrap();
    assert_eq!(Listener::adopt(datagrams.into()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let listener = bind(&ListenerOptions::default());
    let client = StdStream::connect(inet(&listener)).unwrap();
    assert_eq!(Listener::adopt(client.into()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(Listener::adopt(file.into()).is_err());
}
