//! The dead man's switch of stopped processes: a small process of its own that continues them when
//! their time is over, or when the pipe from the lab closes, however the lab ended.
//!
//! It is told in lines, `hold PID START_TIME MILLISECONDS` and `release PID START_TIME`, and answers
//! each `hold` with a line that begins with the same word.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::Held;

/// Begin of an answer; what else the program prints before is not for us.
const ANSWER: &str = "bulkhead-guardian held ";
/// Lines of other output before the first answer.
const FOREIGN_LINES_MAX: usize = 100;
/// Processes that a guardian looks after.
const HELD_MAX: usize = 1_024;
/// How long a guardian may take to continue what it holds, at its end.
const END_TIMEOUT: Duration = Duration::from_millis(200);
/// Bytes of a line.
const LINE_BYTES_MAX: usize = 256;

/// How to start this program, or another one, in a role of the lab: as a process that does nothing but
/// call [`guard`], or [`carry`](crate::carry).
#[derive(Clone, Debug)]
pub struct GuardianCommand {
    /// The program; in `bulkhead` it is `bulkhead` itself.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// The lab's side. The guardian is started when it is first needed, and again if it is gone.
#[derive(Debug)]
pub(super) struct Guardian {
    command: GuardianCommand,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Nothing once it is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it has said that it looks after.
    held: HashSet<(u32, u64)>,
}

impl Guardian {
    pub(super) const fn new(command: GuardianCommand) -> Self {
        Self { command, running: Mutex::new(None) }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it if it is not there, so that the first that is to be held need not wait for it.
    pub(super) fn wake(&self) -> io::Result<()> {
        let mut place = self.running();
        if !place.as_mut().is_some_and(Running::is_alive) {
            *place = None;
            *place = Some(Running::start(&self.command)?);
        }
        Ok(())
    }

    /// Returns once the guardian knows of it, or at the deadline.
    pub(super) fn hold(
        &self,
        pid: u32,
        start_time: u64,
        time: Duration,
        deadline: Instant,
    ) -> io::Result<()> {
        self.wake()?;
        let mut place = self.running();
        let running = place.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let held = running.hold(pid, start_time, time, deadline);
        // One that is only slow is kept: it looks after others, and the next attempt finds it awake.
        if held.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::TimedOut) {
            *place = None;
        }
        held
    }

    /// It need not look after this process any more. If it is gone, it does not.
    pub(super) fn release(&self, pid: u32, start_time: u64) {
        if let Some(running) = &mut *self.running() {
            running.held.remove(&(pid, start_time));
            let _ = running.tell(&format!("release {pid} {start_time}\n"));
        }
    }

    /// Whether it is alive and looks after this process.
    pub(super) fn holds(&self, pid: u32, start_time: u64) -> bool {
        let mut running = self.running();
        running.as_mut().is_some_and(|it| it.held.contains(&(pid, start_time)) && it.is_alive())
    }
}

impl Running {
    fn start(command: &GuardianCommand) -> io::Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Whoever interrupts the lab from a terminal does not interrupt this.
            .process_group(0)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        match input.zip(output) {
            Some((input, output)) => {
                let output = BufReader::new(output);
                Ok(Self { child, input: Some(input), output, held: HashSet::new() })
            }
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// A whole line at once.
    fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(line.as_bytes())
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn hold(
        &mut self,
        pid: u32,
        start_time: u64,
        time: Duration,
        deadline: Instant,
    ) -> io::Result<()> {
        self.tell(&format!("hold {pid} {start_time} {}\n", time.as_millis()))?;
        let expected = format!("{pid} {start_time}");
        for _ in 0..FOREIGN_LINES_MAX {
            self.wait_for_output(deadline)?;
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // An answer to somebody who did not wait for it is passed over.
            let answer = line.split_once(ANSWER).map(|(_, answer)| answer.trim_end());
            if answer == Some(expected.as_str()) {
                self.held.insert((pid, start_time));
                return Ok(());
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// A guardian writes whole lines, so that one that has begun does not keep anybody waiting.
    fn wait_for_output(&self, deadline: Instant) -> io::Result<()> {
        if !self.output.buffer().is_empty() {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut descriptors = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Its end closes the pipe, at which the guardian continues what it holds and ends by itself; it is
/// waited for, so that no zombie stays behind.
impl Drop for Running {
    fn drop(&mut self) {
        self.input = None;
        let deadline = Instant::now() + END_TIMEOUT;
        while self.is_alive() && Instant::now() < deadline {
            thread::sleep(super::LOOK_INTERVAL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The guardian's side: looks after processes until the pipe on standard input closes; answers on
/// standard output. This is all that the program of a [`GuardianCommand`] does.
///
/// # Errors
/// If it cannot answer, which means that the lab is gone; all processes have been continued.
pub fn guard() -> io::Result<()> {
    // Not through the buffer of `stdin`, of which `poll` knows nothing.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut ward = Ward::default();
    let result = ward.serve(&mut input, &mut io::stdout());
    for (_, (held, _)) in ward.held {
        // One that cannot be continued by us is in the journal.
        let _ = held.signal(Signal::CONT);
    }
    result
}

#[derive(Default)]
struct Ward {
    held: HashMap<(u32, u64), (Held, Instant)>,
    line: Vec<u8>,
}

impl Ward {
    fn serve(&mut self, input: &mut File, output: &mut impl Write) -> io::Result<()> {
        loop {
            self.expire(Instant::now());
            if !self.wait(input)? {
                continue;
            }
            let mut bytes = [0; LINE_BYTES_MAX];
            let count = match input.read(&mut bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok(());
            }
            for byte in &bytes[..count] {
                if *byte == b'\n' {
                    let line = String::from_utf8_lossy(&self.line).into_owned();
                    self.line.clear();
                    self.obey(&line, output)?;
                } else if self.line.len() < LINE_BYTES_MAX {
                    self.line.push(*byte);
                }
            }
        }
    }

    /// Until there is something to read, or the time of a process is over: whether there is.
    fn wait(&self, input: &File) -> io::Result<bool> {
        let due = self.held.values().map(|(_, due)| *due).min();
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut descriptors = [PollFd::new(input, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn expire(&mut self, now: Instant) {
        self.held.retain(|_, (held, due)| {
            let over = *due <= now;
            if over {
                let _ = held.signal(Signal::CONT);
            }
            !over
        });
    }

    fn obey(&mut self, line: &str, output: &mut impl Write) -> io::Result<()> {
        let mut words = line.split(' ');
        let verb = words.next();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let pid = number().and_then(|pid| u32::try_from(pid).ok());
        let Some((pid, start_time)) = pid.zip(number()) else { return Ok(()) };
        match (verb, number()) {
            (Some("hold"), Some(ms)) if self.held.len() < HELD_MAX => {
                if let Some(held) = Held::open(pid, start_time)? {
                    let due = Instant::now() + Duration::from_millis(ms);
                    self.held.insert((pid, start_time), (held, due));
                }
                writeln!(output, "{ANSWER}{pid} {start_time}")?;
                output.flush()
            }
            (Some("release"), None) => {
                self.held.remove(&(pid, start_time));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
