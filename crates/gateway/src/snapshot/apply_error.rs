//! Why a configuration cannot be put in force, though its text is right.

use std::path::PathBuf;

use bulkhead_filter::{FilterError, JwtKeyError};
use bulkhead_router::CompileError;
use bulkhead_transport::{CertificateError, StapleError, TlsError};

/// Why a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The gateway drains: what is in force stays so to its end.
    #[error("the gateway is draining")]
    Draining,
    /// A file cannot be read.
    #[error("read {what} `{}`: {source}", path.display())]
    ReadFile {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A secret's environment variable is not set.
    #[error("{what}: environment variable `{name}` is not set")]
    MissingVariable {
        /// What it is for.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// Routes do not compile.
    #[error("compile routes: {0}")]
    Routes(#[from] CompileError),
    /// A filter cannot be built.
    #[error("route `{route}`: {source}")]
    Chain {
        /// Which.
        route: String,
        /// Why.
        source: FilterError,
    },
    /// A token issuer's keys are unusable.
    #[error("jwt provider `{provider}`: {source}")]
    JwtKeys {
        /// Which.
        provider: String,
        /// Why.
        source: JwtKeyError,
    },
    /// A certificate or its key is unusable.
    #[error("certificate `{}` with key `{key}`: {source}", path.display())]
    Certificate {
        /// File of the certificate.
        path: PathBuf,
        /// Where the key comes from.
        key: String,
        /// Why.
        source: CertificateError,
    },
    /// An OCSP response cannot be stapled.
    #[error("OCSP response `{}`: {source}", path.display())]
    Staple {
        /// Which.
        path: PathBuf,
        /// Why.
        source: StapleError,
    },
    /// TLS material is unusable.
    #[error("TLS of {owner}: {source}")]
    Tls {
        /// The listener or cluster.
        owner: String,
        /// Why.
        source: TlsError,
    },
    /// A cluster's TLS name is not one.
    #[error("cluster `{cluster}`: `{name}` is no server name for TLS; set `tls.server_name`")]
    ServerName {
        /// Which.
        cluster: String,
        /// The name.
        name: String,
    },
    /// A listener cannot be opened.
    #[error(transparent)]
    Bind(#[from] bulkhead_transport::BindError),
    /// Something the system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}
