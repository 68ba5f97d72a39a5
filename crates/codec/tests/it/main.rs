//! Both codecs from outside: golden files, round trips, and other implementations as oracle.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod http1;
mod http1_encode;
mod http1_hyper;
mod http1_tunnel;
mod http1_wire;
mod http2;
