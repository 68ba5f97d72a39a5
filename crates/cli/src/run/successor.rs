//! The executable is started anew, with the same arguments, as a process that goes on in place of
//! this one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::channel::{Channel, Message, Offer};

/// Tells a process what the socket at its standard input is for: [`UPGRADE`] or [`SUPERVISE`].
pub(super) const HANDOVER: &str = "BULKHEAD_HANDOVER";
/// It goes on in place of a process that ends once it is ready.
pub(super) const UPGRADE: &str = "upgrade";
/// A supervisor keeps it running.
pub(super) const SUPERVISE: &str = "supervise";

/// How long a process that has given up may take to exit.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executable {
    /// As it was called, not as links resolve: an upgrade puts another file there.
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Executable {
    /// That of this process. Found at the start: the directory and the file may change later.
    pub(super) fn of_process() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let called = arguments.next().unwrap_or_default();
        let found = called_path(&called, std::env::var_os("PATH").as_deref())?;
        let path = if found.is_file() { found } else { std::env::current_exe()? };
        Ok(Self { path, arguments: arguments.collect() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it and gives it the offer.
    pub(super) fn start(&self, role: &str, offer: &Offer) -> io::Result<(Child, Channel)> {
        let (channel, theirs) = Channel::pair()?;
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env(HANDOVER, role).stdin(Stdio::from(theirs));
        if role == SUPERVISE {
            // Keys on the terminal are for the supervisor, which passes them on: once.
            command.process_group(0);
        }
        let mut child = command.spawn()?;
        // Its end is open in the child alone, so that we hear when it dies.
        drop(command);
        match offer.send(&channel) {
            // It has ended before it heard us: whoever waits for it is told how.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                end(&mut child);
                return Err(error);
            }
            _ => {}
        }
        Ok((child, channel))
    }
}

/// Where a program is that was called by this name.
fn called_path(called: &OsStr, search: Option<&OsStr>) -> io::Result<PathBuf> {
    if called.as_encoded_bytes().contains(&b'/') {
        return std::path::absolute(called);
    }
    let directories = search.map(std::env::split_paths).into_iter().flatten();
    let found = directories.map(|directory| directory.join(called)).find(|path| path.is_file());
    std::path::absolute(found.unwrap_or_else(|| called.into()))
}

/// Starts a successor and waits until it is ready. Gives its process id, or says why this process is to
/// go on; then nothing of the successor is left.
pub(super) fn upgrade(
    executable: &Executable,
    offer: &Offer,
    timeout: Duration,
) -> Result<u32, String> {
    let path = executable.path().display();
    let (mut child, channel) =
        executable.start(UPGRADE, offer).map_err(|error| format!("start `{path}`: {error}"))?;
    match await_ready(&channel, timeout) {
        Ok(true) => Ok(child.id()),
        Ok(false) => {
            // It has closed its end, and says why before it exits.
            let_end(&mut child);
            Err(format!("the new process ended before it was ready: {}", end(&mut child)))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            end(&mut child);
            Err(format!("the new process was not ready within {} s", timeout.as_secs_f32()))
        }
        Err(error) => {
            end(&mut child);
            Err(format!("the new process cannot be understood: {error}"))
        }
    }
}

/// False: it has ended instead.
fn await_ready(channel: &Channel, timeout: Duration) -> io::Result<bool> {
    let until = Instant::now() + timeout;
    loop {
        channel.wait_for(Some(until.saturating_duration_since(Instant::now())))?;
        match channel.receive()? {
            Some(Message::Ready) => return Ok(true),
            Some(_) if Instant::now() >= until => return Err(io::ErrorKind::WouldBlock.into()),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}

/// Gives a process that is about to end the time to do so by itself.
fn let_end(child: &mut Child) {
    let until = Instant::now() + END_PATIENCE;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends a process, and tells how it has ended.
pub(super) fn end(child: &mut Child) -> String {
    // It may have ended already; then this does nothing.
    let _ = child.kill();
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_testkit::Scratch;

    #[test]
    fn links_are_not_resolved() {
        let scratch = Scratch::new();
        let file = scratch.write("bulkhead-1", "");
        let link = scratch.path().join("bulkhead");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(called_path(link.as_os_str(), None).unwrap(), link);
        let search = std::env::join_paths([Path::new("/nowhere"), scratch.path()]).unwrap();
        assert_eq!(called_path(OsStr::new("bulkhead"), Some(&search)).unwrap(), link);
        let relative = called_path(OsStr::new("./bulkhead"), None).unwrap();
        assert!(relative.is_absolute() && relative.ends_with("bulkhead"), "{relative:?}");
    }

    #[test]
    fn what_does_not_get_ready_is_ended() {
        let offer = Offer::default();
        for (script, timeout_ms, expected) in [
            ("exit 3", 20_000, "exit status: 3"),
            ("kill -9 $$", 20_000, "signal: 9"),
            // It keeps its end of the channel, and says nothing.
            ("exec sleep 600", 200, "not ready within"),
        ] {
            let arguments = vec!["-c".into(), script.into()];
            let executable = Executable { path: "/bin/sh".into(), arguments };
            let timeout = Duration::from_millis(timeout_ms);
            let error = upgrade(&executable, &offer, timeout).unwrap_err();
            assert!(error.contains(expected), "{script}: {error}");
        }
        let nothing = Executable { path: "/nowhere/bulkhead".into(), arguments: Vec::new() };
        let error = upgrade(&nothing, &offer, Duration::from_secs(1)).unwrap_err();
        assert!(error.contains("start `/nowhere/bulkhead`"), "{error}");
    }
}
