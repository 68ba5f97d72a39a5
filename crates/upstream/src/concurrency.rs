//! Adaptive concurrency limit: how many requests may wait for a cluster's answer at once, learnt from
//! its latency.
//!
//! A service that is offered more than it can do queues, and every answer comes late; soon all come
//! too late and its whole work is lost. The queue shows as latency, so the limit follows the
//! **gradient** of latency (as in Netflix's concurrency-limits and Envoy's adaptive concurrency
//! filter): per window of samples
//!
//! ```text
//! gradient = baseline · (1 + tolerance) / median       between ½ and 1
//! limit    = limit + √limit     if the gradient is 1 and the limit is in use
//!          = limit · gradient   if it is less and the limit is what bounds the requests
//! ```
//!
//! The *baseline* is the lowest median seen. It grows stale when the service becomes slower for
//! reasons of its own, so it is measured anew from time to time: at once if the limit is not in use,
//! for then nothing queues because of us; else by a *probe*, which halves the limit as long as that
//! makes answers faster. Medians are compared with medians: a single fast answer proves nothing.
//!
//! What counts is the time until the response head: a long download, or a stream that stays open,
//! says nothing of how busy the service is.

use std::time::{Duration, Instant};

use bulkhead_message::Priority;

/// Samples of a window; as many end it early.
const SAMPLES_MAX: usize = 512;
/// Fewer say nothing: the window goes on.
const SAMPLES_MIN: usize = 20;
/// The steepest step down in one window.
const GRADIENT_MIN: f64 = 0.5;
/// A probe goes on while the median falls by more than this.
const PROBE_GAIN: f64 = 0.9;
/// Windows of one probe, at most.
const PROBE_WINDOWS_MAX: u32 = 6;
/// If more than this share of the attempts fail for want of an answer, the limit goes down too.
const FAILED_SHARE_MAX: f64 = 0.1;

/// Settings of a limit. They count per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConcurrencySettings {
    /// Where it begins.
    pub initial: u32,
    /// Never less; 0 counts as 1.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// By how much the median latency may exceed the baseline, in percent.
    pub tolerance_percent: u32,
    /// Length of a window.
    pub window: Duration,
    /// How often the baseline is measured anew.
    pub probe_interval: Duration,
}

/// The limit of one cluster in one worker.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    settings: ConcurrencySettings,
    limit: f64,
    waiting: u32,
    window: Window,
    /// Microseconds.
    baseline: Option<f64>,
    next_probe: Option<Instant>,
    probe: Option<Probe>,
}

#[derive(Debug, Default)]
struct Window {
    ends: Option<Instant>,
    /// Microseconds.
    samples: Vec<u32>,
    failed: u32,
    /// Most that waited at once.
    peak: u32,
}

#[derive(Debug)]
struct Probe {
    limit_before: f64,
    lowest: f64,
    windows: u32,
}

impl ConcurrencyLimit {
    /// A limit that has seen nothing yet.
    pub fn new(settings: ConcurrencySettings) -> Self {
        Self {
            limit: f64::from(settings.initial.clamp(settings.min.max(1), settings.max.max(1))),
            settings,
            waiting: 0,
            window: Window::default(),
            baseline: None,
            next_probe: None,
            probe: None,
        }
    }

    /// Puts other settings in force; what was learnt stays.
    pub fn set(&mut self, settings: ConcurrencySettings) {
        self.settings = settings;
        self.limit = self.clamped(self.limit);
    }

    /// The limit now.
    pub const fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Attempts that wait for their response head.
    pub const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Whether another attempt may begin. Sheddable ones get four fifths of the limit, critical ones
    /// a tenth more than all of it.
    #[inline]
    pub fn admits(&self, priority: Priority) -> bool {
        let bound = match priority {
            Priority::Sheddable => self.limit * 0.8,
            Priority::Default => self.limit,
            Priority::Critical => self.limit * 1.1 + 1.0,
        };
        f64::from(self.waiting) + 1.0 <= bound.max(1.0)
    }

