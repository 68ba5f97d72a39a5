//! What the API refuses: a message and a status, as Toxiproxy's clients read them.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) message: String,
    pub(super) status: u16,
}

impl ApiError {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { message: message.into(), status }
    }

    pub(super) fn bad_body(reason: impl std::fmt::Display) -> Self {
        Self::new(400, format!("bad request body: {reason}"))
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::new(400, format!("missing required field: {field}"))
    }

    pub(super) fn proxy_not_found() -> Self {
        Self::new(404, "proxy not found")
    }

    pub(super) fn proxy_exists() -> Self {
        Self::new(409, "proxy already exists")
    }

    pub(super) fn toxic_not_found() -> Self {
        Self::new(404, "toxic not found")
    }

    pub(super) fn toxic_exists() -> Self {
        Self::new(409, "toxic already exists")
    }

    pub(super) fn bad_stream() -> Self {
        Self::new(400, "stream was invalid, can be either upstream or downstream")
    }

    pub(super) fn bad_toxic(reason: &str) -> Self {
        Self::new(400, format!("invalid toxic type{reason}"))
    }

    pub(super) fn bad_toxicity() -> Self {
        Self::new(400, "toxicity must be a share of the connections, 0 to 1")
    }

    pub(super) fn too_many(what: &str, limit: usize) -> Self {
        Self::new(429, format!("there may be {limit} {what} at most"))
    }

    /// An address that cannot be listened on.
    pub(super) fn listen(address: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(500, format!("listen tcp {address}: {reason}"))
    }

    /// What is the gateway's is not made, changed or deleted here.
    pub(super) fn not_ours(name: &str) -> Self {
        Self::new(
            403,
            format!("{name} is a listener of the gateway: its configuration makes and changes it"),
        )
    }

    /// A toxic that a gateway has no fault for. `reason`: what it has.
    pub(super) fn no_equivalent(reason: &str) -> Self {
        Self::new(400, format!("a gateway has {reason}"))
    }

    pub(super) fn refused_by_gateway(reason: &str) -> Self {
        Self::new(400, format!("the gateway refuses it: {reason}"))
    }

    pub(super) fn too_many_rules(reason: &str) -> Self {
        Self::new(429, format!("the gateway refuses it: {reason}"))
    }

    /// It does not answer, or not as one.
    pub(super) fn gateway(admin: SocketAddr, reason: &str) -> Self {
        Self::new(502, format!("the gateway at {admin}: {reason}"))
    }

    pub(super) fn ending() -> Self {
        Self::new(503, "the server is ending")
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "error": self.message, "status": self.status })
    }
}
