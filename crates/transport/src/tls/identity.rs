//! Who a verified peer is, as its certificate says, and the field that tells it to upstreams.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_cert::der::Decode;

use super::names::spiffe_id;

/// Bytes of the subject's text; a longer one is left out.
const SUBJECT_BYTES_MAX: usize = 1024;
/// Bytes of the whole field; names for which there is no room are left out.
const FIELD_BYTES_MAX: usize = 4096;

/// Facts of a client's certificate, which was verified before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Subject (RFC 4514), printable ASCII; empty if it has none, or a very long one.
    pub subject: String,
    /// SHA-256 of the certificate in DER, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// SPIFFE id, if the certificate is an X509-SVID.
    pub spiffe_id: Option<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// Value of `x-forwarded-client-cert` as Envoy writes it: `Hash=…;Subject="…";URI=…;DNS=…`.
    pub forwarded: String,
}

impl PeerIdentity {
    /// Reads a certificate. What cannot be read is left out.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut identity = Self {
            subject: subject(certificate),
            fingerprint: hex(digest::digest(&digest::SHA256, certificate).as_ref()),
            ..Self::default()
        };
        if let Ok(names) = EndEntityCert::try_from(certificate) {
            identity.spiffe_id = spiffe_id(&names).map(str::to_owned);
            identity.dns_names = names.valid_dns_names().map(str::to_owned).collect();
            identity.uris = names.valid_uri_names().map(str::to_owned).collect();
        }
        identity.forwarded = identity.field();
        identity
    }

    fn field(&self) -> String {
        let mut field = format!("Hash={}", self.fingerprint);
        if !self.subject.is_empty() {
            field.push_str(";Subject=");
            push_quoted(&mut field, &self.subject);
        }
        let uris = self.uris.iter().map(|uri| (";URI=", uri));
        let names = self.dns_names.iter().map(|name| (";DNS=", name));
        for (key, value) in uris.chain(names) {
            if field.len() + key.len() + 2 * value.len() + 2 > FIELD_BYTES_MAX {
                continue;
            }
            field.push_str(key);
            // What stands for itself needs no quotes.
            if value.bytes().all(|byte| byte.is_ascii_graphic() && !b",;=\"\\".contains(&byte)) {
                field.push_str(value);
            } else {
                push_quoted(&mut field, &printable(value));
            }
        }
        field
    }
}

fn subject(certificate: &CertificateDer<'_>) -> String {
    let parsed = x509_cert::Certificate::from_der(certificate);
    let text = parsed.map(|it| printable(&it.tbs_certificate.subject.to_string()));
    text.ok().filter(|text| text.len() <= SUBJECT_BYTES_MAX).unwrap_or_default()
}

/// Escapes what is not printable ASCII as RFC 4514 §2.4 does: a subject may hold line feeds.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x20..=0x7e).contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\{byte:02X}");
        }
    }
    out
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if character == '"' {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_place() {
        let identity = PeerIdentity {
            subject: printable("CN=a\"b,O=x\r\ny: z"),
            fingerprint: "00ff".to_owned(),
            uris: vec!["spiffe://a.test/one".to_owned(), "urn:a;DNS=evil,Hash=\"1".to_owned()],
            dns_names: vec!["a.test".to_owned()],
            ..PeerIdentity::default()
        };
        assert_eq!(
            identity.field(),
            "Hash=00ff;Subject=\"CN=a\\\"b,O=x\\0D\\0Ay: z\";URI=spiffe://a.test/one;\
             URI=\"urn:a;DNS=evil,Hash=\\\"1\";DNS=a.test"
        );
    }

    #[test]
    fn the_field_is_bounded() {
        let dns_names = vec!["a".repeat(250); 1000];
        let identity = PeerIdentity { dns_names, ..PeerIdentity::default() };
        assert!(identity.field().len() <= FIELD_BYTES_MAX);
    }
}
