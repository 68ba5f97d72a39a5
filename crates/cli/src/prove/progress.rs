//! What the run says while it goes on, on standard error: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use bulkhead_load::Row;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Speaks to whoever waits.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() }
    }

    /// One line.
    pub(crate) fn say(&self, text: &str) {
        // Progress that cannot be written is no reason to fail.
        let _closed = writeln!(std::io::stderr(), "prove: {text}");
    }

    /// Begins the measured part.
    pub(crate) fn storm(&self, duration: Duration) -> StormProgress {
        let bar = self.terminal.then(|| {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(Some(duration.as_secs()), target);
            let style = ProgressStyle::with_template("{bar:30} {pos:>4}/{len} s  {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        StormProgress { bar, seconds: duration.as_secs_f64().ceil() as u64 }
    }
}

/// Progress of the measured part.
#[derive(Debug)]
pub(crate) struct StormProgress {
    bar: Option<ProgressBar>,
    seconds: u64,
}

impl StormProgress {
    /// A second is over.
    pub(crate) fn second(&self, row: &Row, failed: u64, killed: usize) {
        if row.second >= self.seconds {
            return; // Late answers, after the last request was sent.
        }
        let message = format!(
            "{:>6} ok/s  p50 {:>6.2} ms  p99 {:>6.2} ms  failed {failed}  killed {killed}",
            row.ok, row.latency_ms.p50, row.latency_ms.p99
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(row.second + 1);
                bar.set_message(message);
            }
            None => self.line(&format!("{:>4}/{} s  {message}", row.second + 1, self.seconds)),
        }
    }

    /// Something else happened.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("prove: {text}")),
            None => self.line(text),
        }
    }

    #[allow(clippy::unused_self, reason = "the other half of a decision that self makes")]
    fn line(&self, text: &str) {
        // Progress that cannot be written is no reason to fail.
        let _closed = writeln!(std::io::stderr(), "prove: {text}");
    }

    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
