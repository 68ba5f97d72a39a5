//! A running gateway, from outside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::RawClient;
use rustix::process::{Pid, Signal, kill_process};

use crate::bulkhead;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway, killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: BufReader<ChildStderr>,
    heir: Option<Pid>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = bulkhead();
        command.arg("run").args(arguments).stdin(Stdio::null());
        Self::spawn(&mut command)
    }

    /// A command that becomes the gateway.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, heir: None }
    }

    /// The process that goes on in place of the first one.
    pub(crate) fn inherited_by(&mut self, pid: Pid) {
        self.heir = Some(pid);
    }

    /// Reads the log up to the first line that contains `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let length = self.log.read_line(&mut line).unwrap();
            assert!(length > 0, "the log ended before `{text}`:\n{seen}");
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.heir.unwrap_or_else(|| Pid::from_child(&self.child)), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(heir) = self.heir {
            let _ = kill_process(heir, Signal::KILL);
        }
    }
}

/// The first address in a log line, after `before`.
pub(crate) fn address(line: &str, before: &str) -> SocketAddr {
    let rest = line.split(before).nth(1).unwrap();
    let end = rest.find([' ', ',', '/', '\n']).unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut client = RawClient::connect(address, PATIENCE);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"));
    String::from_utf8_lossy(&client.read_to_end()).into_owned()
}

pub(crate) fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}
