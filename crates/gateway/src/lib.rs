//! The data plane: listeners, connections, exchanges, evacuation, drain. A library that others may
//! embed; `bulkhead run` is a thin shell around it.
//!
//! Read it in the order of a request: [`worker`](self) (event loop) → `pump.rs` (bytes ⇄ events) →
//! `exchange.rs` (the story) → `flow.rs` (bodies) → `endpoints.rs` (upstream connections) →
//! `record.rs`. Then `guard.rs` (what a panic costs) and `evacuation.rs`, which is what the data
//! structures are made for.
//!
//! It never waits: no async, no lock and no other thread on the path of a request. It knows nothing
//! of the control plane, which drives it through [`Gateway`].

mod arena;
mod breakers;
mod certificates;
mod chains;
mod challenges;
mod clock;
mod connection;
mod deadline;
mod drain;
mod endpoints;
mod evacuation;
mod exchange;
mod exchange_state;
mod failure_response;
mod faulted;
mod faults;
mod flow;
mod gateway;
mod grpc_messages;
mod guard;
mod injection;
mod intake;
mod keep_alive;
mod listening;
mod mailbox;
mod names;
mod opening;
mod outbox;
mod overload;
mod pipe;
mod placement;
mod pressure;
mod pump;
mod rebalance;
mod record;
mod relay;
mod reload;
mod resize;
mod retire;
mod shared;
#[cfg(test)]
mod simulation;
mod snapshot;
mod sniff;
mod timer;
mod tls_facts;
mod verdicts;
mod warm;
mod worker;

pub use certificates::{CertificateProblem, CertificateReport};
pub use evacuation::KillReport;
pub use faults::Fault;
pub use gateway::{
    EvacuationTotals, Gateway, GatewayOptions, KillError, WORKERS_MAX, WorkerStatus,
};
pub use listening::HandedSocket;
pub use resize::ResizeError;
pub use snapshot::ApplyError;
