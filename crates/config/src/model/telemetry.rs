//! What the gateway tells: the admin server and the access log.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The admin server: `/metrics`, `/livez`, `/readyz`.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Address; loopback unless said otherwise.
    pub address: SocketAddr,
    /// Clusters that must have an available endpoint for `/readyz` to say that the gateway is ready.
    /// Default none.
    pub readiness_clusters: Vec<String>,
}

/// JSON access log, one line per exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}
