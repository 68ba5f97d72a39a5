//! Certificates that prove to an ACME server that we have a name (TLS-ALPN-01, RFC 8737).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// The protocol that the ACME server offers, and it alone (RFC 8737 §6.2).
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

/// Answers by name. Clones share them; only handshakes that offer [`ACME_TLS_ALPN`] look here.
#[derive(Clone, Debug, Default)]
pub struct AlpnChallenges(Arc<RwLock<HashMap<String, Arc<CertifiedKey>>>>);

impl AlpnChallenges {
    /// Replaces all answers: lower-case names with their certificates.
    pub fn set(&self, answers: impl IntoIterator<Item = (String, Certificate)>) {
        let answers = answers.into_iter().map(|(name, certificate)| (name, certificate.key));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = answers.collect();
    }

    /// `None`: it is no challenge. `Some(None)`: it is one that is not known here.
    pub(super) fn answer(&self, hello: &ClientHello<'_>) -> Option<Option<Arc<CertifiedKey>>> {
        let mut offered = hello.alpn()?;
        if offered.next() != Some(ACME_TLS_ALPN) || offered.next().is_some() {
            return None;
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned())
    }
}
