//! What the threads of a soak share: when to end, when endpoints died, what was done and what went wrong.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Longest sleep without a look at whether it is over.
const NAP: Duration = Duration::from_millis(50);
/// What is kept of what went wrong; the rest is only counted.
const WRONGS_KEPT: usize = 50;

/// When an endpoint died: it was alive before the first time, and its sockets are closed at the second.
#[derive(Clone, Copy, Debug)]
struct Death {
    began: Instant,
    /// `None`: it is dying.
    ended: Option<Instant>,
}

impl Death {
    /// Whether something that lasted so was going on meanwhile.
    fn overlaps(&self, begin: Instant, end: Instant) -> bool {
        self.ended.is_none_or(|ended| begin <= ended) && end >= self.began
    }
}

/// Shared state.
pub(super) struct Storm {
    started: Instant,
    stop: AtomicBool,
    over: AtomicBool,
    deaths: Mutex<Vec<Death>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    wrongs: Mutex<(u64, Vec<String>)>,
    choices: Mutex<File>,
}

impl Storm {
    /// `choices`: where each choice is written.
    pub(super) fn new(choices: &Path) -> Result<Self> {
        Ok(Self {
            started: Instant::now(),
            stop: AtomicBool::new(false),
            over: AtomicBool::new(false),
            deaths: Mutex::default(),
            counts: Mutex::default(),
            wrongs: Mutex::default(),
            choices: Mutex::new(File::create(choices).context("create the list of choices")?),
        })
    }

    /// Nothing new is begun.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The endpoints may go.
    pub(super) fn end(&self) {
        self.stop();
        self.over.store(true, Ordering::Release);
    }

    /// Waits for [`Self::end`].
    pub(super) fn wait_for_end(&self) {
        while !self.over.load(Ordering::Acquire) {
            std::thread::sleep(NAP);
        }
    }

    /// Sleeps, unless it is stopped.
    pub(super) fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_stopped() && Instant::now() < until {
            std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
        }
    }

    pub(super) fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    /// Writes down what was chosen.
    pub(super) fn chose(&self, choice: impl Display) {
        let at = self.started.elapsed().as_secs_f64();
        // A list that cannot be written is no reason to fail.
        let _written = writeln!(lock(&self.choices), "{at:10.3} {choice}");
    }

    /// Something that must not happen.
    pub(super) fn wrong(&self, what: impl Display) {
        let text = format!("{:.3} s: {what}", self.started.elapsed().as_secs_f64());
        self.chose(format_args!("WRONG {what}"));
        println!("soak: WRONG {text}");
        let mut wrongs = lock(&self.wrongs);
        wrongs.0 += 1;
        if wrongs.1.len() < WRONGS_KEPT {
            wrongs.1.push(text);
        }
    }

    /// How many, and the first of them.
    pub(super) fn wrongs(&self) -> (u64, Vec<String>) {
        lock(&self.wrongs).clone()
    }

    /// An endpoint dies now, by what is called; its sockets are closed when that returns. A client may
    /// notice while it still runs.
    pub(super) fn dying(&self, kill: impl FnOnce() -> Result<()>) -> Result<()> {
        lock(&self.deaths).push(Death { began: Instant::now(), ended: None });
        let killed = kill();
        // One dies at a time, so it is the last.
        if let Some(death) = lock(&self.deaths).last_mut() {
            death.ended = Some(Instant::now());
        }
        killed
    }

    /// Was an endpoint killed between these?
    pub(super) fn death_between(&self, begin: Instant, end: Instant) -> bool {
        lock(&self.deaths).iter().any(|death| death.overlaps(begin, end))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_under_way_is_excused() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let death = Death { began: at(10), ended: Some(at(20)) };
        for (begin, end, excused) in
            [(0, 9, false), (0, 10, true), (15, 16, true), (20, 30, true), (21, 30, false)]
        {
            assert_eq!(death.overlaps(at(begin), at(end)), excused, "{begin} to {end}");
        }
        let dying = Death { ended: None, ..death };
        assert!(dying.overlaps(at(5), at(11)) && !dying.overlaps(at(5), at(9)));
    }
}
