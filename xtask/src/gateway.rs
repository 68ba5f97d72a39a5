//! The gateway as the chores use it: built for release, or started in front of its own origin.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, run, target_directory};

const POLL: Duration = Duration::from_millis(20);
const STARTUP_POLLS: u32 = 500;
const SHUTDOWN_POLLS: u32 = 100;

/// Builds `bulkhead` for release and says where it is.
pub(crate) fn build_release() -> Result<PathBuf> {
    run(cargo().args(["build", "-q", "--release", "-p", "bulkhead-cli"]))?;
    Ok(target_directory().join("release/bulkhead"))
}

/// A child that ends with us.
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts it with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = fs::File::create(log).context("create the log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().to_string_lossy()))?;
        Ok(Self(child))
    }

    /// Its process identifier.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Is it still running?
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits until it accepts connections.
    pub(crate) fn wait_for(&mut self, port: u16, log: &Path) -> Result<()> {
        for _ in 0..STARTUP_POLLS {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                let text = fs::read_to_string(log).unwrap_or_default();
                bail!("it ended with {status} instead of listening:\n{text}");
            }
            thread::sleep(POLL);
        }
        bail!("it does not listen after 10 s; its log is {}", log.display())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SIGTERM first: a master process then takes its workers along.
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        for _ in 0..SHUTDOWN_POLLS {
            if !self.is_running() {
                return;
            }
            thread::sleep(POLL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("ask for a free port")?;
    Ok(listener.local_addr()?.port())
}
