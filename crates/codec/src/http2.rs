//! HTTP/2 (RFC 9113) with HPACK (RFC 7541), server and client side.

mod connection;
mod counters;
mod flood;
mod frame;
mod head;
mod hpack;
mod settings;
mod streams;

pub use connection::Connection;
pub use counters::Counters;
pub use settings::Settings;

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
