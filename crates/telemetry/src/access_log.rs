//! The access log: one JSON object per line and exchange.
//!
//! A worker writes lines into a buffer of its own and hands whole buffers to the writer thread over
//! a bounded channel. When the disk or the reader of a pipe cannot follow, batches are dropped and
//! counted: a log never slows a request down.

mod line;
mod slowness;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bulkhead_message::{ExchangeRecord, RelayRecord};

pub use line::ACCESS_LOG_TEXT_BYTES_MAX;
pub use slowness::LogSlowness;

/// Bytes after which a worker's buffer is handed over. It may be longer by one line.
pub const ACCESS_LOG_BATCH_BYTES: usize = 32 * 1024;
/// Batches that may wait for the writer thread: 4 MB.
pub const ACCESS_LOG_QUEUE_BATCHES: usize = 128;

/// Where the lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output.
    #[default]
    Stdout,
    /// A file, made if it is not there (mode 0640), and appended to.
    File(PathBuf),
}

/// What is logged, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogOptions {
    /// Where the lines go.
    pub target: AccessLogTarget,
    /// Log queries. They often carry secrets, so by default only their presence is told.
    pub with_query: bool,
}

/// Why the access log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The file cannot be opened.
    #[error("open access log `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread cannot be started.
    #[error("start the access log's thread")]
    Spawn(#[source] io::Error),
}

enum Message {
    Batch { bytes: Vec<u8>, lines: u64 },
    Reopen,
    Close,
}

/// The log and its writer thread. The thread ends with [`AccessLog::close`], or when this and all
/// [`AccessLogWriter`]s are gone.
#[derive(Debug)]
pub struct AccessLog {
    sender: SyncSender<Message>,
    /// Lines that the thread could not write.
    failed: Arc<AtomicU64>,
    slowness: Arc<LogSlowness>,
    thread: JoinHandle<()>,
    with_query: bool,
}

impl AccessLog {
    /// Opens the target and starts the writer thread.
    ///
    /// # Errors
    /// If the file cannot be opened or the thread not be started.
    pub fn start(options: AccessLogOptions) -> Result<Self, AccessLogError> {
        let output = Output::open(options.target)?;
        let (sender, receiver) = sync_channel(ACCESS_LOG_QUEUE_BATCHES);
        let failed = Arc::new(AtomicU64::new(0));
        let failed_there = Arc::clone(&failed);
        let slowness = Arc::<LogSlowness>::default();
        let slowness_there = Arc::clone(&slowness);
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_batches(output, &receiver, &failed_there, &slowness_there))
            .map_err(AccessLogError::Spawn)?;
        Ok(Self { sender, failed, slowness, thread, with_query: options.with_query })
    }

    /// A writer for one worker.
    pub fn writer(&self) -> AccessLogWriter {
        AccessLogWriter {
            buffer: Vec::new(),
            lines: 0,
            dropped: 0,
            sender: self.sender.clone(),
            second: line::SecondText::default(),
            with_query: self.with_query,
        }
    }

    /// Opens the file anew, after what was handed over so far: for log rotation. If that fails,
    /// the old file is written on. Waits for room in the queue: not for workers.
    pub fn reopen(&self) {
        // The thread is gone only if it panicked; then there is nothing to open anew.
        let _ = self.sender.send(Message::Reopen);
    }

    /// How slow it is on purpose.
    pub fn slowness(&self) -> Arc<LogSlowness> {
        Arc::clone(&self.slowness)
    }

    /// Lines that could not be written because the disk refused them. Lines that found the queue
    /// full are counted by [`AccessLogWriter::dropped`].
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Writes what was handed over so far, and ends the thread. Writers still there drop their
    /// lines from now on.
    pub fn close(self) {
        if self.sender.send(Message::Close).is_ok() {
            // A panic of the thread was reported when it happened.
            let _ = self.thread.join();
        }
    }
}

/// The end of the access log that one worker holds.
#[derive(Debug)]
pub struct AccessLogWriter {
    buffer: Vec<u8>,
    lines: u64,
    dropped: u64,
    sender: SyncSender<Message>,
    second: line::SecondText,
    with_query: bool,
}

impl AccessLogWriter {
    /// Adds the line of one exchange that ended at `unix_time` (since 1970, UTC). Hands the buffer
    /// over when it is long enough; never blocks.
    pub fn write(&mut self, record: &ExchangeRecord<'_>, unix_time: Duration) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(ACCESS_LOG_BATCH_BYTES + 4 * 1024);
        }
        line::write(&mut self.buffer, record, unix_time, &mut self.second, self.with_query);
        self.line_written();
    }

    /// Logs one relay. As [`AccessLogWriter::write`].
    pub fn write_relay(&mut self, record: &RelayRecord<'_>, unix_time: Duration) {
        line::write_relay(&mut self.buffer, record, unix_time, &mut self.second);
        self.line_written();
    }

    fn line_written(&mut self) {
        self.lines += 1;
        if self.buffer.len() >= ACCESS_LOG_BATCH_BYTES {
            self.flush();
        }
    }

    /// Hands over what is buffered. Call it when the worker has nothing else to do, and at least
    /// once a second. Never blocks.
    pub fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        let bytes = std::mem::take(&mut self.buffer);
        let lines = std::mem::take(&mut self.lines);
        match self.sender.try_send(Message::Batch { bytes, lines }) {
            Ok(()) => {}
            Err(TrySendError::Full(returned) | TrySendError::Disconnected(returned)) => {
                self.dropped += lines;
                if let Message::Batch { mut bytes, .. } = returned {
                    bytes.clear();
                    self.buffer = bytes;
                }
            }
        }
    }

    /// Lines dropped because the queue was full, or the log closed.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Drop for AccessLogWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The open target.
struct Output {
    sink: Sink,
    path: Option<PathBuf>,
}

enum Sink {
    Stdout(io::Stdout),
    File(File),
}

impl Output {
    fn open(target: AccessLogTarget) -> Result<Self, AccessLogError> {
        match target {
            AccessLogTarget::Stdout => Ok(Self { sink: Sink::Stdout(io::stdout()), path: None }),
            AccessLogTarget::File(path) => match open_file(&path) {
                Ok(file) => Ok(Self { sink: Sink::File(file), path: Some(path) }),
                Err(source) => Err(AccessLogError::Open { path, source }),
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Sink::File(file) => file.write_all(bytes),
        }
    }

    fn reopen(&mut self) {
        if let Some(file) = self.path.as_ref().and_then(|path| open_file(path).ok()) {
            self.sink = Sink::File(file);
        }
    }
}

fn open_file(path: &std::path::Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

fn write_batches(
    mut output: Output,
    receiver: &Receiver<Message>,
    failed: &AtomicU64,
    slowness: &LogSlowness,
) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Batch { bytes, lines } => {
                slowness.dawdle();
                if output.write(&bytes).is_err() {
                    failed.fetch_add(lines, Relaxed);
                }
            }
            Message::Reopen => output.reopen(),
            Message::Close => return,
        }
    }
}

#[cfg(test)]
mod tests;
