//! Requests that were once sent, to be sent again: at their own times, faster or slower, or drawn at
//! random at another rate. Where they come from is the business of [`crate::har()`] and
//! [`crate::access_log()`].

mod workload;

use std::sync::Arc;
use std::time::Duration;

use bulkhead_load::{Class, Schedule, Timing};
use bulkhead_message::Scheme;

use crate::settings::TargetSettings;

pub use workload::RecordingWorkload;

/// Requests of a recording at most.
pub(crate) const REQUESTS_MAX: usize = 1_000_000;
/// Classes at most: methods, and what is left.
const CLASSES_MAX: usize = 32;

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// When, since 1970; later since the first.
    pub at: Duration,
    /// Index of its target.
    pub target: usize,
    /// Index of its class.
    pub(crate) class: usize,
    /// Method token.
    pub method: String,
    /// Scheme.
    pub(crate) scheme: Scheme,
    /// Host, and port if there was one.
    pub authority: String,
    /// Path with query.
    pub path: String,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    /// Body; empty: none.
    pub body: Vec<u8>,
    /// Status that it was answered with, if it was.
    pub status: Option<u16>,
}

/// What could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// Where the first stood and why it was left out.
    pub first: Option<String>,
}

impl Skipped {
    pub(crate) fn add(&mut self, place: &str, reason: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(format!("{place}: {reason}"));
        }
    }
}

/// Which answers are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Judge {
    /// Those of the recorded status; where none was recorded, any below 400.
    #[default]
    Recorded,
    /// Any status below 400.
    Success,
}

/// Which requests are sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Methods {
    /// `GET`, `HEAD` and `OPTIONS`: they change nothing (RFC 9110 §9.2.1).
    #[default]
    Safe,
    /// All. Of a log, others are sent without the bodies that they had.
    All,
}

/// How a recording is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingOptions {
    /// Where all of it goes. `None`, of a HAR file alone: to the servers that it names.
    pub target: Option<TargetSettings>,
    /// Connections to each server that the file names; `None`: as suits the load.
    pub connections: Option<usize>,
    /// Which requests are kept.
    pub methods: Methods,
}

/// Why a recording cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It is no such file.
    #[error("{file}:{line}:{column}: this is no HAR file: {reason}")]
    Har {
        /// Its name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// It is too large.
    #[error("{file}: larger than {mib_max} MiB; cut it into parts")]
    Large {
        /// Its name.
        file: String,
        /// The limit.
        mib_max: usize,
    },
    /// It has too many requests.
    #[error("{file}: more than {REQUESTS_MAX} requests; cut it into parts")]
    Many {
        /// Its name.
        file: String,
    },
    /// Nothing in it can be sent.
    #[error("{file}: no request in it can be sent again{}", first_reason(.skipped))]
    Empty {
        /// Its name.
        file: String,
        /// What was left out.
        skipped: Skipped,
    },
    /// A log names no server, so one must be given.
    #[error("{file}: a log does not say which server its requests were for; give a URL")]
    NoTarget {
        /// Its name.
        file: String,
    },
}

fn first_reason(skipped: &Skipped) -> String {
    skipped.first.as_ref().map_or_else(String::new, |first| {
        format!("; {} were left out, the first in {first}", skipped.count)
    })
}

/// A recording that can be replayed.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Servers, in the order of the indices of [`Class::target`].
    pub targets: Vec<TargetSettings>,
    /// What requests are counted under: their methods, and the server if there are several.
    pub classes: Vec<Class>,
    /// What was left out.
    pub skipped: Skipped,
    /// Requests whose query was not in the log and that are sent without.
    pub queries_left_out: u64,
    /// In the order of their times, which count from the first.
    requests: Arc<[RecordedRequest]>,
}

impl Recording {
    /// Puts requests in order and sorts them into classes.
    pub(crate) fn new(
        file: &str,
        targets: Vec<TargetSettings>,
        mut requests: Vec<RecordedRequest>,
        skipped: Skipped,
    ) -> Result<Self, RecordingError> {
        // Stable: those of the same time stay in the order of the file.
        requests.sort_by_key(|request| request.at);
        let Some(first) = requests.first().map(|request| request.at) else {
            return Err(RecordingError::Empty { file: file.to_owned(), skipped });
        };
        let mut classes: Vec<Class> = Vec::new();
        for request in &mut requests {
            request.at = request.at.saturating_sub(first);
            let target = request.target;
            let name = match targets.get(target) {
                Some(target) if targets.len() > 1 => format!("{} {}", request.method, target.name),
                _ => request.method.clone(),
            };
            let known =
                classes.iter().position(|class| class.target == target && class.name == name);
            request.class = known.unwrap_or_else(|| class_for(&mut classes, name, target));
        }
        let requests = requests.into();
        Ok(Self { targets, classes, skipped, queries_left_out: 0, requests })
    }

    /// The requests, in the order of their times.
    pub fn requests(&self) -> &[RecordedRequest] {
        &self.requests
    }

    /// From the first request to the last.
    pub fn duration(&self) -> Duration {
        self.requests.last().map_or(Duration::ZERO, |last| last.at)
    }

    /// The recorded times, `speed` times as fast, which is over 0.
    pub fn schedule(&self, speed: f64) -> Schedule {
        let speed = if speed > 0.0 { speed } else { 1.0 };
        let time = |request: &RecordedRequest| (request.at.as_nanos() as f64 / speed) as u64;
        let times: Vec<u64> = self.requests.iter().map(time).collect();
        Schedule { timing: Timing::Recorded(times.into()), tick: Duration::ZERO, seed: 0 }
    }

    /// Requests in their order, for [`Self::schedule`]; `judge` says which answers are right.
    pub fn in_order(&self, judge: Judge) -> RecordingWorkload {
        RecordingWorkload::new(Arc::clone(&self.requests), judge, None)
    }

    /// Requests drawn at random, for any other schedule.
    pub fn at_random(&self, judge: Judge, seed: u64) -> RecordingWorkload {
        RecordingWorkload::new(Arc::clone(&self.requests), judge, Some(seed))
    }
}

/// A new class, or the one for what is left when there are too many.
fn class_for(classes: &mut Vec<Class>, name: String, target: usize) -> usize {
    let of_target = classes.iter().filter(|class| class.target == target).count();
    let name = if of_target < CLASSES_MAX { name } else { "other".to_owned() };
    let known = classes.iter().position(|class| class.target == target && class.name == name);
    known.unwrap_or_else(|| {
        classes.push(Class { name, target });
        classes.len() - 1
    })
}

#[cfg(test)]
mod tests;
