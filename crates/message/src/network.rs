//! Networks: IP addresses that begin with the same bits (RFC 4632 §3.1, RFC 4291 §2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network. IPv4 addresses that are mapped into IPv6 (RFC 4291 §2.5.5.2) count as IPv4.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// There is no address before the slash, or in the whole text.
    #[error("this is not an IP address")]
    Address,
    /// What follows the slash is no number.
    #[error("the length of the prefix is not a number")]
    Prefix,
    /// The prefix has more bits than the address, which has so many.
    #[error("the prefix of this address has at most {0} bits")]
    TooLong(u8),
    /// The address has bits behind the prefix, so that it is not the first one of this network.
    #[error("the network begins with another address: {0}")]
    NotFirst(Network),
}

impl Network {
    /// The network of an address and of `prefix` bits, at most 32 or 128.
    fn of(address: IpAddr, prefix: u8) -> Self {
        match (address.to_canonical(), prefix.checked_sub(96)) {
            (IpAddr::V4(mapped), Some(prefix)) if address.is_ipv6() => {
                Self { first: masked(mapped.into(), prefix), prefix }
            }
            _ => Self { first: masked(address, prefix), prefix },
        }
    }

    /// Whether an address is in it. One of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == self.first
    }
}

/// An address without the bits behind the prefix.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address, which is a network of its own.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, digits) = match text.split_once('/') {
            Some((address, digits)) => (address, Some(digits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let Some(digits) = digits else { return Ok(Self::of(address, width)) };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NetworkError::Prefix);
        }
        let prefix = digits.parse().ok().filter(|prefix| *prefix <= width);
        let network = Self::of(address, prefix.ok_or(NetworkError::TooLong(width))?);
        let is_first = [address, address.to_canonical()].contains(&network.first);
        if is_first { Ok(network) } else { Err(NetworkError::NotFirst(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.0.0.1", "11.0.0.0"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("127.0.0.0/8", "127.1.2.3", "128.0.0.0"),
            ("192.168.1.128/25", "192.168.1.200", "192.168.1.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{inside} in {network}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside} in {network}");
        }
    }

    #[track_caller]
    fn check(text: &str, expect: Result<&str, NetworkError>) {
        let read = text.parse::<Network>();
        assert_eq!(read.map(|network| network.to_string()), expect.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_network_is_written_by_its_first_address() {
        check("10.0.0.0/8", Ok("10.0.0.0/8"));
        check("::1", Ok("::1/128"));
        check("::ffff:10.0.0.0/104", Ok("10.0.0.0/8"));
        check("::ffff:0:0/95", Err(NetworkError::NotFirst("::fffe:0:0/95".parse().unwrap())));
        check("10.0.0.1/8", Err(NetworkError::NotFirst("10.0.0.0/8".parse().unwrap())));
        for (text, error) in [
            ("10.0.0.0/33", NetworkError::TooLong(32)),
            ("10.0.0.0/264", NetworkError::TooLong(32)),
            ("::/129", NetworkError::TooLong(128)),
            ("10.0.0.0/", NetworkError::Prefix),
            ("::/+1", NetworkError::Prefix),
            ("10/8", NetworkError::Address),
            ("a", NetworkError::Address),
            ("", NetworkError::Address),
        ] {
            check(text, Err(error));
        }
    }
}