    /// An attempt begins to wait. Each ends in one of the three that follow.
    #[inline]
    pub fn started(&mut self) {
        self.waiting += 1;
        self.window.peak = self.window.peak.max(self.waiting);
    }

    /// Its response head is here, after this time.
    #[inline]
    pub fn answered(&mut self, now: Instant, latency: Duration) {
        self.ended(now, latency);
    }

    /// No answer came in time, or the service said that it is overloaded.
    pub fn failed(&mut self, now: Instant, latency: Duration) {
        self.window.failed += 1;
        self.ended(now, latency);
    }

    /// It ended and says nothing: the client left, or it could not be sent.
    pub const fn abandoned(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    fn ended(&mut self, now: Instant, latency: Duration) {
        self.abandoned();
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.window.samples.push(micros.max(1));
        let ends = *self.window.ends.get_or_insert(now + self.settings.window);
        let count = self.window.samples.len();
        if count >= SAMPLES_MAX || (now >= ends && count >= SAMPLES_MIN) {
            self.end_window(now);
        }
    }

    #[cold]
    fn end_window(&mut self, now: Instant) {
        let count = self.window.samples.len();
        let (_, median, _) = self.window.samples.select_nth_unstable(count / 2);
        let median = f64::from(*median);
        match self.probe.take() {
            Some(probe) => self.go_on_probing(probe, median, now),
            None => self.follow(median, now),
        }
        self.limit = self.clamped(self.limit);
        self.window.samples.clear();
        self.window.ends = Some(now + self.settings.window);
        self.window.failed = 0;
        self.window.peak = self.waiting;
    }

    /// An ordinary window: begins a probe if one is due, else follows the gradient.
    fn follow(&mut self, median: f64, now: Instant) {
        let peak = f64::from(self.window.peak);
        if self.next_probe.is_none_or(|due| due <= now) {
            if peak >= self.limit * 0.5 {
                self.probe = Some(Probe { limit_before: self.limit, lowest: median, windows: 1 });
                self.limit *= 0.5;
                return;
            }
            self.baseline = Some(median);
            self.next_probe = Some(now + self.settings.probe_interval);
        }
        let baseline = self.baseline.map_or(median, |lowest| lowest.min(median));
        self.baseline = Some(baseline);
        let tolerated = baseline * (1.0 + f64::from(self.settings.tolerance_percent) / 100.0);
        let mut gradient = (tolerated / median).clamp(GRADIENT_MIN, 1.0);
        let failed = f64::from(self.window.failed) / self.window.samples.len() as f64;
        if failed > FAILED_SHARE_MAX {
            gradient = gradient.min(1.0 - failed / 2.0);
        }
        if gradient >= 1.0 && peak >= self.limit * 0.5 {
            self.limit += self.limit.sqrt();
        } else if gradient < 1.0 && peak >= self.limit * 0.8 {
            self.limit *= gradient;
        }
    }

    fn go_on_probing(&mut self, mut probe: Probe, median: f64, now: Instant) {
        let faster = median < probe.lowest * PROBE_GAIN;
        probe.lowest = probe.lowest.min(median);
        if faster && probe.windows < PROBE_WINDOWS_MAX && self.limit > f64::from(self.least()) {
            probe.windows += 1;
            self.limit *= 0.5;
            self.probe = Some(probe);
            return;
        }
        self.baseline = Some(probe.lowest);
        self.next_probe = Some(now + self.settings.probe_interval);
        // Back to where it was; if that was too much, the gradient says so from now on.
        self.limit = probe.limit_before;
    }

    fn least(&self) -> u32 {
        self.settings.min.max(1)
    }

    fn clamped(&self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.least()), f64::from(self.settings.max.max(self.least())))
    }
}

#[cfg(test)]
mod tests;
