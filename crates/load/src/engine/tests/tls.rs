//! TLS: handshakes, sessions, and what goes wrong before a connection is up.

use bulkhead_testkit::Authority;
use bulkhead_transport::{
    CertificatePem, ClientTls, ClientTlsOptions, ServerName, ServerTls, Ticketer, TlsTarget,
    TlsVersion,
};

use super::*;

fn secure_origin(authority: &Authority, alpn: &[&[u8]]) -> Origin {
    let leaf = authority.issue(&["feed.example"]);
    let pem = CertificatePem {
        chain_pem: leaf.chain_pem.into_bytes(),
        key_pem: leaf.key_pem.into_bytes(),
    };
    let ticketer = Ticketer::new().unwrap();
    let tls = ServerTls::new(vec![pem], TlsVersion::Tls12, alpn, &ticketer).unwrap();
    Origin::start(OriginOptions { tls: Some(tls), ..OriginOptions::default() }).unwrap()
}

fn tls(authority: Option<&Authority>, alpn: &[u8], no_resumption: bool) -> TlsTarget {
    let ca = authority.map(Authority::certificate_pem);
    let options = ClientTlsOptions {
        ca_pem: ca.as_ref().map(|pem| pem.as_bytes()),
        alpn: &[alpn],
        no_resumption,
        ..ClientTlsOptions::default()
    };
    let config = ClientTls::with(&options).unwrap();
    TlsTarget { config, server_name: ServerName::try_from("feed.example").unwrap() }
}

#[test]
fn sessions_are_resumed_unless_told_otherwise() {
    let authority = Authority::new();
    for (protocol, alpn) in [(Protocol::Http1, &b"http/1.1"[..]), (Protocol::Http2, b"h2")] {
        for no_resumption in [false, true] {
            let origin = secure_origin(&authority, &[b"h2", b"http/1.1"]);
            let mut options = options(origin.addr(), protocol);
            options.targets[0].tls = Some(tls(Some(&authority), alpn, no_resumption));
            options.targets[0].connection_requests_max = Some(20);
            let report = Load::start(options, feeds(0, "")).unwrap().finish();
            assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
            let connections = report.connections;
            assert_eq!(connections.tls_handshakes, connections.opened);
            assert!(connections.opened >= 20, "{connections:?}");
            assert_eq!(connections.tls_resumed > 0, !no_resumption, "{connections:?}");
            assert_eq!(origin.stats().requests_total(), report.sent);
        }
    }
}

#[test]
fn the_scheme_is_that_of_the_connection() {
    let authority = Authority::new();
    for secure in [false, true] {
        let alpn: &[&[u8]] = &[b"h2"];
        let origin = if secure { secure_origin(&authority, alpn) } else { origin() };
        let mut options = one_stream(origin.addr());
        options.targets[0].tls = secure.then(|| tls(Some(&authority), b"h2", false));
        let scheme = if secure { "https" } else { "http" };
        let expected = format!("\":scheme\":[\"{scheme}\"]");
        let report = Load::start(options, |_| Box::new(Scheme(expected.clone()))).unwrap().finish();
        assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
    }
}

/// Asks what the origin has received.
struct Scheme(String);

impl Workload for Scheme {
    fn prepare(&mut self, _number: u64, request: &mut Request) {
        request.head.set_authority(b"feed.example");
        request.head.set_target(b"/headers");
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let body = String::from_utf8_lossy(answer.body);
        if body.contains(&self.0) { Ok(()) } else { Err(Mismatch::Body) }
    }
}

#[test]
fn what_tls_refuses_is_told() {
    let authority = Authority::new();
    let trusted = Some(&authority);
    for (alpn_of_origin, target, expected) in [
        (&[&b"h2"[..]][..], tls(None, b"h2", false), "certificate"),
        (&[], tls(trusted, b"h2", false), "does not offer HTTP/2"),
        (&[b"http/1.1"], tls(trusted, b"h2", false), "rotocol"),
    ] {
        let origin = secure_origin(&authority, alpn_of_origin);
        let mut options = options(origin.addr(), Protocol::Http2);
        options.targets[0].tls = Some(target);
        let error = Load::start(options, feeds(0, "")).unwrap_err();
        assert!(
            matches!(&error, LoadError::Connect { cause, tls: true, .. } if cause.contains(expected)),
            "{expected}: {error:?}"
        );
    }
    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut waiting = options(silent.local_addr().unwrap(), Protocol::Http2);
    waiting.targets[0].tls = Some(tls(trusted, b"h2", false));
    waiting.timeout = Duration::from_millis(200);
    let error = Load::start(waiting, feeds(0, "")).unwrap_err();
    assert!(
        matches!(&error, LoadError::Connect { cause, tls: true, .. } if cause.contains("time-out")),
        "{error:?}"
    );
    // And a server that speaks no TLS at all.
    let origin = origin();
    let mut options = options(origin.addr(), Protocol::Http2);
    options.targets[0].tls = Some(tls(trusted, b"h2", false));
    let error = Load::start(options, feeds(0, "")).unwrap_err();
    assert!(matches!(&error, LoadError::Connect { tls: true, .. }), "{error:?}");
}
