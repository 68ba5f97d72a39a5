//! A gateway that serves: waits for signals and operations until it has ended.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::time::Duration;

use bulkhead_control::Control;
use rustix::process::{Pid, Signal, getppid, kill_process};
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};

use super::channel::{Channel, Message, Offer, Owner, PassedSocket};
use super::notify::Notifier;
use super::successor::{self, Executable};
use crate::log::Log;
use crate::plane::GatewayPlane;

/// How an upgrade went: the new process, none if a supervisor was asked, or why there is none.
pub(super) type Upgraded = Result<Option<u32>, String>;

/// What the main thread waits for.
#[derive(Debug)]
pub(super) enum Happening {
    Signal(i32),
    /// The gateway has drained; whether nothing was cut off.
    Drained(bool),
    /// Another configuration is in force, or was refused; sockets may have changed.
    Reloaded,
    /// Somebody asks for an upgrade, and waits for what becomes of it.
    Upgrade(SyncSender<Upgraded>),
    /// The upgrade is over.
    Upgraded(Result<u32, String>),
    /// The supervisor has another process in place of this one.
    Retire,
}

/// See the module.
pub(super) struct Service {
    pub(super) plane: Arc<GatewayPlane>,
    pub(super) control: Control,
    pub(super) log: Log,
    pub(super) notifier: Arc<Notifier>,
    pub(super) executable: Executable,
    /// The configured address of the admin server.
    pub(super) admin: Option<String>,
    pub(super) supervisor: Option<Arc<Channel>>,
    pub(super) drain_timeout: Duration,
    pub(super) upgrade_timeout: Duration,
    /// There is a file to read again.
    pub(super) reloadable: bool,
    pub(super) sender: Sender<Happening>,
}

/// How far the end has come.
#[derive(Debug, Default)]
struct Progress {
    draining: bool,
    /// An upgrade is under way, for these.
    upgrading: Option<Vec<SyncSender<Upgraded>>>,
}

impl Service {
    /// Until the gateway has ended.
    pub(super) fn run(&self, happenings: &Receiver<Happening>) -> ExitCode {
        let mut progress = Progress::default();
        while let Ok(happening) = happenings.recv() {
            match happening {
                Happening::Drained(whole) => return self.drained(whole),
                Happening::Signal(SIGHUP) => self.reload(),
                Happening::Reloaded => self.reloaded(),
                Happening::Signal(SIGUSR1) => self.plane.gateway.reopen_log(),
                Happening::Signal(SIGUSR2) => self.upgrade(&mut progress, None),
                Happening::Upgrade(asker) => self.upgrade(&mut progress, Some(asker)),
                Happening::Upgraded(outcome) => self.upgraded(&mut progress, outcome),
                Happening::Retire => self.retire(&mut progress),
                Happening::Signal(_) if progress.draining => {
                    self.log.warn("second signal: stopping at once");
                    // Not by returning: that would wait for the workers.
                    std::process::exit(1);
                }
                Happening::Signal(_) => {
                    self.log.info(&format!(
                        "draining: requests in flight have {} s; another signal stops at once",
                        self.drain_timeout.as_secs_f32()
                    ));
                    self.notifier.tell("STOPPING=1\nSTATUS=draining");
                    self.control.drain();
                    self.drain(&mut progress, false);
                }
            }
        }
        ExitCode::FAILURE
    }

    fn drain(&self, progress: &mut Progress, handed_over: bool) {
        progress.draining = true;
        let (plane, sender, timeout) =
            (Arc::clone(&self.plane), self.sender.clone(), self.drain_timeout);
        std::thread::spawn(move || {
            let whole = match handed_over {
                true => plane.gateway.drain_handed_over(timeout),
                false => plane.gateway.drain(timeout),
            };
            // The main thread waits for nothing else.
            let _ = sender.send(Happening::Drained(whole));
        });
    }

    fn drained(&self, whole: bool) -> ExitCode {
        match whole {
            true => self.log.info("drained"),
            false => self.log.warn("drain time-out: what was still in flight was cut off"),
        }
        ExitCode::SUCCESS
    }

    fn reload(&self) {
        self.notifier.reloading();
        if self.reloadable {
            return self.control.reload();
        }
        self.log.warn("SIGHUP: there is no configuration file to read again");
        self.notifier.tell("READY=1");
    }

    fn reloaded(&self) {
        self.notifier.tell(&format!("READY=1\n{}", status(&self.plane)));
        if let Some(supervisor) = &self.supervisor
            && let Err(error) = self.offer().and_then(|offer| offer.send(supervisor))
        {
            self.log
                .warn(&format!("the supervisor cannot be given the listening sockets: {error}"));
        }
    }

