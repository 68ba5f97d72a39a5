//! Faults that are put in force and taken back at run time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bulkhead_chaos::gateway::{BadConfig, GatewayFault};
use bulkhead_chaos::{Fault, FaultRefusal, FaultReport, FaultRule, FaultState, Placed};
use bulkhead_config::Config;
use bulkhead_config::model::{Listener, ListenerTls};
use bulkhead_message::Address;

use super::Gateway;
use crate::clock;
use crate::faults;
use crate::injection::{Existing, Rule};
use crate::mailbox::Message;
use crate::snapshot::ClusterEntry;

/// How long a new rule is waited for to be in force at all workers. A busy one gets it later.
const IN_FORCE_TIMEOUT: Duration = Duration::from_millis(200);
/// How often that is looked at.
const IN_FORCE_PAUSE: Duration = Duration::from_millis(1);

impl Gateway {
    /// Puts a fault in force, until its time is over or it is taken back. The name is used once: the
    /// same rule again changes nothing. Comes back when all workers have it, or after 200 ms.
    ///
    /// # Errors
    /// [`FaultRefusal`]. What it names has to be there.
    pub fn put_fault(&self, id: &str, rule: FaultRule) -> Result<Placed, FaultRefusal> {
        let placed = self.place_fault(id, rule)?;
        let (Placed::Created(report) | Placed::Unchanged(report)) = &placed;
        if report.state != FaultState::Active {
            return Ok(placed);
        }
        let until = clock::now() + IN_FORCE_TIMEOUT;
        let report = loop {
            let now = clock::now();
            let Some(report) = self.fault(id) else { return Ok(placed) };
            if report.in_force || now >= until {
                break report;
            }
            std::thread::sleep(IN_FORCE_PAUSE);
        };
        Ok(match placed {
            Placed::Created(_) => Placed::Created(report),
            Placed::Unchanged(_) => Placed::Unchanged(report),
        })
    }

    /// The same, but waits for no worker.
    pub(crate) fn place_fault(&self, id: &str, rule: FaultRule) -> Result<Placed, FaultRefusal> {
        // A name that has gone since is no reason not to tell of a fault that is there.
        if self.fault(id).is_none() {
            self.check_fault(&rule)?;
        }
        let placed = self.shared.injections.put(id, rule.clone(), clock::now())?;
        if let (Placed::Created(_), Fault::Gateway(fault)) = (&placed, &rule.fault)
            && fault.is_momentary()
        {
            return self.carry_out(id, fault);
        }
        self.tell_rules();
        Ok(placed)
    }

    /// Whether such a fault could be put in force now. Nothing happens.
    ///
    /// # Errors
    /// [`FaultRefusal`]: it makes no sense, or names what is not there.
    pub fn check_fault(&self, rule: &FaultRule) -> Result<(), FaultRefusal> {
        let invalid = |error: &dyn std::fmt::Display| FaultRefusal::Invalid(error.to_string());
        rule.check().map_err(|error| invalid(&error))?;
        let existing = self.existing();
        let named = match &rule.fault {
            Fault::Http(fault) => {
                fault.check().map_err(|error| invalid(&error))?;
                Rule::new(fault, 0, None).map_err(FaultRefusal::Invalid)?;
                existing.check_scope(&fault.scope)
            }
            Fault::Gateway(fault) => {
                fault.check().map_err(|error| invalid(&error))?;
                existing.check_own(fault)
            }
            _ => Ok(()),
        };
        named.map_err(FaultRefusal::Impossible)
    }

    fn existing(&self) -> Existing {
        let providers = self.compiler.providers.names();
        let state = self.shared.state();
        let workers = state.workers;
        let Some(snapshot) = &state.snapshot else {
            return Existing { providers, workers, ..Existing::default() };
        };
        let endpoints = |entry: &ClusterEntry| {
            let specs = state.names.endpoints(&entry.config).into_iter();
            specs.map(|spec| spec.address).collect()
        };
        Existing {
            listeners: snapshot
                .listeners
                .iter()
                .map(|entry| (entry.name.to_string(), entry.relaying.leaves_exchanges()))
                .collect(),
            routes: snapshot.route_names().map(str::to_owned).collect(),
            clusters: snapshot
                .clusters
                .iter()
                .map(|entry| (entry.config.name.clone(), endpoints(entry)))
                .collect(),
            providers,
            workers,
        }
    }

