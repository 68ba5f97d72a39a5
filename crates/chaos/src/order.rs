//! One fault for one target: what an injector is told to do.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ChaosId, Fault, InterfaceTarget};

/// How long a fault lives where nothing else is said.
pub const TIME_TO_LIVE_DEFAULT: Duration = Duration::from_secs(60);
/// Longest life of a fault.
pub const TIME_TO_LIVE_MAX: Duration = Duration::from_secs(15 * 60);

/// What an injector is told to do. It holds everything that taking the fault back needs to know,
/// also in a process that did not inject it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Name and idempotency key.
    pub id: ChaosId,
    /// What is to be broken.
    pub fault: Fault,
    /// Where.
    pub target: Target,
    /// Everything random is drawn from it.
    pub seed: u64,
    /// When it ends by itself, in milliseconds since 1970. Held by the kernel or the target where
    /// that is possible, so that it holds without us.
    pub expires_unix_ms: u64,
}

/// A single thing that a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// A gateway, by the address of its admin server.
    Gateway {
        /// Admin server.
        admin: SocketAddr,
    },
    /// A process. The start time tells it from a later one with the same number.
    Process {
        /// Its number.
        pid: u32,
        /// Field 22 of `/proc/PID/stat`, in clock ticks since boot.
        start_time: u64,
    },
    /// A link that the lab holds, by name.
    Link {
        /// The name.
        name: String,
    },
    /// A network interface that exists already.
    Interface(InterfaceTarget),
    /// The machine that the lab runs on.
    Host,
}

impl Target {
    /// Whether what is listed so is the same thing as another, however much of it is to be struck.
    pub(crate) fn stands_for(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Interface(listed), Self::Interface(other)) => listed.stands_for(other),
            _ => self == other,
        }
    }

    /// Whether both are the same thing, however much of it is struck.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Interface(one), Self::Interface(other)) => {
                one.name == other.name && one.namespace == other.namespace
            }
            _ => self == other,
        }
    }
}
