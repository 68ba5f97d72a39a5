//! HTTP/2 keep-alive.

use std::time::Duration;

/// A PING when nothing was heard for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepAlive {
    /// Nothing was heard for so long: ask. Default 30 s.
    pub interval: Duration,
    /// No answer for so long: the connection is dead. Default 10 s.
    pub timeout: Duration,
    /// Also while no stream is open. Default: no.
    pub while_idle: bool,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            while_idle: false,
        }
    }
}
