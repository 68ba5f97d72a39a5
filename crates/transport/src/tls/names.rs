//! Which names of a peer's certificate are accepted (RFC 5280 §4.2.1.6, SPIFFE X509-SVID).

use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// A condition on a subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameMatch {
    /// A DNS name, or `*.` and a suffix for names with exactly one label more.
    Dns(String),
    /// A URI; with a `*` at its end, one that begins so.
    Uri(String),
    /// As [`Self::Uri`], of a certificate that is an X509-SVID: its only URI is a well-formed
    /// SPIFFE id.
    Spiffe(String),
}

impl NameMatch {
    fn accepts(&self, certificate: &EndEntityCert<'_>) -> bool {
        match self {
            Self::Dns(pattern) => certificate.valid_dns_names().any(|name| is_dns(pattern, name)),
            Self::Uri(pattern) => certificate.valid_uri_names().any(|uri| begins(pattern, uri)),
            Self::Spiffe(pattern) => spiffe_id(certificate).is_some_and(|id| begins(pattern, id)),
        }
    }
}

/// Whether the certificate has a name that one of the conditions accepts.
pub(super) fn check_names(
    matches: &[NameMatch],
    end_entity: &CertificateDer<'_>,
) -> Result<(), rustls::Error> {
    let certificate = EndEntityCert::try_from(end_entity)
        .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    if matches.iter().any(|accepted| accepted.accepts(&certificate)) {
        return Ok(());
    }
    // The alert says "bad certificate": a peer learns nothing of what would be accepted.
    Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
}

fn is_dns(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        // A certificate for `*.example.com` is no peer that has a name of its own.
        Some(suffix) => name.split_once('.').is_some_and(|(label, rest)| {
            label != "*" && !label.is_empty() && rest.eq_ignore_ascii_case(suffix)
        }),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

fn begins(pattern: &str, uri: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => uri.starts_with(prefix),
        None => uri == pattern,
    }
}

/// The id of an X509-SVID; `None` if it is none.
pub(super) fn spiffe_id<'a>(certificate: &'a EndEntityCert<'_>) -> Option<&'a str> {
    let mut uris = certificate.valid_uri_names();
    let id = uris.next().filter(|_| uris.next().is_none())?;
    is_spiffe_id(id).then_some(id)
}

/// SPIFFE-ID §2: no dot segments, no escapes, nothing that two readers could see differently.
fn is_spiffe_id(id: &str) -> bool {
    let Some(rest) = id.strip_prefix("spiffe://") else { return false };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let mut parts = rest.split('/');
    let domain = parts.next().unwrap_or_default();
    let domain_is_valid = !domain.is_empty()
        && domain.bytes().all(|byte| allowed(byte) && !byte.is_ascii_uppercase());
    domain_is_valid
        && parts.all(|part| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(allowed)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_label() {
        for (pattern, name, expect) in [
            ("a.test", "A.test", true),
            ("a.test", "b.test", false),
            ("*.test", "a.test", true),
            ("*.test", "a.b.test", false),
            ("*.test", "test", false),
            ("*.test", "*.test", false),
        ] {
            assert_eq!(is_dns(pattern, name), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn spiffe_ids_have_one_reading() {
        for (id, expect) in [
            ("spiffe://a.test/ns/one", true),
            ("spiffe://a.test", true),
            ("spiffe://a.test/", false),
            ("spiffe://a.test/ns/../two", false),
            ("spiffe://a.test/./two", false),
            ("spiffe://a.test//two", false),
            ("spiffe://a.test/n%2e", false),
            ("spiffe://A.test/ns", false),
            ("spiffe:///ns", false),
            ("spiffe://a.test/a?b", false),
            ("https://a.test/a", false),
        ] {
            assert_eq!(is_spiffe_id(id), expect, "{id}");
        }
    }

    #[test]
    fn a_star_at_the_end_stands_for_anything() {
        assert!(begins("spiffe://a.test/*", "spiffe://a.test/ns/one"));
        assert!(!begins("spiffe://a.test/*", "spiffe://a.test.evil/ns"));
        assert!(!begins("spiffe://a.test/one", "spiffe://a.test/one/two"));
    }
}
