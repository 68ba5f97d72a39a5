use std::sync::Arc;

use super::*;
use crate::Ticketer;

/// A client and a server channel with the handshake still to do.
fn pair(server: Arc<ServerConfig>, client: Arc<ClientConfig>, name: &str) -> (Channel, Channel) {
    let listener = listener();
    let target =
        TlsTarget { config: client, server_name: ServerName::try_from(name.to_owned()).unwrap() };
    let client = Channel::connect(listener.local_addr().unwrap(), Some(&target)).unwrap();
    let server = Channel::tls_server(accept(&listener), server).unwrap();
    (client, server)
}

/// Drives both until neither shakes hands any more.
#[track_caller]
fn shake(client: &mut Channel, server: &mut Channel) {
    until(|| {
        for channel in [&mut *client, &mut *server] {
            assert_eq!(channel.read(&mut [0; 64]).unwrap(), ReadOutcome::WouldBlock);
            channel.flush().unwrap();
        }
        (!client.is_handshaking() && !server.is_handshaking()).then_some(())
    });
}

fn shaken(version: TlsVersion) -> (Channel, Channel) {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], version, &[b"h2"]);
    let (mut client, mut server) = pair(server, client_config(&authority, &[b"h2"]), "one.test");
    shake(&mut client, &mut server);
    (client, server)
}

/// A TLS 1.2 pair: the client is not offered more.
fn shaken_12() -> (Channel, Channel) {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[]);
    let client = authority.client_12();
    let (mut client, mut server) = pair(server, client, "one.test");
    shake(&mut client, &mut server);
    (client, server)
}

fn version(channel: &Channel) -> &'static str {
    channel.tls_info().unwrap().version.unwrap()
}

#[test]
fn both_versions_carry_bytes_and_end_cleanly() {
    for (expect, (mut client, mut server)) in [
        ("1.3", shaken(TlsVersion::Tls13)),
        ("1.3", shaken(TlsVersion::Tls12)),
        ("1.2", shaken_12()),
    ] {
        assert_eq!((version(&client), version(&server)), (expect, expect));
        let info = server.tls_info().unwrap();
        assert_eq!((info.server_name, info.resumed), (Some("one.test"), Some(false)));
        assert_eq!(client.write(b"ping").unwrap(), 4);
        assert_eq!(receive(&mut server, 4), b"ping");
        let slices = [IoSlice::new(b"po"), IoSlice::new(b"ng")];
        assert_eq!(server.write_vectored(&slices).unwrap(), 4);
        assert_eq!(receive(&mut client, 4), b"pong");
        server.close_notify();
        receive_end(&mut client);
        receive_end(&mut client);
        client.close_notify();
        receive_end(&mut server);
    }
}

#[test]
fn what_came_before_the_end_is_read_first() {
    let (mut client, mut server) = shaken(TlsVersion::Tls13);
    client.write(b"last words").unwrap();
    client.close_notify();
    drop(client);
    assert_eq!(receive(&mut server, 10), b"last words");
    receive_end(&mut server);
}

#[test]
fn the_protocol_is_negotiated_in_the_servers_order() {
    let authority = authority();
    for (server, client, expect) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], &[b"http/1.1".as_slice(), b"h2"][..], Some("h2")),
        (&[b"h2", b"http/1.1"], &[b"http/1.1"], Some("http/1.1")),
        (&[b"h2"], &[], None),
        (&[], &[b"h2"], None),
    ] {
        let server = server_config(&authority, &["one.test"], TlsVersion::Tls12, server);
        let (mut client, mut server) = pair(server, client_config(&authority, client), "one.test");
        shake(&mut client, &mut server);
        assert_eq!(client.alpn(), expect.map(str::as_bytes));
        assert_eq!(server.alpn(), expect.map(str::as_bytes));
    }
}

#[test]
fn without_a_common_protocol_both_sides_fail() {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[b"h2"]);
    let (client, server) = pair(server, client_config(&authority, &[b"spdy/3"]), "one.test");
    check_failure(client, server, "NoApplicationProtocol");
}

/// Both sides fail; the client's reason is in its text.
#[track_caller]
fn check_failure(mut client: Channel, mut server: Channel, reason: &str) {
    let (mut ours, mut theirs) = (None, None);
    until(|| {
        for (channel, failure) in [(&mut client, &mut ours), (&mut server, &mut theirs)] {
            if failure.is_none() {
                let _shown_by_read = channel.flush();
                *failure = channel.read(&mut [0; 64]).err();
            }
        }
        (ours.is_some() && theirs.is_some()).then_some(())
    });
    let ours = ours.unwrap();
    assert_eq!(ours.kind(), ErrorKind::InvalidData);
    assert!(format!("{ours:?}").contains(reason), "{ours:?}");
    assert_eq!(theirs.unwrap().kind(), ErrorKind::InvalidData);
    // Dead stays dead, and is told each time.
    assert_eq!(client.read(&mut [0; 64]).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn the_certificate_must_be_for_the_name_and_from_the_authority() {
    let (ours, stranger) = (authority(), authority());
    let server = || server_config(&ours, &["one.test"], TlsVersion::Tls12, &[]);
    let (client, other) = pair(server(), client_config(&ours, &[]), "two.test");
    check_failure(client, other, "NotValidForName");
    let (client, other) = pair(server(), client_config(&stranger, &[]), "one.test");
    check_failure(client, other, "BadSignature");
    let trusting = crate::ClientTls::new(None, true, &[]).unwrap();
    let (mut client, mut other) = pair(server(), trusting, "two.test");
    shake(&mut client, &mut other);
}

#[test]
fn a_listener_for_1_3_refuses_1_2() {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], TlsVersion::Tls13, &[]);
    let (client, server) = pair(server, authority.client_12(), "one.test");
    check_failure(client, server, "ProtocolVersion");
}

