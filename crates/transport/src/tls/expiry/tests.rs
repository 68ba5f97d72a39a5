use std::io;

use rustls::pki_types::ServerName;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, HandshakeKind};
use rustls::{ServerConfig, ServerConnection};
use x509_cert::der::Decode;

use super::judged::{BEHIND_ALL, Judge};
use super::*;
use crate::tls::tests::{authority, client_config};
use crate::tls::{Certificate, ServerTls, ServerTlsOptions, Ticketer, TlsPolicy, TlsVersion};

const HOUR: Duration = Duration::from_secs(3_600);

fn now() -> Duration {
    Duration::from_secs(UnixTime::now().as_secs())
}

fn wish(name: Option<&str>, until: Duration) -> Arc<Expired> {
    Arc::new(Expired::new(name, now(), until))
}

#[test]
fn time_is_behind_all_until_it_is_taken_back_or_over() {
    let expiry = CertificateExpiry::default();
    let [users, orders] = ["users", "orders"].map(|name| Judge::new(&expiry, name));
    let behind = |judge: &Judge| {
        judge.current_time().map(|time| time.as_secs()) == Some(BEHIND_ALL.as_secs())
    };
    let (one, all) = (wish(Some("users"), now() + HOUR), wish(None, now() + HOUR));
    assert!(!behind(&users));
    expiry.begin(&one);
    assert!(behind(&users) && !behind(&orders));
    expiry.begin(&all);
    assert!(behind(&users) && behind(&orders));
    expiry.end(&one);
    expiry.end(&all);
    assert!(!behind(&users) && !behind(&orders));
    expiry.begin(&wish(None, now()));
    assert!(!behind(&users), "its time is over");
}

/// A handshake, and what the client has seen of the certificate.
fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<(HandshakeKind, Option<x509_cert::Certificate>), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    // Tickets come behind the handshake.
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut io::Cursor::new(bytes)).unwrap();
        // What the client refuses is an error of it first.
        let _ = server.process_new_packets();
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut io::Cursor::new(bytes)).unwrap();
        client.process_new_packets()?;
    }
    let shown = client.peer_certificates().and_then(<[_]>::first);
    let shown = shown.map(|it| x509_cert::Certificate::from_der(it).unwrap());
    Ok((client.handshake_kind().unwrap(), shown))
}

fn server(certificate: &Certificate, expiry: &CertificateExpiry) -> Arc<ServerConfig> {
    ServerTls::with(&ServerTlsOptions {
        certificates: std::slice::from_ref(certificate),
        policy: TlsPolicy::default(),
        min_version: TlsVersion::Tls12,
        alpn: &[],
        ticketer: &Ticketer::new().unwrap(),
        client_auth: None,
        challenges: None,
        key_log: None,
        expiry: Some(expiry),
    })
    .unwrap()
}

#[test]
fn a_client_sees_an_expired_certificate_of_the_same_names_and_no_session_is_resumed() {
    let (authority, expiry) = (authority(), CertificateExpiry::default());
    let certificate = Certificate::parse(&authority.certificate(&["a.test"])).unwrap();
    let server = server(&certificate, &expiry);
    for client in [client_config(&authority, &[]), authority.client_12()] {
        let ask = || handshake(&client, &server, "a.test");
        assert_eq!(ask().unwrap().0, HandshakeKind::Full);
        assert_eq!(ask().unwrap().0, HandshakeKind::Resumed);
        let (other, fault) =
            (wish(Some("b.test"), now() + HOUR), wish(Some("a.test"), now() + HOUR));
        expiry.begin(&other);
        assert_eq!(ask().unwrap().0, HandshakeKind::Full, "sessions know no names");
        expiry.end(&other);
        expiry.begin(&fault);
        for _ in 0..2 {
            let error = ask().unwrap_err();
            let is_expired = matches!(
                error,
                Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. }
                )
            );
            assert!(is_expired, "{error:?}");
        }
        assert_eq!((fault.met(), other.met()), (2, 0));
        expiry.end(&fault);
        assert!(ask().is_ok(), "the one before is shown again");
        assert_eq!(ask().unwrap().0, HandshakeKind::Resumed);
    }
}

#[test]
fn only_dates_of_an_expired_certificate_are_others() {
    let (authority, expiry) = (authority(), CertificateExpiry::default());
    let certificate = Certificate::parse(&authority.certificate(&["a.test"])).unwrap();
    let server = server(&certificate, &expiry);
    let believer = crate::tls::ClientTls::new(None, true, &[]).unwrap();
    expiry.begin(&wish(None, now() + HOUR));
    let shown = handshake(&believer, &server, "a.test").unwrap().1.unwrap().tbs_certificate;
    let own = x509_cert::Certificate::from_der(certificate.der()).unwrap().tbs_certificate;
    let ended = shown.validity.not_after.to_unix_duration();
    assert!(shown.validity.not_before.to_unix_duration() < ended && ended < now(), "{shown:?}");
    let as_if = x509_cert::TbsCertificate { validity: own.validity, ..shown };
    assert_eq!(as_if, own);
}
