//! Which targets an agent sends load to: everything, or only what its owner has named.

use std::net::{IpAddr, ToSocketAddrs};

/// Networks and hosts that may be targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedTargets(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Addresses that begin with so many bits.
    Network { address: IpAddr, bits: u32 },
    /// Its addresses, looked up when a target is judged.
    Host(String),
}

impl AllowedTargets {
    /// Reads `10.0.0.0/8`, `::1`, or `host.example` each. An empty list allows everything.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| Rule::parse(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address may be a target. Looks names up.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allows_with(address, |host| {
            let addresses = (host, 0).to_socket_addrs();
            addresses.map(|all| all.map(|one| one.ip()).collect()).unwrap_or_default()
        })
    }

    fn allows_with(&self, address: IpAddr, resolve: impl Fn(&str) -> Vec<IpAddr>) -> bool {
        let address = address.to_canonical();
        self.0.is_empty()
            || self.0.iter().any(|rule| match rule {
                Rule::Network { address: network, bits } => begins_with(address, *network, *bits),
                Rule::Host(host) => {
                    resolve(host).iter().any(|known| known.to_canonical() == address)
                }
            })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no target: expected `10.0.0.0/8`, `192.0.2.7` or `host.example`")
        };
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| expected())?;
            let bits = bits.parse().map_err(|_| expected())?;
            if bits > width(address) {
                return Err(expected());
            }
            return Ok(Self::Network { address, bits });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Ok(Self::Network { address, bits: width(address) });
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if text.is_empty() || !text.bytes().all(named) {
            return Err(expected());
        }
        Ok(Self::Host(text.to_owned()))
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn begins_with(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let differing = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= bits
}

#[cfg(test)]
mod tests;