#[test]
fn each_name_gets_its_certificate() {
    let authority = authority();
    let names: [&[&str]; 3] = [&["default.test"], &["Exact.test", "*.wild.test"], &["a.wild.test"]];
    let server = authority.server(&names, TlsVersion::Tls12, &[], &Ticketer::new().unwrap());
    for (name, first_san) in [
        ("default.test", "default.test"),
        ("exact.test", "Exact.test"),
        ("EXACT.test", "Exact.test"),
        ("b.wild.test", "Exact.test"),
        ("a.wild.test", "a.wild.test"),
        ("a.b.wild.test", "default.test"),
        ("wild.test", "default.test"),
        ("127.0.0.1", "default.test"),
    ] {
        let trusting = crate::ClientTls::new(None, true, &[]).unwrap();
        let (mut client, mut other) = pair(Arc::clone(&server), trusting, name);
        shake(&mut client, &mut other);
        let Layer::Tls(tls) = &client.layer else { panic!("a TLS channel") };
        let shown = tls.peer_certificate().unwrap();
        let has = |san: &str| shown.windows(san.len()).any(|window| window == san.as_bytes());
        assert!(has(first_san), "{name} should get the certificate of {first_san}");
    }
}

#[test]
fn sessions_are_resumed_at_another_configuration_that_shares_the_ticketer() {
    for tls12 in [false, true] {
        let authority = authority();
        let ticketer = Ticketer::new().unwrap();
        let key = authority.certificate(&["one.test"]);
        let server = |ticketer: &Ticketer| {
            crate::ServerTls::new(vec![key.clone()], TlsVersion::Tls12, &[], ticketer).unwrap()
        };
        let client = if tls12 { authority.client_12() } else { client_config(&authority, &[]) };
        let visit = |server: Arc<ServerConfig>| {
            let (mut ours, mut theirs) = pair(server, Arc::clone(&client), "one.test");
            shake(&mut ours, &mut theirs);
            // The tickets of TLS 1.3 come with the first bytes.
            theirs.write(b"hello").unwrap();
            assert_eq!(receive(&mut ours, 5), b"hello");
            (ours.tls_info().unwrap().resumed, theirs.tls_info().unwrap().resumed)
        };
        assert_eq!(visit(server(&ticketer)), (Some(false), Some(false)));
        assert_eq!(visit(server(&ticketer)), (Some(true), Some(true)), "tls12: {tls12}");
        let other_keys = Ticketer::new().unwrap();
        assert_eq!(visit(server(&other_keys)), (Some(false), Some(false)));
    }
}

#[test]
fn large_transfers_survive_partial_writes_and_small_reads() {
    for (mut client, mut server) in [shaken(TlsVersion::Tls13), shaken_12()] {
        transfer(&mut client, &mut server, 6 << 20, 64 << 10);
        transfer(&mut server, &mut client, 6 << 20, 5003);
    }
}

#[test]
fn the_send_buffer_is_bounded() {
    let (mut client, _server) = shaken(TlsVersion::Tls13);
    let block = vec![0; 1 << 20];
    until(|| (client.write(&block).unwrap() == 0).then_some(()));
    assert!(client.wants_write());
    assert_eq!(client.write(b"one more").unwrap(), 0);
}

#[test]
fn bytes_written_before_the_handshake_follow_it() {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[]);
    let (mut client, mut server) = pair(server, client_config(&authority, &[]), "one.test");
    assert_eq!(client.write(b"early").unwrap(), 5);
    let mut text = [0; 5];
    until(|| {
        client.read(&mut [0; 8]).unwrap();
        client.flush().unwrap();
        (server.read(&mut text).unwrap() == ReadOutcome::Bytes(5)).then_some(())
    });
    assert_eq!(&text, b"early");
}

#[test]
fn an_end_without_close_notify_is_no_clean_end() {
    let (client, mut server) = shaken(TlsVersion::Tls13);
    shutdown_write(&client.socket);
    let error = until(|| server.read(&mut [0; 64]).err());
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let authority = authority();
    let config = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[]);
    let (client, mut server) = pair(config, client_config(&authority, &[]), "one.test");
    shutdown_write(&client.socket);
    let error = until(|| server.read(&mut [0; 64]).err());
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "in the handshake");
}

#[test]
fn cleartext_to_a_tls_listener_is_a_failure_not_a_panic() {
    let authority = authority();
    for text in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], &[0x16, 3, 1, 0xff, 0xff, 0], &[0; 600]]
    {
        let listener = listener();
        let mut client = Channel::connect(listener.local_addr().unwrap(), None).unwrap();
        let config = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[]);
        let mut server = Channel::tls_server(accept(&listener), config).unwrap();
        until(|| (client.write(text).unwrap() == text.len()).then_some(()));
        client.close_notify();
        let error = until(|| server.read(&mut [0; 64]).err());
        assert!(
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
            "{error:?}"
        );
    }
}

#[test]
fn a_handshake_goes_on_in_another_thread() {
    let authority = authority();
    let server = server_config(&authority, &["one.test"], TlsVersion::Tls12, &[]);
    let (mut client, mut server) = pair(server, client_config(&authority, &[]), "one.test");
    until(|| {
        client.flush().unwrap();
        server.read(&mut [0; 64]).unwrap();
        (client.is_connected() || client.connect_result().unwrap()).then_some(())
    });
    let (mut client, mut server) = thread::spawn(move || {
        shake(&mut client, &mut server);
        (client, server)
    })
    .join()
    .unwrap();
    transfer(&mut client, &mut server, 6 << 20, 16 << 10);
}
