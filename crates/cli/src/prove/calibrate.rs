//! Finding a rate that this machine sustains, before anything is measured.
//!
//! A short closed loop gives the capacity of generator, gateway and upstreams together (they share the
//! CPUs). Half of it is tried in an open loop, and lowered until it is sustained. The found rate and
//! every step are part of the report; `--rate` leaves all of this out.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_load::{Arrivals, LoadReport};
use serde::Serialize;

use super::floor::Floor;
use super::plan::Plan;
use super::progress::Progress;
use super::stage::Stage;
use super::tokens::TokenPool;
use crate::interrupt::Interrupt;

const STEP: Duration = Duration::from_millis(1_500);
/// The same with a link: losses in a row take seconds to be repaired, and have to be seen.
const STEP_ON_LINK: Duration = Duration::from_secs(6);
/// Requests in flight per connection, in the closed loop.
const IN_FLIGHT_PER_CONNECTION: usize = 4;
/// Share of the capacity that is tried first.
const SHARE: f64 = 0.5;
/// A rate that is not sustained is lowered by this factor.
const LOWER: f64 = 0.7;
const STEPS_MAX: usize = 5;
const RATE_MIN: f64 = 50.0;
/// So much without a link.
const P99_MS_MAX: f64 = 50.0;
/// The same with a link: as a multiple of what its loss costs connections that wait for each time-out.
/// What shares a connection with a packet that was lost waits with it.
const P99_FACTOR_MAX: f64 = 2.0;

/// How the rate was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Calibration {
    /// Right answers per second in a closed loop: more cannot be had.
    pub(crate) capacity_rps: f64,
    /// Open-loop steps, the last of which was taken.
    pub(crate) steps: Vec<Step>,
}

/// What was found before the measured part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calibrated {
    /// `None`: the rate was given.
    pub(crate) calibration: Option<Calibration>,
    /// The load at the rate of the measured part.
    pub(crate) last: Step,
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(crate) rate: f64,
    pub(crate) p99_ms: f64,
    pub(crate) failed: u64,
    pub(crate) sustained: bool,
}

/// Decides the plan's rate if it is open. Warms everything up in any case. Calls `keep` often meanwhile.
pub(crate) fn run(
    plan: &mut Plan,
    stage: &Stage,
    tokens: &Arc<TokenPool>,
    interrupt: &Interrupt,
    progress: &Progress,
    keep: &mut dyn FnMut(),
) -> anyhow::Result<Calibrated> {
    let p99_ms_max = p99_ms_max(plan);
    if let Some(rate) = plan.profile.traffic.rate {
        progress.say(&format!("warming up at {rate:.0} requests/s"));
        let report = drive(plan, stage, tokens, plan.arrivals(rate), interrupt, keep)?;
        let last = Step::of(rate, &report, p99_ms_max);
        return Ok(Calibrated { calibration: None, last });
    }
    progress.say("calibrating: finding a rate that this machine sustains");
    let in_flight = usize::from(plan.profile.traffic.connections) * IN_FLIGHT_PER_CONNECTION;
    let arrivals = Arrivals::Closed { in_flight, think: Duration::ZERO };
    let closed = drive(plan, stage, tokens, arrivals, interrupt, keep)?;
    let mut calibration = Calibration { capacity_rps: closed.throughput_rps, steps: Vec::new() };
    let mut rate = rounded(closed.throughput_rps * SHARE);
    let mut last = Step::of(rate, &closed, p99_ms_max);
    while !interrupt.is_set() {
        let report = drive(plan, stage, tokens, plan.arrivals(rate), interrupt, keep)?;
        last = Step::of(rate, &report, p99_ms_max);
        calibration.steps.push(last.clone());
        if last.sustained || calibration.steps.len() >= STEPS_MAX {
            break;
        }
        rate = rounded(rate * LOWER);
    }
    progress.say(&format!(
        "capacity {:.0} requests/s in a closed loop; the run offers {rate:.0} requests/s",
        calibration.capacity_rps
    ));
    plan.profile.traffic.rate = Some(rate);
    Ok(Calibrated { calibration: Some(calibration), last })
}

/// A sustained rate answers all but 1 % within this time.
fn p99_ms_max(plan: &Plan) -> f64 {
    let link = plan.profile.link.as_ref();
    link.map_or(P99_MS_MAX, |weather| Floor::of(weather).p99_by_time_out_ms * P99_FACTOR_MAX)
}

impl Step {
    fn of(rate: f64, report: &LoadReport, p99_ms_max: f64) -> Self {
        Self {
            rate,
            p99_ms: report.latency_ms.p99,
            failed: report.failed,
            sustained: report.failed == 0 && report.latency_ms.p99 <= p99_ms_max,
        }
    }
}

fn drive(
    plan: &Plan,
    stage: &Stage,
    tokens: &Arc<TokenPool>,
    arrivals: Arrivals,
    interrupt: &Interrupt,
    keep: &mut dyn FnMut(),
) -> anyhow::Result<LoadReport> {
    let step = if plan.profile.link.is_some() { STEP_ON_LINK } else { STEP };
    let mut load = stage.load(plan, tokens, arrivals, step)?;
    while !load.is_over() {
        load.next_row(Duration::from_millis(100));
        keep();
        if interrupt.is_set() {
            load.stop();
        }
    }
    Ok(load.finish())
}

/// Two significant digits: a rate that can be said and typed.
fn rounded(rate: f64) -> f64 {
    let rate = rate.max(RATE_MIN);
    let unit = 10f64.powf(rate.log10().floor() - 1.0);
    (rate / unit).floor() * unit
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn rates_have_two_digits_and_a_floor() {
        for (rate, expected) in [
            (12_345.0, 12_000.0),
            (999.0, 990.0),
            (50.0, 50.0),
            (0.0, 50.0),
            (100_001.0, 100_000.0),
        ] {
            assert!((rounded(rate) - expected).abs() < 1e-6, "{rate}: {}", rounded(rate));
        }
    }
}
