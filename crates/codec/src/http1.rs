//! HTTP/1.1 and HTTP/1.0 (RFC 9112), server and client side.

mod connection;

pub use connection::{Connection, Settings};
