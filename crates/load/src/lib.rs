//! Open-loop load: requests are sent when the schedule says so, whether or not earlier ones were
//! answered, and latency counts from the time that was intended.
//!
//! A closed loop waits for the slow answers that it should have measured (coordinated omission); it is
//! kept here for calibration alone. Every answer is checked by the [`Workload`], and only a checked
//! one is a success. Nothing is ever retried and no percentile is ever averaged.

mod clock;
mod connection;
mod engine;
mod flight;
mod later;
mod options;
mod outcome;
mod pool;
pub mod remote;
mod report;
pub mod scalability;
mod schedule;
pub mod search;
mod tally;
mod websocket;
mod wire;
mod worker;
mod workload;

pub use clock::thread_cpu_time;
pub use engine::{Load, LoadError};
pub use options::{Arrivals, Class, LoadOptions, Protocol, Share, TargetOptions};
pub use outcome::{Mismatch, Outcome};
pub use report::{
    ClassReport, ConnectionReport, FailureSample, Latencies, LoadReport, Row, Summary,
};
pub use schedule::{Phase, Process, Random, Schedule, Times, Timing};
pub use tally::Excluded;
pub use websocket::{MessageKind, Upgrade};
pub use workload::{Answer, Next, Request, Workload};
