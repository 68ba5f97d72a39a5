//! A process that the supervisor has started.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use rustix::process::{Signal, kill_process};

use crate::run::channel::{Channel, Message, Offer};
use crate::run::serve::process_id;
use crate::run::successor::{Executable, SUPERVISE};

/// What a process has said.
#[derive(Debug)]
pub(super) enum Said {
    /// All the sockets that it listens on.
    Offer(Offer),
    /// It serves.
    Ready,
    /// For the service manager.
    Notify(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) channel: Channel,
    /// The other end is open.
    pub(super) talks: bool,
    coming: Offer,
    pub(super) started: Instant,
    pub(super) ready: bool,
}

impl Process {
    pub(super) fn start(executable: &Executable, offer: &Offer) -> io::Result<Self> {
        let (child, channel) = executable.start(SUPERVISE, offer)?;
        let (talks, ready, started) = (true, false, Instant::now());
        Ok(Self { child, channel, talks, coming: Offer::default(), started, ready })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = process_id(self.child.id()) {
            // It may have ended, and waits to be reaped.
            let _ = kill_process(pid, signal);
        }
    }

    /// Another process serves in its place: it drains.
    pub(super) fn retire(&self) {
        if self.channel.send(&Message::Retire).is_err() {
            self.signal(Signal::TERM);
        }
    }

    /// What it has said since the last time.
    pub(super) fn hear(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while self.talks {
            match self.channel.try_receive() {
                Ok(Some(Message::Ready)) => said.push(Said::Ready),
                Ok(Some(Message::Notify(state))) => said.push(Said::Notify(state)),
                Ok(Some(message)) => {
                    if self.coming.add(message) {
                        said.push(Said::Offer(std::mem::take(&mut self.coming)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It has ended, or speaks nonsense: its end is seen when it is reaped.
                Ok(None) | Err(_) => self.talks = false,
            }
        }
        said
    }

    /// How it has ended, if it has.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(super) fn kill(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
