//! Faults of the gateway itself: what each holds while it is in force, and how it is taken back.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bulkhead_chaos::GatewayFault;
use bulkhead_filter::KeyRotation;
use bulkhead_transport::CertificateExpiry;

use crate::clock;
use crate::faults::{Fault, Faults};

/// A worker that hangs.
#[derive(Debug)]
pub(crate) struct Stall {
    pub(crate) worker: usize,
    deadline: Instant,
    ended: AtomicBool,
    /// How often a worker has begun to hang.
    begun: AtomicU64,
}

impl Stall {
    pub(crate) fn has_ended(&self, now: Instant) -> bool {
        self.ended.load(Ordering::Relaxed) || self.deadline <= now
    }

    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }
}

/// Pools that are smaller than their configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolLimit {
    /// `None`: all clusters.
    pub(crate) cluster: Option<String>,
    /// Connections per endpoint.
    pub(crate) connections_max: u32,
}

/// What faults of the gateway itself change, from outside of any worker.
#[derive(Debug, Default)]
pub(crate) struct Levers {
    pub(crate) faults: Arc<Faults>,
    /// Each batch of the access log takes longer by so many milliseconds.
    pub(crate) log_delay_ms: Arc<AtomicU64>,
    /// How far the time of day is off, in seconds.
    pub(crate) clock_offset_s: AtomicI64,
    /// Certificates of which clusters count as expired.
    pub(crate) expiry: CertificateExpiry,
}

/// See the module.
#[derive(Debug)]
pub(crate) enum Own {
    /// Over at once; whoever asked for it is at it.
    Momentary,
    Stall(Arc<Stall>),
    Panics {
        place: Fault,
        count: u32,
    },
    Pools(PoolLimit),
    Descriptors(Vec<File>),
    Clock(i64),
    Log(u64),
    Rotation(Arc<KeyRotation>),
    Expiry {
        cluster: Option<String>,
        /// Since 1970.
        until: Duration,
    },
}

impl Own {
    /// What a fault needs; nothing has happened yet, but that descriptors are open.
    pub(super) fn of(fault: &GatewayFault, deadline: Instant) -> Result<Self, String> {
        Ok(match fault {
            GatewayFault::StallWorker { worker } => Self::Stall(Arc::new(Stall {
                worker: *worker,
                deadline,
                ended: AtomicBool::new(false),
                begun: AtomicU64::new(0),
            })),
            GatewayFault::PanicExchanges { count } => {
                Self::Panics { place: Fault::RoutePanic, count: *count }
            }
            GatewayFault::PanicConnections { count } => {
                Self::Panics { place: Fault::InputPanic, count: *count }
            }
            GatewayFault::ShrinkPools { cluster, connections_max } => Self::Pools(PoolLimit {
                cluster: cluster.clone(),
                connections_max: *connections_max,
            }),
            GatewayFault::HoldDescriptors { count } => Self::Descriptors(hold(*count)?),
            GatewayFault::ClockOffset { offset_s } => Self::Clock(*offset_s),
            GatewayFault::SlowLog { delay_ms } => Self::Log(*delay_ms),
            GatewayFault::RotateJwtKeys { provider } => {
                Self::Rotation(Arc::new(KeyRotation::new(provider.clone(), deadline)))
            }
            GatewayFault::ExpireCertificates { cluster } => {
                let left = deadline.saturating_duration_since(clock::now());
                Self::Expiry { cluster: cluster.clone(), until: clock::unix() + left }
            }
            fault if fault.is_momentary() => Self::Momentary,
            _ => return Err("this gateway does not know such a fault".to_owned()),
        })
    }

    /// It begins.
    pub(super) fn begin(&self, levers: &Levers) {
        match self {
            Self::Panics { place, count } => levers.faults.add(*place, *count),
            Self::Clock(offset_s) => {
                levers.clock_offset_s.fetch_add(*offset_s, Ordering::Relaxed);
            }
            Self::Log(delay_ms) => {
                levers.log_delay_ms.fetch_add(*delay_ms, Ordering::Relaxed);
            }
            Self::Expiry { cluster, until } => {
                levers.expiry.begin(cluster.as_deref(), *until);
            }
            // Workers find these in their table; the rest has happened.
            Self::Momentary
            | Self::Stall(_)
            | Self::Pools(_)
            | Self::Descriptors(_)
            | Self::Rotation(_) => {}
        }
    }

    /// It ends, wherever it is. What it holds is given back when it is dropped.
    pub(super) fn end(&self, levers: &Levers) {
        match self {
            Self::Stall(stall) => stall.ended.store(true, Ordering::Relaxed),
            // Those of another rule for this place are still to come.
            Self::Panics { place, count } => levers.faults.take_back(*place, *count),
            Self::Clock(offset_s) => {
                levers.clock_offset_s.fetch_sub(*offset_s, Ordering::Relaxed);
            }
            Self::Log(delay_ms) => {
                levers.log_delay_ms.fetch_sub(*delay_ms, Ordering::Relaxed);
            }
            Self::Rotation(rotation) => rotation.end(),
            Self::Expiry { cluster, until } => levers.expiry.end(cluster.as_deref(), *until),
            Self::Momentary | Self::Pools(_) | Self::Descriptors(_) => {}
        }
    }

    /// How often it has struck, as far as that can be counted.
    pub(super) fn hits(&self, levers: &Levers) -> u64 {
        match self {
            Self::Stall(stall) => stall.begun.load(Ordering::Relaxed),
            Self::Panics { place, count } => {
                count.saturating_sub(levers.faults.left(*place)).into()
            }
            Self::Descriptors(held) => held.len() as u64,
            Self::Rotation(rotation) => rotation.hits(),
            Self::Momentary
            | Self::Pools(_)
            | Self::Clock(_)
            | Self::Log(_)
            | Self::Expiry { .. } => 0,
        }
    }

    /// What people are told of it.
    pub(super) fn tell(&self) -> Option<String> {
        match self {
            Self::Descriptors(held) => Some(format!("holds {} descriptors", held.len())),
            _ => None,
        }
    }
}

/// Opens so many descriptors, or as many as are to be had.
fn hold(count: u32) -> Result<Vec<File>, String> {
    let mut held = Vec::new();
    while held.len() < count as usize {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(_) if !held.is_empty() => break,
            Err(error) => return Err(format!("no descriptor is to be had: {error}")),
        }
    }
    Ok(held)
}
