//! The child's side: takes one task from standard input, carries it out, and ends when the pipe from the
//! lab closes or its time is over.
//!
//! A child that is load is also ended by the kernel: when the thread that started it ends
//! (`PR_SET_PDEATHSIG`) and by an alarm at the end of its time, however busy or stopped it is.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use super::task::{Kept, Task};

/// Begin of the answer; what else the program prints before is not for the lab.
pub(super) const ANSWER: &str = "bulkhead-host ";
/// The answer when the task is in force.
pub(super) const IN_FORCE: &str = "in force";
/// Bytes of an assignment.
const ASSIGNMENT_BYTES_MAX: usize = 64 << 10;

/// The line on standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) task: Task,
    pub(super) left_ms: u64,
    /// `cgroup.procs` of the control group to be in.
    pub(super) join: Option<PathBuf>,
}

/// Carries out one task that the lab gives on standard input. This is all that the program does which a
/// [`HostInjector`](super::HostInjector) is made with.
///
/// # Errors
/// If it cannot be carried out, or not be taken back.
pub fn carry() -> io::Result<()> {
    // Not through the buffer of `stdin`, of which `poll` knows nothing.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Some(line) = read_line(&mut input)? else { return Ok(()) };
    let assignment: Assignment = serde_json::from_slice(&line)?;
    let due = Instant::now() + Duration::from_millis(assignment.left_ms);
    let task = &assignment.task;
    match begin(&assignment) {
        Ok(kept) => {
            // If nobody hears it the pipe is closed, and that is seen next.
            let _ = answer(IN_FORCE);
            let waited = wait(&input, due);
            task.work().restore()?;
            drop(kept);
            waited
        }
        Err(error) => {
            let _ = answer(&format!("failed: {error}"));
            task.work().restore()?;
            Err(error)
        }
    }
}

fn begin(assignment: &Assignment) -> io::Result<Kept> {
    if assignment.task.limit().is_none() {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        bulkhead_transport::end_process_after(Duration::from_millis(assignment.left_ms));
        // Better this than what is tested.
        let _ = fs::write("/proc/self/oom_score_adj", "1000");
    }
    if let Some(group) = &assignment.join {
        fs::write(group, "0")?;
    }
    assignment.task.work().begin()
}

fn answer(text: &str) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{ANSWER}{text}")?;
    output.flush()
}

/// Nothing if the lab is gone before it has said all.
fn read_line(input: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < ASSIGNMENT_BYTES_MAX {
        match input.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) if byte[0] == b'\n' => return Ok(Some(line)),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// Until the pipe closes (nothing else is said on it) or the time is over.
fn wait(input: &File, due: Instant) -> io::Result<()> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut descriptors = [PollFd::new(input, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) if !left.is_zero() => {}
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
