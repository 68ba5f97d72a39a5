//! An OCSP response that is stapled to a certificate (RFC 6960, RFC 6066 §8). Its signature is for
//! the client to check; what is checked here is that stapling it does no harm.

use std::time::Duration;

use x509_cert::der::Decode;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus};

use super::certificate::Certificate;
use super::error::StapleError;

/// How long a response without a time of the next is good (RFC 6960 §4.2.2.1 leaves it open).
const VALIDITY_WITHOUT_NEXT: Duration = Duration::from_secs(24 * 3600);

/// A response that says that its certificate is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    der: Vec<u8>,
    good_until: u64,
}

impl Staple {
    /// Reads a response for `certificate`, at `now` in seconds since 1970.
    ///
    /// # Errors
    /// It is damaged, for another certificate, too old or too young, or does not say "good".
    pub fn parse(der: &[u8], certificate: &Certificate, now: u64) -> Result<Self, StapleError> {
        let malformed = |cause: x509_cert::der::Error| StapleError::Malformed(cause.to_string());
        let response = OcspResponse::from_der(der).map_err(malformed)?;
        if response.response_status != OcspResponseStatus::Successful {
            let status = format!("{:?}", response.response_status);
            return Err(StapleError::Unsuccessful(status));
        }
        let bytes = response
            .response_bytes
            .ok_or_else(|| StapleError::Malformed("it has no response bytes".to_owned()))?;
        let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).map_err(malformed)?;
        let own = x509_cert::Certificate::from_der(certificate.der()).map_err(malformed)?;
        let serial = &own.tbs_certificate.serial_number;
        let single = basic
            .tbs_response_data
            .responses
            .iter()
            .find(|single| single.cert_id.serial_number == *serial)
            .ok_or(StapleError::OtherCertificate)?;
        match single.cert_status {
            CertStatus::Good(_) => {}
            CertStatus::Revoked(_) => return Err(StapleError::NotGood("revoked")),
            CertStatus::Unknown(_) => return Err(StapleError::NotGood("unknown to its issuer")),
        }
        let from = single.this_update.0.to_unix_duration();
        let until = single
            .next_update
            .as_ref()
            .map_or(from + VALIDITY_WITHOUT_NEXT, |next| next.0.to_unix_duration());
        if now < from.as_secs() {
            return Err(StapleError::NotFresh("not valid yet"));
        }
        if now >= until.as_secs() {
            return Err(StapleError::NotFresh("out of date"));
        }
        Ok(Self { der: der.to_vec(), good_until: until.as_secs() })
    }

    /// The response as it was given.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// When it is to be stapled no more, in seconds since 1970.
    pub const fn good_until(&self) -> u64 {
        self.good_until
    }
}