    /// Does what is over at once.
    fn carry_out(&self, id: &str, fault: &GatewayFault) -> Result<Placed, FaultRefusal> {
        let done = match fault {
            GatewayFault::KillWorker { worker } => self.kill(*worker),
            GatewayFault::CrashWorker { worker } => self
                .crash_worker(*worker)
                .map_err(|error| error.to_string())
                .map(|report| format!("{} connections died with it", report.connections_lost)),
            GatewayFault::BadConfig { wrong } => self.apply_bad(id, *wrong),
            GatewayFault::RotateTicketKeys {} => match self.compiler.ticketer.rotate() {
                true => Ok("the random keys of session tickets are new".to_owned()),
                false => Err("the keys of session tickets are not random ones".to_owned()),
            },
            _ => Err("this gateway does not know such a fault".to_owned()),
        };
        match done {
            Ok(done) => {
                let report = self.shared.injections.done(id, done, clock::now());
                report.map(Placed::Created).ok_or_else(|| {
                    FaultRefusal::Conflict(format!("the fault {id} was taken back meanwhile"))
                })
            }
            Err(reason) => {
                self.shared.injections.forget(id);
                Err(FaultRefusal::Impossible(reason))
            }
        }
    }

    fn kill(&self, worker: usize) -> Result<String, String> {
        let report = self.kill_worker(worker).map_err(|error| error.to_string())?;
        let (moved, lost) = (report.connections_moved, report.connections_lost);
        Ok(format!("{moved} connections moved, {lost} were lost"))
    }

    /// Applies a configuration that cannot be put in force. Gives why it was refused.
    fn apply_bad(&self, id: &str, wrong: BadConfig) -> Result<String, String> {
        // Nothing has such a name: an id has no slash, and neither directory nor file is there.
        let nowhere = format!("/nonexistent/bulkhead-fault-{id}");
        let unix = format!("unix:{nowhere}/socket").parse::<Address>();
        let address = unix.map_err(|error| error.to_string())?;
        let mut listener = Listener { address, ..Listener::new("bad", ([127, 0, 0, 1], 0)) };
        if wrong == BadConfig::UnreadableCertificate {
            listener.tls = Some(ListenerTls {
                certificates_dir: Some(nowhere.into()),
                ..ListenerTls::default()
            });
        }
        let config = Config { listeners: vec![listener], ..Config::default() };
        match self.apply(config) {
            Err(error) => Ok(format!("refused, and the one before is in force: {error}")),
            Ok(revision) => Err(format!("it was put in force as revision {revision}")),
        }
    }

    /// All faults in force, and those that have ended, as far as they are known: the last one first.
    pub fn faults(&self) -> Vec<FaultReport> {
        self.shared.injections.reports(clock::now(), self.rules_version())
    }

    /// One of them.
    pub fn fault(&self, id: &str) -> Option<FaultReport> {
        self.shared.injections.report(id, clock::now(), self.rules_version())
    }

    /// Takes a fault back, as of now: no worker is waited for. One that was never there will not come.
    ///
    /// # Errors
    /// The id cannot be one.
    pub fn remove_fault(&self, id: &str) -> Result<FaultReport, FaultRefusal> {
        let removed = self.shared.injections.remove(id, clock::now());
        self.tell_rules();
        removed
    }

    /// Takes all faults back. Gives how many there were.
    pub fn remove_faults(&self) -> usize {
        let count = self.shared.injections.remove_all(clock::now());
        self.tell_rules();
        count
    }

    /// The next `count` exchanges panic while they are routed: a fault, for the chaos lab and tests.
    pub fn panic_exchanges(&self, count: u32) {
        self.inject(faults::Fault::RoutePanic, count);
    }

    /// The next `count` connections that have something to say panic while it is handled: a fault.
    pub fn panic_connections(&self, count: u32) {
        self.inject(faults::Fault::InputPanic, count);
    }

    /// This fault strikes the next `count` times that a worker comes by its place: for tests.
    pub fn inject(&self, fault: faults::Fault, count: u32) {
        self.shared.faults.add(fault, count);
    }

    fn tell_rules(&self) {
        for slot in &self.shared.state().slots {
            // A dead worker's successor starts with them.
            let _ = slot.send(Message::Rules);
        }
    }

    /// Of the rules that all living workers have.
    fn rules_version(&self) -> u64 {
        let state = self.shared.state();
        let living = state.slots.iter().filter(|slot| slot.is_open());
        living.map(|slot| slot.rules_version.load(Ordering::Relaxed)).min().unwrap_or(0)
    }
}
