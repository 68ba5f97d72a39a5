//! The lab's side: children that carry faults, by the id of their injection.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::ChaosId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::carry::{ANSWER, Assignment, IN_FORCE};
use super::task::Task;
use crate::process::{Held, LOOK_INTERVAL, Stat};
use crate::{Evidence, GuardianCommand, InjectError};

/// In the environment of a child: the id of its injection.
const ID_VARIABLE: &str = "BULKHEAD_CHAOS_ID";
/// Lines of other output before the answer.
const FOREIGN_LINES_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Children {
    command: GuardianCommand,
    running: Mutex<HashMap<ChaosId, Arc<Running>>>,
    /// How children ended that were not told to, until their injection is seen to be gone.
    lost: Mutex<HashMap<ChaosId, String>>,
}

#[derive(Debug)]
pub(crate) struct Running {
    pid: u32,
    child: Mutex<Child>,
    /// Its end is the child's.
    _input: ChildStdin,
    output: Mutex<BufReader<ChildStdout>>,
    in_force: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    pub(crate) fn new(command: GuardianCommand) -> Self {
        Self { command, running: Mutex::default(), lost: Mutex::default() }
    }

    pub(crate) fn find(&self, id: ChaosId) -> Option<Arc<Running>> {
        lock(&self.running).get(&id).cloned()
    }

    /// What was seen, and how the child of the injection ended if it did before it was told to; told once.
    pub(crate) fn telling_how_lost(&self, id: ChaosId, mut evidence: Evidence) -> Evidence {
        if let Some(how) = lock(&self.lost).remove(&id) {
            evidence.seen += &format!("; before that, injection lost: {how}");
        }
        evidence
    }

    /// Returns once the child says that its task is in force. One that was started by an attempt before
    /// and was slow is waited for again.
    pub(crate) fn start(
        &self,
        id: ChaosId,
        task: &Task,
        left: Duration,
        deadline: Instant,
    ) -> Result<(), InjectError> {
        let child = match self.find(id) {
            Some(child) => child,
            None => {
                let started = Running::start(&self.command, id, task, left);
                let started = started.map_err(|error| InjectError::Transient(error.to_string()))?;
                let started = Arc::new(started);
                lock(&self.running).insert(id, Arc::clone(&started));
                started
            }
        };
        child.wait_until_in_force(deadline)
    }

    /// Ends the child of an injection, also one that an earlier lab has started.
    pub(crate) fn end(&self, id: ChaosId, deadline: Instant) -> io::Result<()> {
        if let Some(child) = lock(&self.running).remove(&id) {
            // One whose environment is gone ends by itself, and can be waited for in a moment.
            let is_ending = !pids(id).contains(&child.pid);
            let how = if is_ending { Some(child.wait_until_lost(deadline)) } else { child.lost() };
            if let Some(how) = how {
                lock(&self.lost).insert(id, how);
            }
            child.kill()?;
        }
        for pid in pids(id) {
            if let Ok(stat) = Stat::read(pid)
                && let Some(held) = Held::open(pid, stat.start_time)?
            {
                held.signal(Signal::KILL)?;
            }
        }
        while !pids(id).is_empty() {
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a child does not end"));
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }
}

impl Running {
    fn start(
        command: &GuardianCommand,
        id: ChaosId,
        task: &Task,
        left: Duration,
    ) -> io::Result<Self> {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let assignment = Assignment { task: task.clone(), left_ms, join: task.join() };
        let mut line = serde_json::to_vec(&assignment)?;
        line.push(b'\n');
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .env(ID_VARIABLE, id.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Whoever interrupts the lab from a terminal does not interrupt this.
            .process_group(0)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let Some((mut input, output)) = input.zip(output) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        // One that does not read it has ended, which is seen where its answer is waited for.
        let _ = input.write_all(&line);
        Ok(Self {
            pid: child.id(),
            child: Mutex::new(child),
            _input: input,
            output: Mutex::new(BufReader::new(output)),
            in_force: AtomicBool::new(false),
        })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub(crate) fn lost(&self) -> Option<String> {
        let status = lock(&self.child).try_wait();
        status.ok().flatten().map(describe)
    }

    /// One that has closed its pipe is about to end; giving much memory back takes a while.
    fn wait_until_lost(&self, deadline: Instant) -> String {
        loop {
            if let Some(how) = self.lost() {
                return how;
            }
            if Instant::now() + LOOK_INTERVAL >= deadline {
                return "the child closed its pipe".to_owned();
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }

    fn kill(&self) -> io::Result<()> {
        let mut child = lock(&self.child);
        child.kill()?;
        child.wait().map(|_| ())
    }

    fn wait_until_in_force(&self, deadline: Instant) -> Result<(), InjectError> {
        if self.in_force.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut output = lock(&self.output);
        for _ in 0..FOREIGN_LINES_MAX {
            if output.buffer().is_empty() && !is_readable(output.get_ref(), deadline) {
                return Err(InjectError::Unknown("the child is not done yet".to_owned()));
            }
            let mut line = String::new();
            match output.read_line(&mut line) {
                Ok(0) | Err(_) => {
                    let how = self.wait_until_lost(deadline);
                    return Err(InjectError::Permanent(format!("injection lost: {how}")));
                }
                Ok(_) => {}
            }
            match line.split_once(ANSWER).map(|(_, answer)| answer.trim_end()) {
                Some(IN_FORCE) => {
                    self.in_force.store(true, Ordering::Release);
                    return Ok(());
                }
                Some(failed) => return Err(InjectError::Permanent(failed.to_owned())),
                None => {}
            }
        }
        Err(InjectError::Permanent("the child says something else".to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends by itself when its pipe closes; so it leaves no zombie either.
        let _ = self.kill();
    }
}

fn is_readable(output: &ChildStdout, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let Ok(timeout) = Timespec::try_from(left) else { return false };
    let mut descriptors = [PollFd::new(output, PollFlags::IN)];
    poll(&mut descriptors, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(9) => "the child was killed, as the kernel does when no memory is left".to_owned(),
        Some(14) => "its time is over".to_owned(),
        _ => format!("the child ended with {status}"),
    }
}

/// Processes that carry an injection. Those that have ended and only wait to be noticed have no
/// environment any more.
pub(super) fn pids(id: ChaosId) -> Vec<u32> {
    with_variable(&format!("{ID_VARIABLE}={id}"))
}

/// Processes with this in their environment.
pub(crate) fn with_variable(setting: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        // Of processes of others it cannot be read; they are none of ours.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|it| it == setting.as_bytes())
    };
    pids.filter(has).collect()
}
