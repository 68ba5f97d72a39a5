//! Which targets an agent sends load to: everything, or only what its owner has named.

use std::net::{IpAddr, ToSocketAddrs};

use bulkhead_message::{Network, NetworkError};

/// Networks and hosts that may be targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedTargets(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Its addresses.
    Network(Network),
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
                Rule::Network(network) => network.contains(address),
                Rule::Host(host) => {
                    resolve(host).iter().any(|known| known.to_canonical() == address)
                }
            })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(network) | Err(NetworkError::NotFirst(network)) = text.parse() {
            return Ok(Self::Network(network));
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if text.is_empty() || !text.bytes().all(named) {
            return Err(format!(
                "`{text}` is no target: expected `10.0.0.0/8`, `192.0.2.7` or `host.example`"
            ));
        }
        Ok(Self::Host(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
