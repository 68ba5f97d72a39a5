//! The processes of a peer: as many as we have workers, killed like them and started again.

use std::io;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::super::ground::{Ground, Party};
use super::super::memory::{children_of, rss_bytes_of};
use super::peer::Peer;

/// Longest wait for the peer to listen; Envoy reads its key set first.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Running processes. They end with this value, or with the thread that started them.
#[derive(Debug)]
pub(super) struct Processes<'a> {
    peer: &'a Peer,
    ground: &'a Ground,
    /// One, if it starts its workers itself.
    children: Vec<Child>,
}

impl<'a> Processes<'a> {
    /// Starts them on the gateway's ground and waits until all of them run and one answers.
    pub(super) fn start(peer: &'a Peer, ground: &'a Ground) -> anyhow::Result<Self> {
        let count = if peer.has_master() { 1 } else { peer.workers() };
        let mut processes = Self { peer, ground, children: Vec::with_capacity(count) };
        for _ in 0..count {
            processes.children.push(spawn(peer, ground)?);
        }
        ground.enter(Party::Gateway, || processes.await_start())??;
        Ok(processes)
    }

    fn await_start(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            for child in &mut self.children {
                if let Some(status) = child.try_wait().context("look at a process")? {
                    bail!("{} ended at once: {status}", self.peer.name().name());
                }
            }
            let listens = TcpStream::connect_timeout(&self.peer.address(), CONNECT_TIMEOUT).is_ok();
            if listens && self.workers().len() == self.peer.workers() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "it did not listen within {START_TIMEOUT:?}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills a worker process; one without a master is started again from here.
    pub(super) fn kill(&mut self, worker: usize) -> anyhow::Result<()> {
        if self.peer.has_master() {
            let workers = self.workers();
            // A successor may not have come up yet.
            let Some(&victim) = workers.get(worker % workers.len().max(1)) else { return Ok(()) };
            let process = i32::try_from(victim).ok().and_then(Pid::from_raw);
            let process = process.context("a process has no number")?;
            return Ok(kill_process(process, Signal::KILL)?);
        }
        let child = self.children.get_mut(worker).context("there is no such worker")?;
        end(child).context("end a process")?;
        *child = spawn(self.peer, self.ground).context("start it again")?;
        Ok(())
    }

    /// Processes that were killed by somebody else: for lack of memory, as nobody else is about.
    pub(super) fn lost(&mut self) -> u64 {
        let ends = self.children.iter_mut().filter_map(|child| child.try_wait().ok().flatten());
        ends.filter(|status| status.signal() == Some(Signal::KILL.as_raw())).count() as u64
    }

    /// Resident memory of all of them.
    pub(super) fn rss_bytes(&self) -> u64 {
        let masters = self.children.iter().map(Child::id);
        let workers = if self.peer.has_master() { self.workers() } else { Vec::new() };
        masters.chain(workers).map(rss_bytes_of).sum()
    }

    /// Numbers of the worker processes.
    fn workers(&self) -> Vec<u32> {
        match self.children.first() {
            Some(master) if self.peer.has_master() => children_of(master.id()),
            _ => self.children.iter().map(Child::id).collect(),
        }
    }
}

/// If we are killed it ends as well: by a signal on which a master takes its workers along.
fn spawn(peer: &Peer, ground: &Ground) -> anyhow::Result<Child> {
    let signal = if peer.has_master() { Signal::TERM } else { Signal::KILL };
    ground.spawn(Party::Gateway, peer.command(), signal)
}

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(|_| ())
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        // The master first, or it would start workers again; they outlive it.
        let workers = if self.peer.has_master() { self.workers() } else { Vec::new() };
        for child in &mut self.children {
            // A process that has ended already is what was wanted.
            let _ended = end(child);
        }
        for worker in workers {
            if let Some(process) = i32::try_from(worker).ok().and_then(Pid::from_raw) {
                // As above.
                let _ended = kill_process(process, Signal::KILL);
            }
        }
    }
}
