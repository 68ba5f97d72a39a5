//! Starting and ending a run; rows come out while it goes on.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::options::LoadOptions;
use crate::report::{Latencies, LoadReport, Row};
use crate::tally::{Slice, Tally};
use crate::worker::Worker;
use crate::workload::Workload;

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not one connection to a target came up.
    #[error("connect to {address}: {cause}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// The last reason.
        cause: String,
        /// TCP came up and TLS did not.
        tls: bool,
    },
    /// The system refuses a thread, a poll or a timer.
    #[error("start the load generator")]
    System(#[from] io::Error),
}

/// What a thread tells the owner.
pub(crate) enum Message {
    /// Its connections are up; or none to a target came up.
    Ready(Result<(), Refusal>),
    /// A second is over.
    Second(Box<Slice>),
    /// It has ended.
    Done(Box<Tally>),
    /// It is gone: seconds from this one on, and the tally, come without it.
    Lost(u64),
}

/// Why no connection to a target came up.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) target: usize,
    pub(crate) cause: String,
    pub(crate) tls: bool,
}

/// A run going on. Dropping it ends it.
#[derive(Debug)]
pub struct Load {
    options: Arc<LoadOptions>,
    messages: Receiver<Message>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    started: Instant,
    /// Threads, or agents, that each second has to come from.
    parts: usize,
    /// Seconds that not all of them have told of: parts missing, sum so far.
    pending: BTreeMap<u64, (usize, Slice)>,
    /// Those that all have told of, not yet taken.
    complete: VecDeque<Slice>,
    rows: Vec<Row>,
    /// Latencies of the last row.
    last: Latencies,
    tally: Tally,
    running: usize,
}

impl Load {
    /// Opens the connections, and begins when they are up. `workload` makes one for each thread.
    ///
    /// # Errors
    /// If no connection comes up, or the system refuses what a thread needs.
    pub fn start(
        options: LoadOptions,
        workload: impl FnMut(usize) -> Box<dyn Workload>,
    ) -> Result<Self, LoadError> {
        Ok(Self::prepare(options, workload)?.begin(Instant::now()))
    }

    /// Opens the connections, and waits until they are up.
    pub(crate) fn prepare(
        options: LoadOptions,
        mut workload: impl FnMut(usize) -> Box<dyn Workload>,
    ) -> Result<Prepared, LoadError> {
        let options = Arc::new(options);
        let threads = options.threads.max(1);
        let stop = Arc::new(AtomicBool::new(false));
        // Bounded, and never full: a thread sends a message each second and a few besides.
        let seconds = options.whole().saturating_add(options.timeout).as_secs() as usize;
        let capacity = threads.saturating_mul(seconds.min(86_400)) + 64;
        let first = options.parts().first;
        let (sender, messages) = sync_channel(capacity);
        let (mut handles, mut starts) = (Vec::new(), Vec::new());
        for number in 0..threads {
            let worker = Worker::new(
                Arc::clone(&options),
                first + number,
                workload(first + number),
                Arc::clone(&stop),
                sender.clone(),
            )?;
            let (start, started) = sync_channel(1);
            starts.push(start);
            let name = format!("load-{}", first + number);
            handles.push(std::thread::Builder::new().name(name).spawn(move || {
                run_worker(worker, &started);
            })?);
        }
        drop(sender);
        let mut load = Self::new(options, messages, handles, stop, threads);
        load.await_ready(&starts)?;
        Ok(Prepared { starts, load })
    }

    /// A run whose parts, threads or agents, send messages and look at `stop`.
    pub(crate) fn new(
        options: Arc<LoadOptions>,
        messages: Receiver<Message>,
        threads: Vec<JoinHandle<()>>,
        stop: Arc<AtomicBool>,
        parts: usize,
    ) -> Self {
        Self {
            tally: Tally::new(options.classes.len(), 0..u64::MAX),
            options,
            messages,
            threads,
            stop,
            started: Instant::now(),
            parts,
            pending: BTreeMap::new(),
            complete: VecDeque::new(),
            rows: Vec::new(),
            last: Latencies::default(),
            running: parts,
        }
    }

    /// Says when the first request is due, for parts that have begun already.
    pub(crate) const fn begun_at(mut self, started: Instant) -> Self {
        self.started = started;
        self
    }

    fn await_ready(&mut self, starts: &[SyncSender<Instant>]) -> Result<(), LoadError> {
        for _ in starts {
            let refusal = match self.messages.recv() {
                Ok(Message::Ready(Ok(()))) => continue,
                Ok(Message::Ready(Err(refusal))) => refusal,
                _ => return Err(io::Error::other("the generator's thread has ended").into()),
            };
            let Refusal { target, cause, tls } = refusal;
            let address = self.options.targets[target].address;
            return Err(LoadError::Connect { address, cause, tls });
        }
        Ok(())
    }

