//! Why TLS material cannot be used. Says what to do, and never shows key material.

/// A certificate with its key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The chain has no certificate in it.
    #[error(
        "no certificate found in its PEM text; it must have a `-----BEGIN CERTIFICATE-----` \
         section, the server's own first, then the intermediate ones"
    )]
    EmptyChain,
    /// The PEM text of the chain is damaged.
    #[error("the PEM text of the chain is damaged: {0}")]
    DamagedChain(String),
    /// No private key in the text.
    #[error(
        "no private key found; the key's PEM text must have a `PRIVATE KEY`, `RSA PRIVATE KEY` or \
         `EC PRIVATE KEY` section"
    )]
    NoKey,
    /// The private key is encrypted.
    #[error(
        "the private key is encrypted with a pass phrase; decrypt it with `openssl pkey -in KEY \
         -out KEY.plain` and keep it readable by the gateway only"
    )]
    EncryptedKey,
    /// The private key cannot be read or its kind is not supported.
    #[error(
        "the private key cannot be used; it must be RSA of 2048 to 8192 bits, ECDSA on P-256, \
         P-384 or P-521, or Ed25519"
    )]
    UnusableKey,
    /// Key and certificate do not belong together.
    #[error(
        "the private key does not match the certificate; check that the two files belong together \
         and that the server's own certificate comes first in the chain"
    )]
    KeyMismatch,
    /// The first certificate of the chain is not a valid X.509 version 3 certificate.
    #[error("not a valid X.509 certificate: {0}")]
    InvalidCertificate(String),
}

/// An OCSP response cannot be stapled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StapleError {
    /// It is no OCSP response in DER (RFC 6960 §4.2).
    #[error("not an OCSP response in DER: {0}")]
    Malformed(String),
    /// The responder answered with an error.
    #[error("the OCSP responder answered with an error: {0}")]
    Unsuccessful(String),
    /// It speaks of other certificates.
    #[error("the OCSP response is for another certificate")]
    OtherCertificate,
    /// The certificate is revoked, or its issuer does not know it.
    #[error("the OCSP response says that the certificate is {0}")]
    NotGood(&'static str),
    /// Its time is over, or has not come.
    #[error("the OCSP response is {0}: fetch a new one from the issuer")]
    NotFresh(&'static str),
}

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No certificate was given at all.
    #[error("TLS needs at least one certificate")]
    NoCertificates,
    /// A certificate cannot be used.
    #[error("certificate {number}: {source}")]
    Certificate {
        /// Which, from 1, in the order given.
        number: usize,
        /// Why.
        source: CertificateError,
    },
    /// The text with the trust anchors has no usable certificate.
    #[error(
        "the trust anchors' PEM text is unusable: {reason}; it must have `CERTIFICATE` sections"
    )]
    TrustAnchors {
        /// What is wrong.
        reason: String,
    },
    /// The revocation list cannot be used.
    #[error(
        "the revocation list's PEM text is unusable: {reason}; it must have `X509 CRL` sections"
    )]
    RevocationList {
        /// What is wrong.
        reason: String,
    },
    /// A file with a session ticket key has the wrong length.
    #[error(
        "a session ticket key has {bytes} bytes; it must have 80 (or 48): make one with \
         `openssl rand 80`"
    )]
    TicketKey {
        /// Its length.
        bytes: usize,
    },
    /// The system gives no random numbers, or the library refuses its own defaults.
    #[error("set up TLS")]
    Setup(#[source] rustls::Error),
}
