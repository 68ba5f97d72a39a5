//! Programs of an experiment: each in a process group of its own, so that it ends with all that it began.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_experiment::{Arguments, Outcome, ProcessCall, ProcessReply};
use rustix::process::{Pid, Signal, kill_process_group};

use super::drive::Cancelled;
use super::surroundings::Surroundings;

/// Output that is kept, of each of the two; the rest is read and dropped.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// How often it is looked whether the program has ended.
const POLL: Duration = Duration::from_millis(5);
/// What a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(1);

/// Runs it to its end, its timeout, or until nobody waits for it.
pub(super) fn call(
    call: &ProcessCall,
    surroundings: &Surroundings,
    cancelled: &Cancelled,
) -> Result<Outcome, String> {
    let path = surroundings
        .program(&call.path)
        .ok_or_else(|| format!("`{}` is no program that may be run", call.path))?;
    let mut command = match &call.arguments {
        Arguments::List(arguments) => {
            let mut command = Command::new(&path);
            command.args(arguments);
            command
        }
        Arguments::Shell(text) => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(format!("{} {text}", path.display()));
            command
        }
    };
    command.envs(surroundings.given()).process_group(0).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("run `{}`: {error}", call.path))?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    loop {
        let ended =
            child.try_wait().map_err(|error| format!("wait for `{}`: {error}", call.path))?;
        if let Some(status) = ended {
            let reply = ProcessReply {
                status: code(status),
                stdout: collect(&stdout),
                stderr: collect(&stderr),
            };
            return Ok(Outcome::Process(reply));
        }
        if cancelled.is_set() || began.elapsed() >= call.timeout {
            end(&mut child);
            return Err("process activity took too long to complete".to_owned());
        }
        thread::sleep(POLL);
    }
}

/// As Python has it: the number of a signal, negative.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(-1)
}

/// Asks the whole group to end, and after a while makes it.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(group) = group else { return };
    // It may have ended in between: then there is nothing to end.
    let _gone = kill_process_group(group, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        thread::sleep(POLL);
    }
    let _gone = kill_process_group(group, Signal::KILL);
    let _reaped = child.wait();
}

/// Reads a pipe to its end in a thread of its own, so that the program never waits for us.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let body = move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let mut limited = pipe.take(OUTPUT_BYTES_MAX);
            // What was read until something went wrong is what there is.
            let _read = limited.read_to_end(&mut bytes);
            let mut rest = limited.into_inner();
            let _dropped = std::io::copy(&mut rest, &mut std::io::sink());
        }
        let _nobody_waits = sender.send(bytes);
    };
    // Without a thread there is no output; the sender is dropped and nobody waits for it.
    let _started = thread::Builder::new().name("output".to_owned()).spawn(body);
    receiver
}

/// What was written. A program that lives on in the background may hold the pipe: it is not waited for.
fn collect(output: &Receiver<Vec<u8>>) -> Vec<u8> {
    output.recv_timeout(GRACE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bulkhead_experiment::{Arguments, Outcome, ProcessCall, ProcessReply};

    use super::super::drive::Cancelled;
    use super::super::surroundings::Surroundings;
    use super::call;

    fn run(path: &str, arguments: Arguments, timeout: Duration) -> Result<ProcessReply, String> {
        let surroundings = Surroundings::new(&[("EXPERIMENT".to_owned(), "seen".to_owned())]);
        let process = ProcessCall { path: path.to_owned(), arguments, timeout };
        match call(&process, &surroundings, &Cancelled::default())? {
            Outcome::Process(reply) => Ok(reply),
            other => panic!("{other:?}"),
        }
    }

    fn list(words: &[&str]) -> Arguments {
        Arguments::List(words.iter().map(|word| (*word).to_owned()).collect())
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn status_and_output_are_taken_in() {
        let reply = run("sh", list(&["-c", "echo out; echo err >&2; exit 3"]), LONG).unwrap();
        assert_eq!(
            (reply.status, reply.stdout, reply.stderr),
            (3, b"out\n".to_vec(), b"err\n".to_vec())
        );
        let reply = run("sh", list(&["-c", "kill -9 $$"]), LONG).unwrap();
        assert_eq!(reply.status, -9);
        let shell = Arguments::Shell("a  b | tr a-z A-Z; echo $EXPERIMENT".to_owned());
        assert_eq!(run("echo", shell, LONG).unwrap().stdout, b"A B\nseen\n");
        assert!(run("no-such-program", list(&[]), LONG).unwrap_err().contains("no program"));
    }

    #[test]
    fn a_timeout_ends_the_program_and_all_that_it_began() {
        let began = Instant::now();
        let script = "sleep 600 & echo $! > \"$0\"; wait";
        let scratch = bulkhead_testkit::Scratch::new();
        let file = scratch.write("pid", "").display().to_string();
        let arguments = list(&["-c", script, &file]);
        let error = run("sh", arguments, Duration::from_millis(500)).unwrap_err();
        assert!(error.contains("took too long"), "{error}");
        assert!(began.elapsed() < LONG);
        let pid = std::fs::read_to_string(&file).unwrap();
        // Gone, or waiting to be collected by whoever adopted it.
        let lives = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        while lives() {
            assert!(began.elapsed() < LONG, "the child lives on");
            std::thread::yield_now();
        }
    }
}
