//! What the control plane tells the log: changes of state, as values.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_message::Address;

use crate::plane::CertificateProblem;

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
    /// Files of the configuration in force were read again, while a text that is wrong stands beside them.
    FilesRenewed {
        /// Its number from now on.
        revision: u64,
    },
    /// A configuration was refused; the one before it stays in force.
    ConfigRejected {
        /// Its file.
        path: PathBuf,
        /// Everything that is wrong, readable as it is.
        reason: String,
    },
    /// A fault was put in force.
    FaultPut {
        /// Its name.
        id: String,
        /// Its family and kind.
        kind: &'static str,
        /// How long it lasts, unless it is taken back.
        ttl: Duration,
    },
    /// A fault was taken back.
    FaultRemoved {
        /// Its name.
        id: String,
        /// How often it has struck.
        hits: u64,
    },
    /// All faults were taken back.
    FaultsRemoved {
        /// How many there were.
        count: usize,
    },
    /// Applying a configuration panicked: the file is not watched any more.
    WatchEnded,
    /// A configuration took effect but for this, which is read at start only.
    NeedsRestart {
        /// Key in the configuration.
        key: &'static str,
    },
    /// A certificate or its OCSP response cannot be used.
    CertificateProblem(CertificateProblem),
    /// A certificate ends soon, or has ended.
    CertificateEnds {
        /// Its first name, or its file.
        name: String,
        /// Whole days until then.
        days: u64,
        /// It has ended.
        ended: bool,
    },
    /// A certificate was obtained by ACME and stored.
    AcmeObtained {
        /// Its first name.
        name: String,
    },
    /// A certificate could not be obtained by ACME.
    AcmeFailed {
        /// Its first name.
        name: String,
        /// Why.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
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
        endpoint: Address,
        /// Why the last check did not pass.
        reason: String,
    },
    /// Active checks call an endpoint healthy that was not.
    EndpointHealthy {
        /// Its cluster.
        cluster: String,
        /// Its address.
        endpoint: Address,
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
            | Self::AcmeObtained { .. }
            | Self::WorkersResized { .. }
            | Self::EndpointHealthy { .. }
            | Self::EndpointsFound { .. }
            | Self::FaultRemoved { .. }
            | Self::FilesRenewed { .. }
            | Self::FaultsRemoved { .. }
            | Self::WorkerKilled { .. } => Level::Info,
            Self::FaultPut { .. }
            | Self::NeedsRestart { .. }
            | Self::NameFailed { .. }
            | Self::DiscoveryFailed { .. }
            | Self::EndpointUnhealthy { .. }
            | Self::CertificateEnds { ended: false, .. } => Level::Warn,
            Self::CertificateProblem(_)
            | Self::AcmeFailed { .. }
            | Self::CertificateEnds { .. }
            | Self::ConfigRejected { .. }
            | Self::WatchEnded => Level::Error,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminListening { address } => {
                write!(formatter, "admin server listens on http://{address}/")
            }
            Self::FilesRenewed { revision } => {
                write!(formatter, "changed files read again, as revision {revision}")
            }
            Self::ConfigApplied { revision, path, warnings } => {
                let path = path.display();
                write!(formatter, "configuration `{path}` applied as revision {revision}")?;
                warnings
                    .iter()
                    .try_for_each(|warning| write!(formatter, "\n{}", warning.trim_end()))
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
            Self::FaultPut { .. }
            | Self::FaultRemoved { .. }
            | Self::FaultsRemoved { .. }
            | Self::WorkerKilled { .. } => self.tell_of_faults(formatter),
            Self::CertificateProblem(_)
            | Self::AcmeObtained { .. }
            | Self::AcmeFailed { .. }
            | Self::CertificateEnds { .. } => self.tell_of_certificates(formatter),
        }
    }
}

impl Event {
    fn tell_of_faults(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FaultPut { id, kind, ttl } => {
                write!(formatter, "fault {id} injected on request: {kind}, for {ttl:?} at most")
            }
            Self::FaultRemoved { id, hits } => {
                write!(formatter, "fault {id} taken back on request: it struck {hits} times")
            }
            Self::FaultsRemoved { count } => {
                write!(formatter, "all faults taken back on request: {count}")
            }
            Self::WorkerKilled { worker, connections_moved, connections_lost } => write!(
                formatter,
                "worker {worker} killed on request: {connections_moved} connections moved, \
                 {connections_lost} lost"
            ),
            _ => Ok(()),
        }
    }

    fn tell_of_certificates(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateProblem(CertificateProblem { file, reason, kept }) => {
                let what = if *kept { "the one before is served" } else { "it is left out" };
                write!(formatter, "`{}` cannot be used, {what}: {reason}", file.display())
            }
            Self::AcmeObtained { name } => {
                write!(formatter, "a certificate for `{name}` was obtained by ACME")
            }
            Self::AcmeFailed { name, reason, retry_in } => write!(
                formatter,
                "no certificate for `{name}` by ACME, next try in {} s: {reason}",
                retry_in.as_secs()
            ),
            Self::CertificateEnds { name, days, ended } => match days {
                _ if *ended => write!(formatter, "the certificate of `{name}` has ended"),
                0 => write!(formatter, "the certificate of `{name}` ends today"),
                1 => write!(formatter, "the certificate of `{name}` ends in 1 day"),
                days => write!(formatter, "the certificate of `{name}` ends in {days} days"),
            },
            _ => Ok(()),
        }
    }
}

/// Who hears of events. Must not block.
pub(crate) type Listen = dyn Fn(Event) + Send + Sync;
