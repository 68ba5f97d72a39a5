//! What the control plane tells the log: changes of state, as values.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Detail.
    Debug,
    /// A change of state.
    Info,
    /// Odd, but survived.
    Warn,
    /// A human must look.
    Error,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The admin server answers.
    AdminListening {
        /// Where.
        address: SocketAddr,
    },
    /// A configuration took effect.
    ConfigApplied {
        /// Its number.
        revision: u64,
        /// Its file.
        path: PathBuf,
        /// What is odd in it.
        warnings: Vec<String>,
    },
    /// A configuration was refused; the one before it stays in force.
    ConfigRejected {
        /// Its file.
        path: PathBuf,
        /// Everything that is wrong, readable as it is.
        reason: String,
    },
    /// Applying a configuration panicked: the file is not watched any more.
    WatchEnded,
    /// A configuration took effect but for this, which is read at start only.
    NeedsRestart {
        /// Key in the configuration.
        key: &'static str,
    },
    /// A name resolves to other addresses than before.
    NameResolved {
        /// A cluster that has the name.
        cluster: String,
        /// The name.
        host: String,
        /// All its addresses.
        addresses: Vec<SocketAddr>,
    },
    /// A name does not resolve any more; the last good addresses stay.
    NameFailed {
        /// The cluster.
        cluster: String,
        /// The name.
        host: String,
        /// Why.
        reason: String,
    },
    /// The pool of workers was resized through the admin server.
    WorkersResized {
        /// How many there were.
        before: usize,
        /// How many there are.
        workers: usize,
    },
    /// Active checks call an endpoint unhealthy.
    EndpointUnhealthy {
        /// Its cluster.
        cluster: String,
        /// Its address.
        endpoint: SocketAddr,
        /// Why the last check did not pass.
        reason: String,
    },
    /// Active checks call an endpoint healthy that was not.
    EndpointHealthy {
        /// Its cluster.
        cluster: String,
        /// Its address.
        endpoint: SocketAddr,
    },
    /// Other endpoints are found than before.
    EndpointsFound {
        /// A cluster that looks there.
        cluster: String,
        /// Where: a name or a file.
        source: String,
        /// How many.
        endpoints: usize,
    },
    /// Endpoints are not found any more, or not understood; the last good ones stay.
    DiscoveryFailed {
        /// The cluster.
        cluster: String,
        /// Where: a name or a file.
        source: String,
        /// Why, readable as it is.
        reason: String,
    },
    /// A worker was killed through the admin server.
    WorkerKilled {
        /// Its index.
        worker: usize,
        /// Connections that its siblings took over.
        connections_moved: u64,
        /// Connections lost.
        connections_lost: u64,
    },
}

impl Event {
    /// How much it matters.
    pub const fn level(&self) -> Level {
        match self {
            Self::AdminListening { .. }
            | Self::ConfigApplied { .. }
            | Self::NameResolved { .. }
            | Self::WorkersResized { .. }
            | Self::EndpointHealthy { .. }
            | Self::EndpointsFound { .. }
            | Self::WorkerKilled { .. } => Level::Info,
            Self::NeedsRestart { .. }
            | Self::NameFailed { .. }
            | Self::DiscoveryFailed { .. }
            | Self::EndpointUnhealthy { .. } => Level::Warn,
            Self::ConfigRejected { .. } | Self::WatchEnded => Level::Error,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminListening { address } => {
                write!(formatter, "admin server listens on http://{address}/")
            }
            Self::ConfigApplied { revision, path, warnings } => {
                write!(
                    formatter,
                    "configuration `{}` applied as revision {revision}",
                    path.display()
                )?;
                for warning in warnings {
                    write!(formatter, "\n{}", warning.trim_end())?;
                }
                Ok(())
            }
            Self::ConfigRejected { path, reason } => write!(
                formatter,
                "configuration `{}` refused, the one before stays in force\n{}",
                path.display(),
                reason.trim_end()
            ),
            Self::WatchEnded => formatter.write_str(
                "a panic while a configuration was applied: the file is not watched any more; \
                 restart the gateway",
            ),
            Self::NeedsRestart { key } => {
                write!(formatter, "`{key}` has changed: restart the gateway for it to take effect")
            }
            Self::NameResolved { cluster, host, addresses } => {
                write!(formatter, "cluster `{cluster}`: name `{host}` now resolves to")?;
                for address in addresses {
                    write!(formatter, " {address}")?;
                }
                Ok(())
            }
            Self::NameFailed { cluster, host, reason } => write!(
                formatter,
                "cluster `{cluster}`: name `{host}` does not resolve, its last addresses stay: {reason}"
            ),
            Self::WorkersResized { before, workers } => {
                write!(formatter, "{workers} workers on request, there were {before}")
            }
            Self::EndpointUnhealthy { cluster, endpoint, reason } => {
                write!(formatter, "cluster `{cluster}`: endpoint {endpoint} is unhealthy: {reason}")
            }
            Self::EndpointHealthy { cluster, endpoint } => {
                write!(formatter, "cluster `{cluster}`: endpoint {endpoint} is healthy again")
            }
            Self::EndpointsFound { cluster, source, endpoints } => {
                write!(formatter, "cluster `{cluster}`: `{source}` now has {endpoints} endpoints")
            }
            Self::DiscoveryFailed { cluster, source, reason } => write!(
                formatter,
                "cluster `{cluster}`: no endpoints from `{source}`, its last ones stay: {}",
                reason.trim_end()
            ),
            Self::WorkerKilled { worker, connections_moved, connections_lost } => write!(
                formatter,
                "worker {worker} killed on request: {connections_moved} connections moved, \
                 {connections_lost} lost"
            ),
        }
    }
}

/// Who hears of events. Must not block.
pub(crate) type Listen = dyn Fn(Event) + Send + Sync;
