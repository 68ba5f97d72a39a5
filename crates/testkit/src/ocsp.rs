//! OCSP responses (RFC 6960) as a responder gives them, but for the signature: that is for clients to
//! check, and those of tests do not.

use std::time::{Duration, UNIX_EPOCH};

use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{BitString, Null, ObjectIdentifier, OctetString};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspResponse, ResponderId,
    ResponseData, RevokedInfo, SingleResponse, Version,
};

use crate::Leaf;

/// SHA-1, by which issuers are named in OCSP.
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// `ecdsa-with-SHA256`.
const ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// What a responder says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is good.
    Good,
    /// It is revoked.
    Revoked,
    /// Its issuer does not know it.
    Unknown,
}

impl Leaf {
    /// A response in DER that says so of this certificate, good from and until these seconds since
    /// 1970.
    ///
    /// # Panics
    /// If a time cannot be written.
    pub fn ocsp_response(&self, standing: Standing, from: u64, until: u64) -> Vec<u8> {
        let single = SingleResponse {
            cert_id: CertId {
                hash_algorithm: AlgorithmIdentifierOwned { oid: SHA_1, parameters: None },
                issuer_name_hash: OctetString::new([1; 20]).expect("20 bytes"),
                issuer_key_hash: OctetString::new([2; 20]).expect("20 bytes"),
                serial_number: SerialNumber::new(&self.serial).expect("a serial number"),
            },
            cert_status: match standing {
                Standing::Good => CertStatus::good(),
                Standing::Revoked => CertStatus::revoked(RevokedInfo {
                    revocation_time: time(from),
                    revocation_reason: None,
                }),
                Standing::Unknown => CertStatus::Unknown(Null),
            },
            this_update: time(from),
            next_update: Some(time(until)),
            single_extensions: None,
        };
        let basic = BasicOcspResponse {
            tbs_response_data: ResponseData {
                version: Version::V1,
                responder_id: ResponderId::ByKey(OctetString::new([2; 20]).expect("20 bytes")),
                produced_at: time(from),
                responses: vec![single],
                response_extensions: None,
            },
            signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA, parameters: None },
            signature: BitString::from_bytes(&[0; 64]).expect("64 bytes"),
            certs: None,
        };
        let response = OcspResponse::successful(basic).expect("it can be written");
        response.to_der().expect("it can be written")
    }
}

fn time(seconds: u64) -> OcspGeneralizedTime {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    time.try_into().expect("a time before the year 10000")
}
