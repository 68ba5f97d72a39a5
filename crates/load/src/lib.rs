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
mod outcome;
mod report;
mod schedule;
mod tally;
mod worker;
mod workload;

pub use clock::thread_cpu_time;
pub use engine::{Arrivals, Load, LoadError, LoadOptions, Protocol};
pub use outcome::{Mismatch, Outcome};
pub use report::{ClassReport, ConnectionReport, FailureSample, LoadReport, Row, Summary};
pub use schedule::{Process, Random, Schedule, Times};
pub use workload::{Answer, Request, Workload};
