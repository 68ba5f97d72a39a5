//! Changes of state for a receiver of OTLP/HTTP logs.
//!
//! From a thread of its own, behind the lab's bounded bus: a receiver that is slow or dead delays nothing,
//! and what it misses is counted and told, also to itself as soon as it answers again. Nothing is sent twice.

mod encode;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::Happening;
use bulkhead_lab::Subscription;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::post::{Post, Url};

/// Changes of one request.
const BATCH_MAX: usize = 256;
/// Longest wait for the receiver's answer.
const TIMEOUT: Duration = Duration::from_secs(2);
const AGENT: &str = concat!("bulkhead-chaos/", env!("CARGO_PKG_VERSION"));

/// A receiver that is being told.
pub(super) struct Exporter {
    closing: Arc<Closing>,
    thread: JoinHandle<ExportReport>,
}

#[derive(Debug, Default)]
struct Closing {
    is_set: AtomicBool,
    told: Notify,
}

/// What became of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ExportReport {
    /// The receiver took them.
    sent: u64,
    /// It did not, or they were too many to wait for it.
    dropped: u64,
    /// Why the last that failed did.
    last_error: Option<String>,
}

impl ExportReport {
    /// A line to be shown, if something went wrong.
    pub(super) fn complaint(&self) -> Option<String> {
        let Self { sent, dropped, last_error } = self;
        (*dropped > 0).then(|| {
            let why = last_error.as_deref().unwrap_or("the receiver is slow");
            format!("otlp: {sent} events sent, {dropped} dropped: {why}")
        })
    }
}

impl Exporter {
    /// Begins. The receiver need not be there yet.
    ///
    /// # Errors
    /// If the URL is not `http://host[:port][/path]`, or the system refuses a thread.
    pub(super) fn start(events: Subscription, url: &str) -> anyhow::Result<Self> {
        Self::with_timeout(events, url, TIMEOUT)
    }

    fn with_timeout(
        (kept, coming): Subscription,
        url: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let url = Url::parse(url, "/v1/logs", "events")?;
        let post = Post::new(url, AGENT, timeout).context("prepare to send events")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .context("prepare to wait for events")?;
        let closing = Arc::new(Closing::default());
        let mut sender = Sender {
            post,
            closing: Arc::clone(&closing),
            coming,
            runtime,
            report: ExportReport::default(),
            untold: 0,
            failing: false,
        };
        let run = move || {
            for batch in kept.chunks(BATCH_MAX) {
                sender.send(batch);
            }
            sender.run()
        };
        let thread = thread::Builder::new().name("lab-otlp".to_owned()).spawn(run);
        Ok(Self { closing, thread: thread.context("start the thread that sends events")? })
    }

    /// Sends what waits yet, unless the receiver fails again, and tells what became of it all.
    pub(super) fn finish(self) -> ExportReport {
        self.closing.is_set.store(true, Ordering::Release);
        self.closing.told.notify_one();
        self.thread.join().unwrap_or_default()
    }
}

/// The thread's own.
struct Sender {
    post: Post,
    closing: Arc<Closing>,
    coming: Receiver<Happening>,
    runtime: tokio::runtime::Runtime,
    report: ExportReport,
    /// Dropped since the receiver was told last.
    untold: u64,
    failing: bool,
}

impl Sender {
    fn run(mut self) -> ExportReport {
        while let Some(first) = self.wait() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && let Some(happening) = self.take()
            {
                batch.push(happening);
            }
            self.send(&batch);
        }
        self.report
    }

    /// The next change; nothing at the end, when none waits.
    fn wait(&mut self) -> Option<Happening> {
        loop {
            if self.closing.is_set.load(Ordering::Acquire) {
                return self.take();
            }
            let (coming, closing) = (&mut self.coming, &self.closing);
            let received = self.runtime.block_on(async {
                tokio::select! {
                    received = coming.recv() => Some(received),
                    () = closing.told.notified() => None,
                }
            });
            match received {
                Some(Ok(happening)) => return Some(happening),
                Some(Err(RecvError::Lagged(missed))) => self.drop_some(missed),
                Some(Err(RecvError::Closed)) => return None,
                None => {}
            }
        }
    }

    /// One that waits.
    fn take(&mut self) -> Option<Happening> {
        loop {
            match self.coming.try_recv() {
                Ok(happening) => return Some(happening),
                Err(TryRecvError::Lagged(missed)) => self.drop_some(missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    const fn drop_some(&mut self, count: u64) {
        self.report.dropped += count;
        self.untold += count;
    }

    fn send(&mut self, batch: &[Happening]) {
        // The end must not wait for a dead receiver again and again.
        if self.failing && self.closing.is_set.load(Ordering::Acquire) {
            self.drop_some(batch.len() as u64);
            return;
        }
        let sent = encode::logs(batch, self.untold)
            .and_then(|body| self.post.post(&[("content-type", "application/json")], body));
        match sent {
            Ok(()) => {
                self.report.sent += batch.len() as u64;
                self.untold = 0;
                self.failing = false;
            }
            Err(error) => {
                self.drop_some(batch.len() as u64);
                let why = format!("{error:#}");
                if !std::mem::replace(&mut self.failing, true) {
                    let mut stderr = std::io::stderr();
                    let _nobody_reads = writeln!(stderr, "otlp: events are dropped: {why}");
                }
                self.report.last_error = Some(why);
            }
        }
    }
}

#[cfg(test)]
mod tests;
