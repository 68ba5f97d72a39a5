//! Sends figures to a receiver of metrics once a second, while the run goes on.
//!
//! From a thread of its own behind a bounded queue: a slow or dead receiver never slows the load.
//! Counters and histograms are cumulative, so a second that was dropped costs resolution and no
//! request is missing from later sums. Nothing is sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bulkhead_load::{Latencies, Row};

mod labels;
mod otlp;
mod remote_write;
mod snapshot;

pub(crate) use labels::Labels;

use crate::post::{Post, Url};
use snapshot::{Snapshot, Totals};

/// Seconds that wait for the receiver before new ones are dropped.
const QUEUE_MAX: usize = 16;
/// Longest wait for the receiver's answer.
const TIMEOUT: Duration = Duration::from_secs(2);

const AGENT: &str = concat!("bulkhead-load/", env!("CARGO_PKG_VERSION"));

/// How figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus remote write 1.0: protobuf, compressed with snappy.
    RemoteWrite,
    /// OTLP/HTTP in JSON.
    Otlp,
}

/// What became of the seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PushReport {
    /// The receiver took them.
    pub(crate) sent: u64,
    /// It did not.
    pub(crate) failed: u64,
    /// They were never sent, because too many waited.
    pub(crate) dropped: u64,
    /// Why the last that failed did.
    pub(crate) last_error: Option<String>,
}

impl PushReport {
    /// A line to be shown at the end, if something went wrong.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Self { sent, failed, dropped, last_error } = self;
        (failed + dropped > 0).then(|| {
            let why = last_error.as_deref().unwrap_or("the receiver is slow");
            format!("metrics: {sent} seconds sent, {failed} failed, {dropped} dropped: {why}")
        })
    }
}

/// A receiver that is being told.
pub(crate) struct Push {
    totals: Totals,
    queue: SyncSender<Snapshot>,
    closing: Arc<AtomicBool>,
    dropped: u64,
    thread: JoinHandle<PushReport>,
}

impl Push {
    /// Begins; `classes` are the names of the run's classes. The receiver need not be there yet.
    ///
    /// # Errors
    /// If the URL is not `http://host[:port][/path]`, or the system refuses a thread.
    pub(crate) fn start(
        format: Format,
        url: &str,
        labels: Labels,
        classes: Vec<String>,
    ) -> anyhow::Result<Self> {
        Self::with_timeout(format, url, labels, classes, TIMEOUT)
    }

    fn with_timeout(
        format: Format,
        url: &str,
        labels: Labels,
        classes: Vec<String>,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let url = match format {
            Format::RemoteWrite => Url::parse(url, "/api/v1/write", "metrics")?,
            Format::Otlp => Url::parse(url, "/v1/metrics", "metrics")?,
        };
        let (queue, snapshots) = sync_channel(QUEUE_MAX);
        let closing = Arc::new(AtomicBool::new(false));
        let sender = Sender {
            format,
            labels,
            post: Post::new(url, AGENT, timeout).context("prepare to send metrics")?,
            closing: Arc::clone(&closing),
        };
        let thread = std::thread::Builder::new()
            .name("push".to_owned())
            .spawn(move || sender.run(&snapshots))
            .context("start the thread that sends metrics")?;
        let totals = Totals::new(classes, SystemTime::now());
        Ok(Self { totals, queue, closing, dropped: 0, thread })
    }

    /// A second of the run is complete. Never waits.
    pub(crate) fn on_row(&mut self, row: &Row, latencies: &Latencies) {
        let snapshot = self.totals.add(row, latencies, SystemTime::now());
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(snapshot)
        {
            self.dropped += 1;
        }
    }

    /// Sends what waits yet, unless the receiver fails again, and tells what became of it all.
    pub(crate) fn finish(self) -> PushReport {
        self.closing.store(true, Ordering::Release);
        drop(self.queue);
        let mut report = self.thread.join().unwrap_or_default();
        report.dropped += self.dropped;
        report
    }
}

/// The thread's own.
struct Sender {
    format: Format,
    labels: Labels,
    post: Post,
    closing: Arc<AtomicBool>,
}

impl Sender {
    fn run(mut self, snapshots: &Receiver<Snapshot>) -> PushReport {
        let mut report = PushReport::default();
        while let Ok(snapshot) = snapshots.recv() {
            match self.send(&snapshot) {
                Ok(()) => report.sent += 1,
                Err(error) => {
                    report.failed += 1;
                    report.last_error = Some(format!("{error:#}"));
                    if self.closing.load(Ordering::Acquire) {
                        // The end must not wait for a dead receiver again and again.
                        report.dropped += snapshots.iter().count() as u64;
                    }
                }
            }
        }
        report
    }

    fn send(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        match self.format {
            Format::RemoteWrite => {
                let body = remote_write::encode(snapshot, &self.labels)?;
                self.post.post(&remote_write::HEADERS, body)
            }
            Format::Otlp => {
                let body = otlp::encode(snapshot, &self.labels)?;
                self.post.post(&otlp::HEADERS, body)
            }
        }
    }
}

#[cfg(test)]
mod tests;
