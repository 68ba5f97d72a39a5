//! What is left of a finished exchange: made exactly once, also on failure and client abort.

use std::net::IpAddr;
use std::time::Duration;

use crate::{FailureKind, Side, Version};

mod relay;

pub use relay::RelayRecord;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response was handed to the client's connection.
    Complete,
    /// It ended otherwise.
    Failed {
        /// What happened.
        kind: FailureKind,
        /// Whose side it was on.
        side: Side,
    },
}

/// An exchange that became a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelRecord {
    /// `websocket`, `connect` or `other`.
    pub protocol: &'static str,
    /// From first byte of the request head decoded to both sides' agreement.
    pub handshake: Duration,
}

/// Facts of one finished exchange, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeRecord<'a> {
    /// Client address.
    pub client: Option<IpAddr>,
    /// Method token.
    pub method: &'a [u8],
    /// Authority.
    pub authority: &'a [u8],
    /// Path with query; the log redacts the query.
    pub target: &'a [u8],
    /// Version downstream.
    pub version: Version,
    /// Route name; empty if none matched.
    pub route: &'a str,
    /// Cluster name; empty if none was chosen.
    pub cluster: &'a str,
    /// Endpoint address of the last attempt; empty if none was made.
    pub endpoint: &'a str,
    /// Status sent; 0 if none was.
    pub status: u16,
    /// gRPC status: `None` if not gRPC or not known.
    pub grpc_status: Option<u8>,
    /// Set if it became a tunnel, whose bytes then count as those of the bodies.
    pub tunnel: Option<TunnelRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts made at endpoints.
    pub attempts: u32,
    /// Request body bytes received.
    pub request_bytes: u64,
    /// Response body bytes sent.
    pub response_bytes: u64,
    /// From first byte of the request head decoded to the end.
    pub duration: Duration,
    /// Revision of the configuration that served it.
    pub revision: u64,
    /// Id for correlation, if the request carries `x-request-id`.
    pub request_id: Option<&'a [u8]>,
    /// What was injected into it first, if anything was.
    pub fault: Option<&'static str>,
    /// `experiment` or `control`, if it is one of two groups that are compared.
    pub fault_group: Option<&'static str>,
    /// Facts of the client's TLS session, if they are to be told.
    pub tls: Option<TlsRecord<'a>>,
}

/// Facts of a client's TLS session. Texts are empty where there is nothing to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsRecord<'a> {
    /// `1.2` or `1.3`.
    pub version: &'a str,
    /// Cipher suite.
    pub cipher: &'a str,
    /// Name that the client asked for.
    pub server_name: &'a str,
    /// Subject of the client's certificate.
    pub client_subject: &'a str,
    /// Its SPIFFE id.
    pub client_spiffe_id: &'a str,
    /// Its SHA-256, in hexadecimal digits.
    pub client_fingerprint: &'a str,
}
