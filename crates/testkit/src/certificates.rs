//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber,
};
use time::OffsetDateTime;

/// A self-signed authority (ECDSA P-256).
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate that an [`Authority`] issued, with its key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The chain in PEM: the leaf, then the authority.
    pub chain_pem: String,
    /// The private key in PEM (PKCS#8).
    pub key_pem: String,
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    /// If the system gives no random numbers.
    #[allow(clippy::new_without_default, reason = "a key pair is not a default value")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "bulkhead test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("random numbers are there");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the parameters are valid");
        Self { issuer }
    }

    /// Its certificate in PEM: what clients trust.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate in DER.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// Issues a certificate for DNS names and IP addresses, for servers and clients.
    ///
    /// # Panics
    /// If a name is neither.
    pub fn issue(&self, names: &[&str]) -> Leaf {
        self.sign(parameters(names))
    }

    /// As [`Self::issue`], good until `end` in seconds since 1970.
    pub fn issue_until(&self, names: &[&str], end: u64) -> Leaf {
        let mut params = parameters(names);
        params.not_after = (std::time::UNIX_EPOCH + std::time::Duration::from_secs(end)).into();
        self.sign(params)
    }

    /// A client's certificate with these URIs as its names.
    ///
    /// # Panics
    /// If a URI is not ASCII.
    pub fn issue_for_uris(&self, uris: &[&str]) -> Leaf {
        let mut params = parameters(&[]);
        let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("URIs are ASCII"));
        params.subject_alt_names = uris.iter().map(uri).collect();
        self.sign(params)
    }

    /// So many certificates with one key, for `0.many.test`, `1.many.test`, ….
    pub fn issue_many(&self, count: usize) -> impl Iterator<Item = Leaf> {
        let key = KeyPair::generate().expect("random numbers are there");
        let key_pem = key.serialize_pem();
        (0..count).map(move |number| {
            let params = parameters(&[&format!("{number}.many.test")]);
            let leaf = params.signed_by(&key, &self.issuer).expect("the authority can sign");
            Leaf { chain_pem: leaf.pem(), key_pem: key_pem.clone(), serial: Vec::new() }
        })
    }

    /// A revocation list in PEM that names these certificates.
    ///
    /// # Panics
    /// If one is not a certificate.
    pub fn revoke(&self, leaves: &[&Leaf]) -> String {
        let now = OffsetDateTime::now_utc();
        let revoked = |leaf: &&Leaf| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&leaf.serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now - time::Duration::hours(1),
            next_update: now + time::Duration::days(7),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("the authority can sign").pem().expect("it is DER")
    }

    fn sign(&self, mut params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().expect("random numbers are there");
        // Below the sign bit, so that DER has no byte more.
        let serial: Vec<u8> =
            key.public_key_raw().iter().skip(1).take(16).map(|b| b >> 1 | 1).collect();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let leaf = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        Leaf {
            chain_pem: format!("{}{}", leaf.pem(), self.issuer.pem()),
            key_pem: key.serialize_pem(),
            serial,
        }
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names are DNS names or addresses");
    params.distinguished_name.push(DnType::CommonName, "bulkhead test leaf");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

#[cfg(test)]
mod tests;
