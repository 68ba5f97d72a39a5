//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

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
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names are DNS names or addresses");
        params.distinguished_name.push(DnType::CommonName, "bulkhead test leaf");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("random numbers are there");
        let leaf = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        Leaf {
            chain_pem: format!("{}{}", leaf.pem(), self.issuer.pem()),
            key_pem: key.serialize_pem(),
        }
    }
}

#[cfg(test)]
mod tests;
