//! OCSP responses are stapled, and only where that does no harm.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bulkhead_config::Config;
use bulkhead_config::model::{Certificate, ListenerTls, Protocol, SecretSource};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::{Authority, Leaf, Scratch, Standing};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::secure::connect;
use crate::support::{config, origin, start, value};

const DAY: u64 = 24 * 3600;

/// Believes everybody, and keeps what was stapled.
#[derive(Debug)]
struct Watcher {
    provider: Arc<CryptoProvider>,
    stapled: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Watcher {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.stapled.lock().expect("no panic") = ocsp_response.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a new connection is shown beside the certificate.
fn stapled(gateway: &Gateway) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let watcher = Arc::new(Watcher { provider: provider.clone(), stapled: Mutex::default() });
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(watcher.clone())
        .with_no_client_auth();
    let mut client = connect(gateway, &Arc::new(tls), "a.example");
    client.flush().expect("shake hands");
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock).expect("shake hands");
    }
    let stapled = watcher.stapled.lock().expect("no panic");
    stapled.clone()
}

/// A listener with this certificate and the response in `a.ocsp`.
fn configured(leaf: &Leaf, scratch: &Scratch, port: std::net::SocketAddr) -> Config {
    let mut config = config(port, Protocol::Http1, 1);
    let certificate = Certificate {
        certificate_file: scratch.write("a.pem", &leaf.chain_pem),
        private_key: SecretSource::File(scratch.write("a.key", &leaf.key_pem)),
        ocsp_file: Some(scratch.path().join("a.ocsp")),
    };
    let certificates = vec![certificate];
    config.listeners[0].tls = Some(ListenerTls { certificates, ..ListenerTls::default() });
    config
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn problems(gateway: &Gateway) -> Option<f64> {
    value(&gateway.registry().render(), "bulkhead_certificate_problems")
}

#[test]
fn a_good_response_is_stapled_byte_for_byte_and_renewed() {
    let (origin, scratch) = (origin(), Scratch::new());
    let leaf = Authority::new().issue(&["a.example"]);
    let first = leaf.ocsp_response(Standing::Good, now() - DAY, now() + DAY);
    scratch.write("a.ocsp", &first);
    let config = configured(&leaf, &scratch, origin.addr());
    let gateway = start(config.clone());
    assert_eq!(stapled(&gateway), first);
    let second = leaf.ocsp_response(Standing::Good, now() - 60, now() + 2 * DAY);
    assert_ne!(first, second);
    scratch.write("a.ocsp", &second);
    gateway.apply(config).expect("apply");
    // Workers take up new listeners at their next turn.
    assert!((0..500).any(|_| stapled(&gateway) == second), "the new response is not stapled");
    assert_eq!(problems(&gateway), Some(0.0));
}

#[test]
fn what_would_do_harm_is_not_stapled_and_is_told() {
    let (origin, scratch) = (origin(), Scratch::new());
    let (authority, now) = (Authority::new(), now());
    let leaf = authority.issue(&["a.example"]);
    let good = |leaf: &Leaf| leaf.ocsp_response(Standing::Good, now - DAY, now + DAY);
    let mut damaged = good(&leaf);
    damaged.truncate(damaged.len() / 2);
    for (what, response, reason) in [
        ("damaged", damaged, "OCSP"),
        ("empty", Vec::new(), "OCSP"),
        ("another's", good(&authority.issue(&["a.example"])), "another certificate"),
        ("revoked", leaf.ocsp_response(Standing::Revoked, now - DAY, now + DAY), "revoked"),
        ("unknown", leaf.ocsp_response(Standing::Unknown, now - DAY, now + DAY), "unknown"),
        ("old", leaf.ocsp_response(Standing::Good, now - 2 * DAY, now - DAY), "out of date"),
        ("early", leaf.ocsp_response(Standing::Good, now + DAY, now + 2 * DAY), "not valid yet"),
    ] {
        scratch.write("a.ocsp", response);
        let gateway = start(configured(&leaf, &scratch, origin.addr()));
        assert_eq!(stapled(&gateway), Vec::<u8>::new(), "{what}");
        assert_eq!(problems(&gateway), Some(1.0), "{what}");
        let report = gateway.certificates();
        let [problem] = &report.problems[..] else { panic!("{what}: {report:?}") };
        assert!(problem.file.ends_with("a.ocsp"), "{problem:?}");
        assert!(problem.reason.contains(reason), "{what}: {}", problem.reason);
    }
}

#[test]
fn a_response_that_is_still_fresh_outlives_a_damaged_file() {
    let (origin, scratch) = (origin(), Scratch::new());
    let leaf = Authority::new().issue(&["a.example"]);
    let good = leaf.ocsp_response(Standing::Good, now() - DAY, now() + DAY);
    scratch.write("a.ocsp", &good);
    let config = configured(&leaf, &scratch, origin.addr());
    let gateway = start(config.clone());
    scratch.write("a.ocsp", "half of a file");
    gateway.apply(config).expect("without a response a certificate is as good");
    assert_eq!(problems(&gateway), Some(1.0));
    assert!(gateway.certificates().problems[0].kept);
    assert_eq!(stapled(&gateway), good);
}
