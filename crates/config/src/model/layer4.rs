//! What is passed on as bytes: raw TCP, TLS by its server name, and the PROXY protocol.

use std::net::IpAddr;
use std::time::Duration;

use super::Backend;

/// Where connections of layer 4 go.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayRoute {
    /// Unique name.
    pub name: String,
    /// Names of the listeners whose connections it takes. Never empty.
    pub listeners: Vec<String>,
    /// Server names, exact or `*.suffix`; empty: any. Always empty in a TCP route.
    pub hostnames: Vec<String>,
    /// Clusters by weight. Never empty.
    pub backends: Vec<Backend>,
    /// No byte in either direction. Default 1 h.
    pub idle_timeout: Duration,
    /// Endpoints that are tried at most. Default 3.
    pub connect_attempts: u32,
}

/// What a listener takes its connections for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP, terminated here.
    #[default]
    Http,
    /// Bytes, of which nothing is known.
    Tcp,
    /// TLS that is passed on by its server name.
    Tls,
}

/// PROXY protocol in front of what clients say.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyProtocol {
    /// Connections without it are closed.
    pub required: bool,
    /// Networks whose word is taken. Empty for a Unix socket alone.
    pub trusted_sources: Vec<Cidr>,
}

/// Version of the PROXY protocol that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocolVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A network: an address, and how many of its bits count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, or an address alone. Bits beyond those that count must be 0.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let plain = |bits: &&str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            Some(bits) => Some(bits).filter(plain)?.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        let network = Self { address, bits };
        (network.masked(address) == Self::number(address)).then_some(network)
    }

    /// Whether the address lies in the network. One that is IPv4 mapped into IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && self.masked(address) == Self::number(self.address)
    }

    fn number(address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
            IpAddr::V6(address) => address.into(),
        }
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
        Self::number(address) & mask
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl std::fmt::Debug for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
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
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let network = Cidr::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{inside} in {network}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside} in {network}");
        }
        for wrong in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10/8", "a", "::/+1"] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }
}
