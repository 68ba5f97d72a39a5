//! A hash that is the same in every worker, process and version, so that they all send a key to the
//! same endpoint. Not keyed: who chooses keys can choose an endpoint, as with every gateway that
//! hashes what clients send.

use bulkhead_message::Address;

use crate::random::{STEP, mix};

/// FNV-1a over the bytes (Fowler, Noll, Vo: offset basis and prime for 64 bits), then mixed, because
/// FNV alone leaves the high bits of short keys alike. One multiplication per byte.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

/// The `step`-th of a row of independent hashes that `hash` begins.
pub(super) const fn nth(hash: u64, step: u64) -> u64 {
    mix(hash.wrapping_add(step.wrapping_mul(STEP)))
}

/// Hash of an endpoint: of its address and port, not of its place in a list.
pub(super) fn of_address(address: &Address) -> u64 {
    let address = match address {
        Address::Inet(address) => address,
        Address::Unix(name) => return stable_hash(name.to_string().as_bytes()),
    };
    let mut bytes = [0; 18];
    let ip = match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        std::net::IpAddr::V6(ip) => ip,
    };
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&address.port().to_be_bytes());
    stable_hash(&bytes)
}
