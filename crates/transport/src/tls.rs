//! TLS configurations: certificates, versions, ALPN, session tickets, trust anchors.
//!
//! The cryptography is aws-lc-rs, named explicitly: nothing process-wide is installed or read.
//! Errors name the fault and what to do, and never show key material. Drives no connection: that is
//! [`crate::Channel`]'s part.

mod anchors;
mod certificate;
mod challenge;
mod client;
mod client_auth;
mod error;
mod expiry;
mod failure;
mod identity;
mod key_log;
mod look;
mod names;
mod policy;
mod resolver;
mod server;
mod staple;
mod ticket;
mod tickets;

pub use certificate::{Certificate, CertificatePem};
pub use challenge::{ACME_TLS_ALPN, AlpnChallenges};
pub use client::{ClientTls, ClientTlsOptions};
pub use client_auth::{ClientAuth, ClientAuthOptions};
pub use error::{CertificateError, StapleError, TlsError};
pub use expiry::{CertificateExpiry, Expired};
pub(crate) use failure::reason;
pub use identity::PeerIdentity;
pub use key_log::KeyLogFile;
pub use look::ShownCertificate;
pub use names::NameMatch;
pub use policy::{TlsPolicy, TlsVersion};
pub use server::{ServerTls, ServerTlsOptions};
pub use staple::Staple;
pub use ticket::Ticketer;

#[cfg(test)]
pub(crate) mod tests;
