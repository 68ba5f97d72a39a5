//! What tests of several crates need: certificates, OCSP responses, signed tokens, golden files, a raw client,
//! laws of chance.
//!
//! For `[dev-dependencies]` only: everything here panics instead of returning an error, so that a
//! test fails where it went wrong.
#![allow(clippy::panic, reason = "a test helper reports by panicking")]

mod certificates;
mod distribution;
mod golden;
mod keys;
mod ocsp;
mod raw_client;
mod scratch;

pub use certificates::{Authority, Leaf};
pub use distribution::{largest_distance, normal_within_three, pareto_within_twenty};
pub use golden::check_golden;
pub use keys::SigningKey;
pub use ocsp::Standing;
pub use raw_client::{RAW_BYTES_MAX, RawClient};
pub use scratch::Scratch;
