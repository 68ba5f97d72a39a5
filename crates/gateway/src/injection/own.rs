//! Faults of the gateway itself: what each holds while it is in force, and how it is taken back.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use bulkhead_chaos::GatewayFault;
use bulkhead_chaos::gateway::CertificateSide;
use bulkhead_filter::KeyRotation;
use bulkhead_telemetry::LogSlowness;
use bulkhead_transport::{CertificateExpiry, Expired};

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
    pub(crate) log: Arc<LogSlowness>,
    /// How far the time of day is off, in seconds.
    pub(crate) clock_offset_s: AtomicI64,
    pub(crate) expiry: Expiry,
}

/// Certificates that are expired.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry {
    /// Of endpoints, by cluster.
    pub(crate) judged: CertificateExpiry,
    /// Of the gateway, by the name that clients ask for.
    pub(crate) shown: CertificateExpiry,
}

impl Expiry {
    const fn of(&self, side: CertificateSide) -> &CertificateExpiry {
        match side {
            CertificateSide::Upstream => &self.judged,
            CertificateSide::Client => &self.shown,
        }
    }
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
    Log {
        delay_ms: u64,
        /// Batches that were delayed before it began.
        before: AtomicU64,
    },
    Rotation(Arc<KeyRotation>),
    Expiry(CertificateSide, Arc<Expired>),
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
            GatewayFault::SlowLog { delay_ms } => {
                Self::Log { delay_ms: *delay_ms, before: AtomicU64::new(0) }
            }
            GatewayFault::RotateJwtKeys { provider } => {
                Self::Rotation(Arc::new(KeyRotation::new(provider.clone(), deadline)))
            }
            GatewayFault::ExpireCertificates { side, cluster, host } => {
                let left = deadline.saturating_duration_since(clock::now());
                let host = host.as_ref().map(|host| host.to_ascii_lowercase());
                let (name, now) = (cluster.as_deref().or(host.as_deref()), clock::unix());
                Self::Expiry(*side, Arc::new(Expired::new(name, now, now + left)))
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
            Self::Log { delay_ms, before } => {
                before.store(levers.log.delayed(), Ordering::Relaxed);
                levers.log.add(*delay_ms);
            }
            Self::Expiry(side, wish) => levers.expiry.of(*side).begin(wish),
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
            Self::Log { delay_ms, .. } => levers.log.take_back(*delay_ms),
            Self::Rotation(rotation) => rotation.end(),
            Self::Expiry(side, wish) => levers.expiry.of(*side).end(wish),
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
            Self::Expiry(_, wish) => wish.met(),
            Self::Log { before, .. } => {
                levers.log.delayed().saturating_sub(before.load(Ordering::Relaxed))
            }
            Self::Momentary | Self::Pools(_) | Self::Clock(_) => 0,
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
