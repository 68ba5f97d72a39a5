//! The thread that writes: journal and audit log, in the order in which they were given to it. All
//! that waits is written together and synchronised once.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_chaos::{AuditHead, Number, Record};
use serde_json::Value;

use crate::audit::AuditLog;
use crate::journal::Journal;

/// Lines that may wait for the disk; beyond, nothing new is accepted.
pub(crate) const WRITES_MAX: usize = 8_192;

/// How often the audit log is synchronised, at most. What a lab that is killed has written is safe all
/// the same; a machine that dies may lose the lines of so long.
const AUDIT_SYNC_INTERVAL: Duration = Duration::from_millis(250);

/// Something to be written.
#[derive(Debug)]
pub(crate) enum Line {
    Journal { record: Record, answer: Option<Number> },
    Audit { unix_ms: u64, actor: String, action: &'static str, detail: Value },
}

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    lines: Mutex<Queue>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Line>,
    closed: bool,
    head: AuditHead,
    audit_errors: u64,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine bounds the journal's lines; who gives it others looks at [`Waiting::is_full`] first.
    pub(crate) fn push(&self, line: Line) {
        self.lock().lines.push_back(line);
        self.more.notify_one();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lock().lines.len() >= WRITES_MAX
    }

    /// The writer ends once everything is written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// End of the audit log's chain, and how many entries could not be written.
    pub(crate) fn audit_head(&self) -> (AuditHead, u64) {
        let queue = self.lock();
        (queue.head.clone(), queue.audit_errors)
    }

    /// All that waits; nothing once it is closed and empty.
    fn take(&self) -> Option<VecDeque<Line>> {
        let mut queue = self.lock();
        while queue.lines.is_empty() && !queue.closed {
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let lines = mem::take(&mut queue.lines);
        (!lines.is_empty()).then_some(lines)
    }
}

/// The files, and how much the journal keeps.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) journal: Journal,
    pub(crate) audit: AuditLog,
    pub(crate) ended_max: usize,
}

impl Files {
    /// Writes until the queue is closed. `written` is told of each record that was waited for.
    pub(crate) fn write_all(
        mut self,
        waiting: &Waiting,
        written: impl Fn(Number, Result<(), String>),
    ) {
        waiting.lock().head = self.audit.head().clone();
        let mut synced = Instant::now();
        while let Some(lines) = waiting.take() {
            let mut text = String::new();
            let mut answers = Vec::new();
            let mut audit_errors = 0;
            for line in lines {
                match line {
                    Line::Journal { record, answer } => {
                        // A record of ours is always JSON.
                        if let Ok(line) = record.to_line() {
                            let _ = text.write_str(&line);
                        }
                        answers.extend(answer);
                    }
                    Line::Audit { unix_ms, actor, action, detail } => {
                        let result = self.audit.append(unix_ms, &actor, action, detail);
                        audit_errors += u64::from(result.is_err());
                    }
                }
            }
            let result = self.journal.append(&text, !answers.is_empty());
            let result = result.map_err(|error| error.to_string());
            for number in answers {
                written(number, result.clone());
            }
            if synced.elapsed() >= AUDIT_SYNC_INTERVAL {
                synced = Instant::now();
                audit_errors += u64::from(self.audit.sync().is_err());
            }
            self.after(waiting, audit_errors);
        }
        let audit_errors = u64::from(self.audit.sync().is_err());
        self.after(waiting, audit_errors);
    }

    /// What nobody waits for.
    fn after(&mut self, waiting: &Waiting, audit_errors: u64) {
        let mut queue = waiting.lock();
        queue.head = self.audit.head().clone();
        queue.audit_errors += audit_errors;
        drop(queue);
        // If it cannot be rewritten it grows on, which is better than to stop.
        let _ = self.journal.keep_small(self.ended_max);
    }
}
