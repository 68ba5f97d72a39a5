use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, ServerConfig};

use super::anchors::anchors;
use super::policy::provider;
use super::*;

/// A certificate authority for one test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

pub(crate) fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

impl Authority {
    pub(crate) fn certificate(&self, names: &[&str]) -> CertificatePem {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let chain_pem = params.signed_by(&key, &self.issuer).unwrap().pem().into_bytes();
        CertificatePem { chain_pem, key_pem: key.serialize_pem().into_bytes() }
    }

    pub(crate) fn server(
        &self,
        certificates: &[&[&str]],
        min_version: TlsVersion,
        alpn: &[&[u8]],
        ticketer: &Ticketer,
    ) -> Arc<ServerConfig> {
        let certificates = certificates.iter().map(|names| self.certificate(names)).collect();
        ServerTls::new(certificates, min_version, alpn, ticketer).unwrap()
    }

    /// A client that speaks TLS 1.2 at most.
    pub(crate) fn client_12(&self) -> Arc<ClientConfig> {
        Arc::new(
            ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS12])
                .unwrap()
                .with_root_certificates(anchors(Some(self.pem.as_bytes())).unwrap())
                .with_no_client_auth(),
        )
    }
}

pub(crate) fn server_config(
    authority: &Authority,
    names: &[&str],
    min_version: TlsVersion,
    alpn: &[&[u8]],
) -> Arc<ServerConfig> {
    authority.server(&[names], min_version, alpn, &Ticketer::new().unwrap())
}

pub(crate) fn client_config(authority: &Authority, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    ClientTls::new(Some(authority.pem.as_bytes()), false, alpn).unwrap()
}

#[track_caller]
fn check_refused(certificates: Vec<CertificatePem>, expect: &str) {
    let ticketer = Ticketer::new().unwrap();
    let error = ServerTls::new(certificates, TlsVersion::Tls12, &[], &ticketer).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expect), "{text}");
}

#[test]
fn each_fault_of_a_certificate_is_named() {
    let authority = authority();
    let good = authority.certificate(&["one.test"]);
    let other = authority.certificate(&["two.test"]);
    let with_chain = |chain: &[u8]| {
        vec![CertificatePem { chain_pem: chain.to_vec(), key_pem: good.key_pem.clone() }]
    };
    let with_key = |key: &[u8]| {
        vec![CertificatePem { chain_pem: good.chain_pem.clone(), key_pem: key.to_vec() }]
    };
    check_refused(Vec::new(), "at least one certificate");
    check_refused(with_chain(b""), "certificate 1: no certificate found");
    check_refused(with_chain(&good.key_pem), "certificate 1: no certificate found");
    let half = &good.chain_pem[..good.chain_pem.len() / 2];
    check_refused(with_chain(half), "a section has no end line");
    let damaged = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    check_refused(with_chain(damaged), "not valid base64");
    let no_x509 = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check_refused(with_chain(no_x509), "not a valid X.509 certificate");
    check_refused(with_key(b"nothing"), "certificate 1: no private key found");
    check_refused(with_key(&other.key_pem), "certificate 1: the private key does not match");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    check_refused(with_key(encrypted.as_bytes()), "encrypted with a pass phrase");
    let old_style = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    check_refused(with_key(old_style.as_bytes()), "encrypted with a pass phrase");
    let short = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    check_refused(with_key(short), "the private key cannot be used");
    let second = vec![good.clone(), CertificatePem { key_pem: other.key_pem, ..good.clone() }];
    check_refused(second, "certificate 2: the private key does not match");
}

#[test]
fn no_text_shows_key_material() {
    let pem = authority().certificate(&["one.test"]);
    let line = String::from_utf8(pem.key_pem.clone()).unwrap();
    let secret = line.lines().nth(1).unwrap();
    assert!(!format!("{pem:?}").contains(secret));
    assert!(!format!("{:?}", Ticketer::new().unwrap()).contains("key"));
}

#[test]
fn faults_of_trust_anchors_are_named() {
    for (pem, expect) in [
        (&b""[..], "no certificate found"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "a section has no end line"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "unusable"),
    ] {
        let text = ClientTls::new(Some(pem), false, &[]).unwrap_err().to_string();
        assert!(text.contains(expect), "{text}");
    }
}

#[test]
fn the_public_webs_anchors_are_the_default() {
    assert!(anchors(None).unwrap().roots.len() > 50);
    ClientTls::new(None, false, &[]).unwrap();
}
