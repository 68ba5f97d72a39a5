//! The lab that is measured: `bulkhead chaos serve` as a process of its own, which may be killed at any
//! moment and is started again then.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bulkhead_lab::Endpoint;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::marked;
use crate::chaos::{Answer, Client};

/// Until a lab that was killed answers again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// A lab at work.
pub(super) struct BenchLab {
    directory: PathBuf,
    child: Mutex<Child>,
    client: Client,
    pub(super) steps: Arc<Steps>,
}

/// Changes of state of all injections so far.
#[derive(Default)]
pub(super) struct Steps {
    count: Mutex<u64>,
    more: Condvar,
}

impl BenchLab {
    pub(super) fn start(directory: PathBuf) -> anyhow::Result<Self> {
        let steps = Arc::<Steps>::default();
        let child = Mutex::new(serve(&directory, &steps)?);
        let socket = bulkhead_lab::socket_path(&directory);
        let client = Client::new(Endpoint::Unix(socket), None, false);
        Ok(Self { directory, child, client, steps })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Asks until it answers: it may have been killed meanwhile, and everything that is asked here may
    /// be asked again.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.client.ask(method, path, body) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) if Instant::now() < deadline => {}
                Err(_) if Instant::now() < deadline => {}
                Ok(None) => bail!("the lab is gone"),
                Err(error) => return Err(error),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Asks until the answer is so.
    pub(super) fn wait(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("GET", path, "")?.document;
            if is_so(&answer) || Instant::now() >= deadline {
                return Ok(answer);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Kills it and starts the next one with the same directory.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().context("kill the lab")?;
        child.wait().context("wait for the lab's end")?;
        *child = serve(&self.directory, &self.steps)?;
        Ok(())
    }

    /// Ends it as a user would, and says whether it has taken everything back.
    pub(super) fn end(&self) -> anyhow::Result<bool> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        kill_process(Pid::from_child(&child), Signal::TERM).context("end the lab")?;
        Ok(child.wait().context("wait for the lab's end")?.success())
    }
}

impl Drop for BenchLab {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn serve(directory: &Path, steps: &Arc<Steps>) -> anyhow::Result<Child> {
    let told = directory.with_extension("log");
    let log = File::options().append(true).create(true).open(&told).context("open a log")?;
    let mut child = marked(std::env::current_exe().context("find this program")?)
        .args(["chaos", "serve", "--allow-commands", "--log-format", "json", "--state"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start a lab")?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let (output, errors) = output.zip(errors).context("hear the lab")?;
    let steps = Arc::clone(steps);
    thread::spawn(move || count(BufReader::new(errors), log, &steps));
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("hear the lab")?;
    if !line.starts_with("chaos lab on ") {
        let _ = child.kill();
        let _ = child.wait();
        bail!("the lab did not start; see `{}`", told.display());
    }
    Ok(child)
}

/// Each line of JSON is a change of state; others are kept.
fn count(errors: impl BufRead, mut log: File, steps: &Steps) {
    for line in errors.lines().map_while(Result::ok) {
        if line.starts_with('{') {
            *steps.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            steps.more.notify_all();
        } else {
            use std::io::Write as _;
            let _ = writeln!(log, "{line}");
        }
    }
}

impl Steps {
    /// Waits until there were so many, and says whether there were.
    pub(super) fn wait_until(&self, due: u64, is_over: impl Fn() -> bool) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count < due && !is_over() {
            let waited = self.more.wait_timeout(count, PAUSE);
            count = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *count >= due
    }
}
