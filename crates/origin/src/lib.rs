//! A small, fast, predictable upstream server: what tests, benchmarks and `bulkhead prove` put behind
//! the gateway.
//!
//! HTTP/1.1 (with WebSocket) and HTTP/2 (with prior knowledge) share one port; the first bytes tell
//! them apart. Every
//! answer is a pure function of its request, so that a client can check each byte of it ([`feed`]).
//! Never a general server: no files, no configuration, no persistence.

pub mod feed;

mod answer;
mod connection;
mod grpc;
mod reflection;
mod server;
mod session;
mod stats;
mod websocket;

pub use server::{Origin, OriginError, OriginOptions};
pub use stats::{Endpoint, OriginStats};
