//! What the gateway tells about itself: metrics and the access log.
//!
//! Every worker owns a [`Shard`] and is its only writer, so counting costs a load and a store to
//! memory that no other worker writes: no lock, no locked instruction, no label map. The exporter
//! sums the shards when it is asked ([`Registry::render`]). The access log hands whole buffers of
//! lines to a thread of its own and drops them, counted, rather than block a worker.
//!
//! A finished exchange is recorded exactly once, by [`Shard::record`], also when it failed.
//!
//! This crate never opens a socket, never decides anything about an exchange, and on the path of a
//! request reads no clock.

mod access_log;
mod breaker;
mod certificates;
mod counter;
mod exposition;
mod faults;
mod histogram;
mod process;
mod reasons;
mod registry;
mod relay;
mod render;
mod series;
mod shard;
mod slots;
mod time;

pub use access_log::{
    ACCESS_LOG_BATCH_BYTES, ACCESS_LOG_QUEUE_BATCHES, ACCESS_LOG_TEXT_BYTES_MAX, AccessLog,
    AccessLogError, AccessLogOptions, AccessLogTarget, AccessLogWriter, LogSlowness,
};
pub use breaker::{BreakerScope, BreakerSeries};
pub use certificates::{CERTIFICATES_TOLD, CertificateFacts};
pub use histogram::LatencySnapshot;
pub use process::resident_bytes;
pub use registry::{EndpointCounts, Registry, Totals};
pub use series::{ClusterSeries, ExchangeSeries, MirrorOutcome, SERIES_MAX};
pub use shard::Shard;
pub use time::Rfc3339;
