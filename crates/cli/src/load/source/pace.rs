//! When requests are sent: what the file says, and what flags say instead.

use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_load::{
    Arrivals, Class, LoadOptions, Phase, Process, Schedule, TargetOptions, Timing,
};
use bulkhead_scenario::{LoadSettings, Pace};

use super::Overrides;

/// Time for a whole answer, unless told.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The measured part, unless told.
const DURATION: Duration = Duration::from_secs(10);
/// Load before it, unless told.
const WARMUP: Duration = Duration::from_secs(1);

/// Everything about a run but its targets and requests.
#[derive(Clone, Debug)]
pub(super) struct Pacing {
    pub(super) seed: u64,
    arrivals: Arrivals,
    warmup: Duration,
    duration: Duration,
    cooldown: Duration,
    timeout: Duration,
    retries: u32,
    threads: usize,
}

impl Pacing {
    /// As the flags say.
    pub(super) fn of_flags(overrides: &Overrides<'_>) -> anyhow::Result<Self> {
        let usual = LoadSettings {
            pace: Pace::Closed { clients: 0, think: Duration::ZERO, duration: DURATION },
            warmup: WARMUP,
            cooldown: Duration::ZERO,
            timeout: TIMEOUT,
            retries: 0,
            threads: 1,
            seed: None,
        };
        ensure!(
            overrides.rate.is_some() || overrides.clients.is_some(),
            "say how fast: --rate, or --closed"
        );
        Ok(Self::new(&usual, overrides))
    }

    /// As the scenario says, with what the flags say instead.
    pub(super) fn of_scenario(
        load: Option<&LoadSettings>,
        overrides: &Overrides<'_>,
    ) -> anyhow::Result<Self> {
        load.map_or_else(|| Self::of_flags(overrides), |load| Ok(Self::new(load, overrides)))
    }

    /// At recorded times: all of them are measured.
    pub(super) fn recorded(schedule: Schedule, overrides: &Overrides<'_>) -> Self {
        let whole = schedule.duration().unwrap_or_default();
        let given = overrides.duration.unwrap_or(Duration::MAX);
        Self {
            seed: overrides.seed.unwrap_or(overrides.seed_otherwise),
            // A request at the very end is part of the run.
            duration: (whole + Duration::from_millis(1)).min(given),
            arrivals: Arrivals::Open(schedule),
            warmup: Duration::ZERO,
            cooldown: Duration::ZERO,
            timeout: overrides.timeout.unwrap_or(TIMEOUT),
            retries: overrides.retries.unwrap_or(0),
            threads: overrides.threads.unwrap_or(1),
        }
    }

    fn new(load: &LoadSettings, overrides: &Overrides<'_>) -> Self {
        let seed = overrides.seed.or(load.seed).unwrap_or(overrides.seed_otherwise);
        let (mut warmup, cooldown) =
            (overrides.warmup.unwrap_or(load.warmup), overrides.cooldown.unwrap_or(load.cooldown));
        let (phases, process, clients, think, measured) = match &load.pace {
            Pace::Open { phases, process } => {
                let sum = phases.iter().map(|phase| phase.duration).sum();
                (phases.clone(), *process, 0, Duration::ZERO, sum)
            }
            Pace::Closed { clients, think, duration } => {
                (Vec::new(), Process::Poisson, *clients, *think, *duration)
            }
        };
        let process = overrides.process.unwrap_or(process);
        let tick = overrides.tick;
        let mut duration = overrides.duration.unwrap_or(measured);
        let arrivals = if let Some(clients) = overrides.clients {
            Arrivals::Closed { in_flight: clients, think: overrides.think }
        } else if let Some(rate) = overrides.rate {
            Arrivals::Open(Schedule::constant(rate, process, seed).with_tick(tick))
        } else if phases.is_empty() {
            Arrivals::Closed { in_flight: clients, think }
        } else {
            // Phases are not stretched: a shorter duration ends them early.
            duration = duration.min(measured);
            let phases = framed(phases, &mut warmup, cooldown);
            Arrivals::Open(Schedule { timing: Timing::Phases { phases, process }, tick, seed })
        };
        Self {
            seed,
            arrivals,
            warmup,
            duration,
            cooldown,
            timeout: overrides.timeout.unwrap_or(load.timeout),
            retries: overrides.retries.unwrap_or(load.retries),
            threads: overrides.threads.unwrap_or(load.threads),
        }
    }

    /// Of a closed loop.
    pub(super) const fn clients(&self) -> Option<usize> {
        match self.arrivals {
            Arrivals::Closed { in_flight, .. } => Some(in_flight),
            Arrivals::Open(_) => None,
        }
    }

    pub(super) fn options(
        self,
        targets: Vec<TargetOptions>,
        classes: Vec<Class>,
    ) -> anyhow::Result<LoadOptions> {
        let first = targets.first().cloned().context("find a target")?;
        let mut options = LoadOptions::new(first, self.arrivals, self.duration);
        options.targets = targets;
        options.classes = classes;
        options.threads = self.threads;
        options.warmup = self.warmup;
        options.cooldown = self.cooldown;
        options.timeout = self.timeout;
        options.retries = self.retries;
        Ok(options)
    }
}

/// The phases with the warm-up before them, at the rate of their beginning, and the cool-down behind, at
/// that of their end. A beginning without load needs no time to warm up.
fn framed(phases: Vec<Phase>, warmup: &mut Duration, cooldown: Duration) -> Vec<Phase> {
    let (first, last) =
        (phases.first().map_or(0.0, |p| p.from), phases.last().map_or(0.0, |p| p.to));
    if first <= 0.0 {
        *warmup = Duration::ZERO;
    }
    let mut framed = Vec::with_capacity(phases.len() + 2);
    if !warmup.is_zero() {
        framed.push(Phase::constant(first, *warmup));
    }
    framed.extend(phases);
    if !cooldown.is_zero() {
        framed.push(Phase::constant(last, cooldown));
    }
    framed
}
