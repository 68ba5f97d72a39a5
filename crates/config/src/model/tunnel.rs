//! Which requests of a route may become tunnels.

/// Token of the WebSocket protocol (RFC 6455), the one that also passes over HTTP/2 (RFC 8441).
pub const WEBSOCKET: &str = "websocket";

/// Which requests of a route may become tunnels: bytes both ways that no filter looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tunnels {
    /// Tokens of `upgrade` that are passed on, in lower case (RFC 9110 §7.8). None by default.
    pub upgrades: Vec<String>,
    /// Whether CONNECT is passed on (RFC 9110 §9.3.6). Off by default.
    pub connect: bool,
}

impl Tunnels {
    /// Whether an upgrade to this protocol is passed on. Case does not matter.
    pub fn allows(&self, protocol: &[u8]) -> bool {
        self.upgrades.iter().any(|token| token.as_bytes().eq_ignore_ascii_case(protocol))
    }
}