    /// All that a process in place of this one is given.
    pub(super) fn offer(&self) -> std::io::Result<Offer> {
        let mut sockets = Vec::new();
        for handed in self.plane.gateway.hand_over() {
            use std::os::fd::AsFd;
            let descriptor = handed.socket.as_fd().try_clone_to_owned()?;
            let (name, address) = (handed.name, handed.address);
            sockets.push(PassedSocket { owner: Owner::Listener, name, address, descriptor });
        }
        if let (Some(socket), Some(address)) = (self.control.admin_socket(), self.admin.clone()) {
            let (descriptor, name) = (socket.try_clone()?.into(), "admin".to_owned());
            sockets.push(PassedSocket { owner: Owner::Admin, name, address, descriptor });
        }
        Ok(Offer { sockets, tickets: Some(self.plane.gateway.ticketer().to_bytes()) })
    }

    fn upgrade(&self, progress: &mut Progress, asker: Option<SyncSender<Upgraded>>) {
        if progress.draining {
            answer(asker, &Err("this process is draining".to_owned()));
            return;
        }
        if self.supervisor.is_some() {
            return answer(asker, &ask_supervisor());
        }
        if let Some(askers) = &mut progress.upgrading {
            self.log.warn("an upgrade is under way already");
            askers.extend(asker);
            return;
        }
        progress.upgrading = Some(asker.into_iter().collect());
        let path = self.executable.path().display();
        self.log.info(&format!("upgrade: starting `{path}` in place of this process"));
        let (executable, timeout) = (self.executable.clone(), self.upgrade_timeout);
        let (offer, sender) = (self.offer(), self.sender.clone());
        std::thread::spawn(move || {
            let outcome = offer
                .map_err(|error| format!("pass the listening sockets: {error}"))
                .and_then(|offer| successor::upgrade(&executable, &offer, timeout));
            // The main thread waits for it.
            let _ = sender.send(Happening::Upgraded(outcome));
        });
    }

    fn upgraded(&self, progress: &mut Progress, outcome: Result<u32, String>) {
        let askers = progress.upgrading.take().unwrap_or_default();
        if progress.draining {
            // It was told to stop meanwhile: so is the new one.
            if let Some(pid) = outcome.as_ref().ok().and_then(|pid| process_id(*pid)) {
                let _ = kill_process(pid, Signal::TERM);
            }
            return askers.into_iter().for_each(|asker| {
                answer(Some(asker), &Err("this process was told to stop meanwhile".to_owned()));
            });
        }
        let outcome = outcome.map(Some);
        match &outcome {
            Ok(pid) => {
                let pid = pid.unwrap_or_default();
                self.log.info(&format!("upgrade: process {pid} serves; this one drains"));
                self.notifier.tell(&format!("MAINPID={pid}\nREADY=1"));
            }
            Err(reason) => {
                self.log.warn(&format!("upgrade failed, this process goes on: {reason}"));
            }
        }
        for asker in askers {
            answer(Some(asker), &outcome);
        }
        if outcome.is_ok() {
            self.retire(progress);
        }
    }

    /// Another process has all sockets, and serves.
    fn retire(&self, progress: &mut Progress) {
        if progress.draining {
            return;
        }
        // Not ready any more, for whoever still asks this process; and nobody new asks it.
        self.control.drain();
        self.control.close_admin();
        self.drain(progress, true);
    }
}

fn answer(asker: Option<SyncSender<Upgraded>>, outcome: &Upgraded) {
    if let Some(asker) = asker {
        // Whoever asked may have given up.
        let _ = asker.try_send(outcome.clone());
    }
}

fn ask_supervisor() -> Upgraded {
    let supervisor = getppid().ok_or("the supervisor is gone")?;
    kill_process(supervisor, Signal::USR2)
        .map_err(|error| format!("ask the supervisor: {error}"))?;
    Ok(None)
}

/// A process id as the kernel takes it.
pub(super) fn process_id(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// One line for `systemctl status`.
pub(super) fn status(plane: &GatewayPlane) -> String {
    let (workers, revision) = (plane.gateway.workers().len(), plane.gateway.revision());
    format!("STATUS=serving with {workers} workers, configuration revision {revision}")
}

/// Listens to the supervisor, on a thread of its own.
pub(super) fn heed(supervisor: Arc<Channel>, sender: Sender<Happening>) -> std::io::Result<()> {
    let listen = move || {
        while let Ok(Some(message)) = supervisor.receive() {
            if matches!(message, Message::Retire) && sender.send(Happening::Retire).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("supervisor".to_owned()).spawn(listen).map(|_| ())
}
