//! The gateway as the chores use it: built for release, or started in front of its own origin.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, find_program, run, target_directory};

const POLL: Duration = Duration::from_millis(20);
/// A minute: some load 10,000 certificates first.
const STARTUP_POLLS: u32 = 3_000;
const SHUTDOWN_POLLS: u32 = 100;

/// Builds `bulkhead` for release and says where it is.
pub(crate) fn build_release() -> Result<PathBuf> {
    run(cargo().args(["build", "-q", "--release", "-p", "bulkhead-cli"]))?;
    Ok(target_directory().join("release/bulkhead"))
}

/// The same as for tests: sooner built, and fast enough where nothing is measured.
pub(crate) fn build_debug() -> Result<PathBuf> {
    run(cargo().args(["build", "-q", "-p", "bulkhead-cli"]))?;
    Ok(target_directory().join("debug/bulkhead"))
}

/// A server that ends with us.
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts it with its output in `log`, and waits until it accepts connections.
    pub(crate) fn start(command: &Command, port: u16, log: &Path) -> Result<Self> {
        let started = || format!("start {}", command.get_program().to_string_lossy());
        let output = fs::File::create(log).context("create the log")?;
        let child = ending_with_us(command)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(started)?;
        let mut guard = Self(child);
        guard.wait_for(port, log).with_context(started)?;
        Ok(guard)
    }

    /// Starts `bulkhead run` with this configuration, `NAME.yaml` in `directory`; its output is in
    /// `NAME.log` there.
    pub(crate) fn gateway(
        bulkhead: &Path,
        directory: &Path,
        name: &str,
        configuration: &str,
        port: u16,
    ) -> Result<Self> {
        let config = directory.join(format!("{name}.yaml"));
        fs::write(&config, configuration).context("write the configuration")?;
        let mut command = Command::new(bulkhead);
        command.args(["run", "--config"]).arg(&config);
        Self::start(&command, port, &directory.join(format!("{name}.log")))
    }

    /// Its process identifier.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Is it still running?
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Ends it with SIGKILL; its sockets are closed when this returns.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.0.kill().context("kill a server")?;
        self.0.wait().context("wait for a server").map(|_| ())
    }

    fn wait_for(&mut self, port: u16, log: &Path) -> Result<()> {
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
        bail!("it does not listen after 60 s; its log is {}", log.display())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Once it is known to have ended, its identifier may be another process's.
        if !self.is_running() {
            return;
        }
        // SIGTERM first: a master process then takes its workers along.
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        for _ in 0..SHUTDOWN_POLLS {
            if !self.is_running() {
                return;
            }
            thread::sleep(POLL);
        }
        let _killed = self.kill();
    }
}

/// The command, to which the kernel sends SIGTERM when we end in a way that drops nothing, such as by
/// a signal. Only where there is util-linux. (It is the thread that starts it that must not end.)
pub(crate) fn ending_with_us(command: &Command) -> Command {
    let Some(setpriv) = find_program("setpriv") else {
        return with_surroundings(Command::new(command.get_program()), command);
    };
    let mut wrapped = Command::new(setpriv);
    wrapped.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program());
    with_surroundings(wrapped, command)
}

/// Arguments, environment and directory of another command.
fn with_surroundings(mut command: Command, of: &Command) -> Command {
    command.args(of.get_args());
    for (name, value) in of.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(directory) = of.get_current_dir() {
        command.current_dir(directory);
    }
    command
}

/// What the admin server on this port answers to `GET` of a path, its head included.
pub(crate) fn admin_page(port: u16, path: &str) -> Result<String> {
    let mut socket =
        TcpStream::connect(("127.0.0.1", port)).context("connect to the admin server")?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("ask for a free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests;
