//! Signing keys and the tokens they make.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::Value;

/// A private key that signs JSON Web Tokens (RFC 7519) with one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    signing: EncodingKey,
    private_pem: String,
    public_pem: String,
    jwk: Jwk,
}

impl SigningKey {
    /// RS256 with a new key of 2,048 bits. Takes a tenth of a second.
    pub fn rs256() -> Self {
        Self::rsa(Algorithm::RS256)
    }

    /// PS256 with a new key of 2,048 bits.
    pub fn ps256() -> Self {
        Self::rsa(Algorithm::PS256)
    }

    /// ES256 with a new key.
    pub fn es256() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("P-256 keys can be made");
        Self::of_pair(Algorithm::ES256, &pair, EncodingKey::from_ec_pem, DecodingKey::from_ec_pem)
    }

    /// EdDSA (Ed25519) with a new key.
    pub fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).expect("Ed25519 keys can be made");
        Self::of_pair(Algorithm::EdDSA, &pair, EncodingKey::from_ed_pem, DecodingKey::from_ed_pem)
    }

    /// HS256 with a shared secret. It has no PEM.
    pub fn hs256(secret: &[u8]) -> Self {
        let jwk = Jwk::from_decoding_key(&DecodingKey::from_secret(secret), Some(Algorithm::HS256))
            .expect("a secret has a JWK");
        Self {
            algorithm: Algorithm::HS256,
            signing: EncodingKey::from_secret(secret),
            private_pem: String::new(),
            public_pem: String::new(),
            jwk,
        }
    }

    fn rsa(algorithm: Algorithm) -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
            .expect("RSA keys can be made");
        Self::of_pair(algorithm, &pair, EncodingKey::from_rsa_pem, DecodingKey::from_rsa_pem)
    }

    fn of_pair(
        algorithm: Algorithm,
        pair: &KeyPair,
        private: fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
        public: fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>,
    ) -> Self {
        let (private_pem, public_pem) = (pair.serialize_pem(), pair.public_key_pem());
        let signing = private(private_pem.as_bytes()).expect("the private key is readable");
        let verifying = public(public_pem.as_bytes()).expect("the public key is readable");
        let jwk =
            Jwk::from_decoding_key(&verifying, Some(algorithm)).expect("a public key has a JWK");
        Self { algorithm, signing, private_pem, public_pem, jwk }
    }

    /// The private key in PEM (PKCS#8).
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// The public key in PEM (SubjectPublicKeyInfo).
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// A signed token with `claims`, without key id.
    ///
    /// # Panics
    /// If the claims are not an object.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(Header::new(self.algorithm), claims)
    }

    /// A signed token whose header names the key `kid`.
    pub fn token_with_kid(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(self.algorithm) };
        self.token_with(header, claims)
    }

    fn token_with(&self, header: Header, claims: &Value) -> String {
        assert!(claims.is_object(), "claims are an object");
        jsonwebtoken::encode(&header, claims, &self.signing).expect("the key signs")
    }

    /// The public key as a member of a JWKS document, with `kid` as its id.
    pub fn jwk(&self, kid: &str) -> Jwk {
        let mut jwk = self.jwk.clone();
        jwk.common.key_id = Some(kid.to_owned());
        jwk
    }

    /// A JWKS document (RFC 7517 §5) with this key alone.
    pub fn jwks(&self, kid: &str) -> String {
        let set = JwkSet { keys: vec![self.jwk(kid)] };
        serde_json::to_string(&set).expect("a key set is JSON")
    }
}

#[cfg(test)]
mod tests;
