//! Certificates that we show our clients, as if nobody had renewed them: the same in all but their dates, and
//! with the same key and chain.
//!
//! Only their issuer could sign that anew, so its signature does not fit. Who looks at dates first sees an
//! expired certificate (rustls, Go, Java, Node); OpenSSL looks at signatures first, and says that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ProducesTickets};
use rustls::sign::CertifiedKey;
use x509_cert::der::asn1::{GeneralizedTime, UtcTime};
use x509_cert::der::{self, Decode, Encode};
use x509_cert::time::{Time, Validity};

use super::super::look::LOOK_ALPN;
use super::CertificateExpiry;

/// How long before the fault's begin a certificate has ended: more than clocks are apart.
const AGO: Duration = Duration::from_secs(24 * 3_600);
/// Of a certificate that was issued later than that.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3_600);

impl CertificateExpiry {
    /// What this client is shown in place of `key`. `name`: what it asks for, in lower case.
    pub(crate) fn shown(
        &self,
        key: Arc<CertifiedKey>,
        name: Option<&str>,
        hello: &ClientHello<'_>,
    ) -> Arc<CertifiedKey> {
        let Some(wish) = self.striking(name) else { return key };
        // What cannot be rewritten was read before, by another reader; it stays as it is, uncounted.
        let Some(expired) = expired(&key, wish.since.saturating_sub(AGO)) else { return key };
        let is_look = hello.alpn().is_some_and(|mut offered| offered.any(|it| it == LOOK_ALPN));
        if !is_look {
            wish.meet();
        }
        Arc::new(expired)
    }

    /// Tickets that open no session while anything is expired: a session that is resumed shows no
    /// certificate.
    pub(crate) fn guard(&self, tickets: Arc<dyn ProducesTickets>) -> Arc<dyn ProducesTickets> {
        Arc::new(Guarded { expiry: self.clone(), tickets })
    }
}

/// The certificate with an end at `not_after`, since 1970, if it would have had a later one.
fn expired(key: &CertifiedKey, not_after: Duration) -> Option<CertifiedKey> {
    let (own, issuers) = key.cert.split_first()?;
    let mut certificate = x509_cert::Certificate::from_der(own).ok()?;
    let validity = &mut certificate.tbs_certificate.validity;
    if validity.not_after.to_unix_duration() > not_after {
        // Nothing may end before it begins.
        let not_before = if validity.not_before.to_unix_duration() < not_after {
            validity.not_before
        } else {
            time(not_after.saturating_sub(LIFETIME)).ok()?
        };
        *validity = Validity { not_before, not_after: time(not_after).ok()? };
    }
    let own = CertificateDer::from(certificate.to_der().ok()?);
    let cert = std::iter::once(own).chain(issuers.iter().cloned()).collect();
    Some(CertifiedKey { cert, ..key.clone() })
}

/// Years before 2050 have two digits (RFC 5280 §4.1.2.5).
fn time(since_1970: Duration) -> der::Result<Time> {
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(since_1970).map(Time::GeneralTime),
    }
}

struct Guarded {
    expiry: CertificateExpiry,
    tickets: Arc<dyn ProducesTickets>,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(..)")
    }
}

impl ProducesTickets for Guarded {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if self.expiry.is_on() { None } else { self.tickets.decrypt(cipher) }
    }
}
