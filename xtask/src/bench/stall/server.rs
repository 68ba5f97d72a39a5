//! A server for one experiment: each answer takes a known time, and once all of them freeze for a
//! known time. A thread for each connection; it speaks just enough HTTP/1.1 for requests without body,
//! and is a stand-in for nothing else.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::theory::Experiment;

/// The request that sets the clock: no warm-up or first look sends so many.
const CLOCK_REQUEST: u64 = 100;
/// Connections at once, and in all.
const CONNECTIONS_MAX: usize = 1_000;
/// By how much the kernel lets a sleep last longer, unless told otherwise.
const TIMER_SLACK: Duration = Duration::from_micros(50);
const HEAD_BYTES_MAX: usize = 16 * 1024;
const POLL: Duration = Duration::from_millis(1);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The server while it runs.
pub(crate) struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Pace {
    answer: Duration,
    stall_after: Duration,
    stall: Duration,
    requests: AtomicU64,
    stall_begin: OnceLock<Instant>,
}

impl Server {
    /// Listens; each server stalls once.
    pub(crate) fn start(experiment: &Experiment) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listen for the experiment")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let milliseconds = |number: u32| Duration::from_millis(u64::from(number));
        let pace = Arc::new(Pace {
            answer: milliseconds(experiment.answer_ms),
            stall_after: milliseconds(experiment.stall_after_ms),
            stall: milliseconds(experiment.stall_ms),
            requests: AtomicU64::new(0),
            stall_begin: OnceLock::new(),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || accept(&listener, &pace, &stopped));
        Ok(Self { port, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It cannot have failed in a way that matters now.
            let _ended = thread.join();
        }
    }
}

/// Accepts until told to stop. The threads of the connections end with their connections.
fn accept(listener: &TcpListener, pace: &Arc<Pace>, stop: &AtomicBool) {
    let mut accepted = 0;
    while !stop.load(Ordering::Acquire) && accepted < CONNECTIONS_MAX {
        match listener.accept() {
            Ok((stream, _)) => {
                accepted += 1;
                let pace = Arc::clone(pace);
                thread::spawn(move || serve(stream, &pace));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(POLL),
            Err(_) => return,
        }
    }
}

fn serve(mut stream: TcpStream, pace: &Pace) {
    if stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true)).is_err() {
        return;
    }
    let mut input = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            input.drain(..end + 4);
            let due = pace.due(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now() + TIMER_SLACK));
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 && input.len() < HEAD_BYTES_MAX => {
                input.extend_from_slice(&buffer[..count]);
            }
            _ => return,
        }
    }
}

impl Pace {
    /// When a request that came at `now` is answered.
    fn due(&self, now: Instant) -> Instant {
        if self.requests.fetch_add(1, Ordering::Relaxed) + 1 == CLOCK_REQUEST {
            self.stall_begin.get_or_init(|| now + self.stall_after);
        }
        let due = now + self.answer;
        match self.stall_begin.get() {
            Some(&begin) if now >= begin && now < begin + self.stall => {
                begin + self.stall + self.answer
            }
            Some(&begin) if now < begin && due > begin => due + self.stall,
            _ => due,
        }
    }
}
