//! Which certificate a client is shown (RFC 6066 §3, RFC 9525 §6.3). Built once, then only read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::challenge::AlpnChallenges;
use super::expiry::CertificateExpiry;

/// Certificates by name; a name may have several, of different key types.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    all: Vec<Arc<CertifiedKey>>,
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    challenges: Option<AlpnChallenges>,
    pub(super) expiry: Option<CertificateExpiry>,
}

impl Resolver {
    pub(super) fn new(certificates: &[Certificate], challenges: Option<AlpnChallenges>) -> Self {
        let mut resolver = Self { challenges, ..Self::default() };
        for certificate in certificates {
            resolver.add(certificate);
        }
        resolver
    }

    fn add(&mut self, certificate: &Certificate) {
        let key = &certificate.key;
        for name in certificate.names() {
            let list = match name.strip_prefix("*.") {
                Some(parent) => self.wildcard.entry(parent.to_owned()).or_default(),
                None => self.exact.entry(name.clone()).or_default(),
            };
            list.push(Arc::clone(key));
        }
        self.all.push(Arc::clone(key));
    }

    /// Certificates for a lower-case name, best first.
    fn candidates(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let by_wildcard = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(by_wildcard).map_or(&[], Vec::as_slice)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(answer) = self.challenges.as_ref().and_then(|them| them.answer(&hello)) {
            return answer;
        }
        let usable =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let name = hello.server_name().map(|name| {
            let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
            if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) }
        });
        let name = name.as_deref();
        let named = name.and_then(|name| self.candidates(name).iter().find(usable));
        // Without a usable one the first is shown all the same: the alert that follows tells more.
        let found = named.or_else(|| self.all.iter().find(usable)).or_else(|| self.all.first());
        let found = found.cloned()?;
        Some(match &self.expiry {
            Some(expiry) => expiry.shown(found, name, &hello),
            None => found,
        })
    }
}