    /// When the first request was due, of the warm-up if there is one.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Latencies of the right answers of the row that [`Self::next_row`] gave last.
    pub const fn last_latencies(&self) -> &Latencies {
        &self.last
    }

    /// Waits at most `wait` for the next second to be complete. `None`: not yet, or all is over
    /// ([`Self::is_over`]).
    pub fn next_row(&mut self, wait: Duration) -> Option<&Row> {
        let second = self.next_second(wait)?;
        self.rows.push(Row::of(&second));
        self.last = Latencies(second.latency);
        self.rows.last()
    }

    /// As [`Self::next_row`], not yet summed up.
    pub(crate) fn next_second(&mut self, wait: Duration) -> Option<Slice> {
        let until = Instant::now() + wait;
        while self.running > 0 && self.complete.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) => self.on_message(message),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => self.running = 0,
            }
        }
        self.complete.pop_front()
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Ready(_) => {}
            Message::Done(tally) => {
                self.running = self.running.saturating_sub(1);
                self.tally.merge(&tally);
            }
            Message::Second(slice) => {
                let second = slice.second;
                let parts = self.parts;
                let (missing, sum) = self
                    .pending
                    .entry(second)
                    .or_insert_with(|| (parts, Slice::new(second, slice.ok.len())));
                *missing = missing.saturating_sub(1);
                sum.merge(&slice);
                self.take_complete();
            }
            Message::Lost(from) => {
                self.running = self.running.saturating_sub(1);
                self.parts = self.parts.saturating_sub(1);
                for (_, (missing, _)) in self.pending.range_mut(from..) {
                    *missing = missing.saturating_sub(1);
                }
                self.take_complete();
            }
        }
    }

    fn take_complete(&mut self) {
        let complete = self.pending.extract_if(.., |_, (missing, _)| *missing == 0);
        self.complete.extend(complete.map(|(_, (_, sum))| sum));
    }

    /// Whether every thread has ended.
    pub const fn is_over(&self) -> bool {
        self.running == 0
    }

    /// Sends nothing more; what is in flight may still be answered.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Waits for the end and tells what was seen.
    pub fn finish(mut self) -> LoadReport {
        let (tally, seconds) = self.wait();
        let elapsed = self.started.elapsed().saturating_sub(self.options.warmup);
        self.rows.extend(seconds.iter().map(Row::of));
        self.rows.sort_by_key(|row| row.second);
        // A run that was stopped did not have its whole duration.
        let scheduled = elapsed.min(self.options.duration);
        let rows = std::mem::take(&mut self.rows);
        let names: Vec<String> =
            self.options.classes.iter().map(|class| class.name.clone()).collect();
        LoadReport::new(&tally, &names, rows, scheduled, elapsed)
    }

    /// Waits for the end. Gives all that was seen, and the seconds that nobody has taken, in order.
    pub(crate) fn wait(&mut self) -> (Tally, Vec<Slice>) {
        let mut seconds = Vec::new();
        while !self.is_over() {
            seconds.extend(self.next_second(Duration::from_secs(1)));
        }
        seconds.extend(self.complete.drain(..));
        let pending = std::mem::take(&mut self.pending);
        seconds.extend(pending.into_values().map(|(_, sum)| sum));
        seconds.sort_by_key(|slice| slice.second);
        (std::mem::replace(&mut self.tally, Tally::new(0, 0..0)), seconds)
    }
}

/// A run whose connections are up. Dropping it closes them.
pub(crate) struct Prepared {
    /// Before the load, so that no thread waits for its start while the load waits for the thread.
    starts: Vec<SyncSender<Instant>>,
    load: Load,
}

impl Prepared {
    /// Lets the threads begin; `at` is when the first request is due, and not in the future.
    pub(crate) fn begin(self, at: Instant) -> Load {
        for start in &self.starts {
            // A thread that has ended shows in its missing `Done`.
            let _ended = start.send(at);
        }
        self.load.begun_at(at)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
        // Threads end on their own once nothing is in flight; the channel must not hold them up.
        while self.running > 0 && self.messages.recv_timeout(self.options.timeout).is_ok() {}
        for thread in self.threads.drain(..) {
            if thread.is_finished() {
                let _panicked = thread.join();
            }
        }
    }
}

fn run_worker(mut worker: Worker, started: &Receiver<Instant>) {
    if worker.connect_all()
        && let Ok(start) = started.recv()
    {
        worker.run(start);
    }
}

#[cfg(test)]
mod tests;
