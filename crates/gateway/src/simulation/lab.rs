//! The lab of a simulated world: the production runner of experiments on simulated time, and what stands
//! for the lab's injectors. The gateway carries its own faults out, links those of the network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulkhead_chaos::{
    ChaosId, Fault, FaultRule, GatewayFault, InjectRequest, NamedTarget, NetworkFault,
    ProcessFault, Random, Submission, Target,
};
use bulkhead_experiment::{Call, Event, Injection, LabCall, Outcome, Runner, Wanted};
use serde_json::{Value, json};

use super::plan::{Plan, UPSTREAMS, client_link};
use super::world::World;

/// See the module.
#[derive(Debug)]
pub(super) struct Lab {
    runner: Runner,
    /// Since 1970; nothing before it has begun.
    wake_at: Option<Duration>,
    pub(super) finished: bool,
    injected: BTreeMap<String, Injected>,
}

/// An injection, and when it is over.
#[derive(Clone, Debug)]
struct Injected {
    id: ChaosId,
    fault: Fault,
    target: Target,
    ends: Duration,
    taken_back: bool,
}

/// Workers that hang, each until when.
pub(super) type Hanging = Vec<(ChaosId, usize, Duration)>;

impl Lab {
    pub(super) fn new(plan: &Plan) -> Self {
        let (runner, wake_at) = (plan.runner(), super::unix());
        Self { runner, wake_at, finished: false, injected: BTreeMap::new() }
    }

    /// When it does something next by itself, from the begin of the simulation.
    pub(super) fn next(&self) -> Option<Duration> {
        self.wake_at.map(|unix| unix.saturating_sub(super::EPOCH))
    }

    /// The state of an injection, as the lab tells it.
    fn state(&self, id: &str, now: Duration) -> Value {
        let state = match self.injected.get(id) {
            None => "unknown",
            Some(injected) if injected.taken_back => "reverted",
            Some(injected) if injected.ends <= now => "expired",
            Some(_) => "active",
        };
        json!({"id": id, "state": state})
    }

    /// An experiment whose faults did not take hold, or stayed, is none.
    pub(super) fn judge(&self) {
        let verdict = self.runner.verdict();
        assert_eq!(verdict.reasons, Vec::<String>::new(), "{verdict:?}");
    }
}

impl World {
    /// The lab does what is due.
    pub(super) fn experiment(&mut self) {
        let now = super::unix().unwrap();
        if self.lab.finished || self.lab.wake_at.is_none_or(|wake_at| wake_at > now) {
            return;
        }
        let mut events = VecDeque::from([Event::Tick]);
        while let Some(event) = events.pop_front() {
            let next = self.lab.runner.step(now, event);
            for (number, call) in next.calls {
                events.push_back(Event::Returned(number, self.call(&call)));
            }
            self.lab.wake_at = next.wake_at;
            self.lab.finished = next.finished;
        }
    }

    fn call(&mut self, call: &Call) -> Outcome {
        let now = self.clock.passed();
        let Call::Lab(call) = call else {
            return Outcome::Failed("a simulated world has its lab, and nothing else".to_owned());
        };
        Outcome::Lab(match call {
            LabCall::Inject(injection) => self.inject(injection).unwrap_or_else(
                |reason| json!({"id": injection.id, "state": "refused", "reason": reason}),
            ),
            LabCall::Revert(Wanted::These(ids)) => {
                ids.iter().for_each(|id| self.take_back(id));
                ids.iter().map(|id| self.lab.state(id, now)).collect()
            }
            LabCall::State(id) => self.lab.state(id, now),
            LabCall::InForce(Wanted::These(ids)) => {
                let states = ids.iter().map(|id| self.lab.state(id, now));
                json!(states.filter(|state| state["state"] == "active").count())
            }
            LabCall::Revert(Wanted::OfThisRun) | LabCall::InForce(Wanted::OfThisRun) => {
                unreachable!("the runner knows what it has injected")
            }
        })
    }

    fn inject(&mut self, injection: &Injection) -> Result<Value, String> {
        let request: InjectRequest<NamedTarget> =
            serde_json::from_value(injection.order()).map_err(|error| error.to_string())?;
        let request = request.try_map(find)?;
        let id = ChaosId::new(super::unix().unwrap(), &mut Random::new(self.random.next()));
        // Faults of a drawn plan overlap as they come: none is refused because another left too few.
        let plan = request.plan(id, "simulation", |_| false).map_err(|error| error.to_string())?;
        let mut told = Vec::new();
        for submission in &plan.submissions {
            let id = submission.id.to_string();
            let ends = self.clock.passed() + submission.time_to_live;
            self.strike(submission, ends)?;
            self.note(1000 + submission.id.seed());
            let Submission { id: chaos_id, fault, target, .. } = submission.clone();
            let injected = Injected { id: chaos_id, fault, target, ends, taken_back: false };
            self.lab.injected.insert(id.clone(), injected);
            told.push(json!({"id": id, "state": "active"}));
        }
        let first = told.first().cloned().unwrap_or_default();
        Ok(json!({"id": first["id"], "state": first["state"], "injections": told}))
    }

    /// A fault befalls what it is meant for.
    fn strike(&mut self, submission: &Submission, ends: Duration) -> Result<(), String> {
        let Submission { id, fault, target, seed, time_to_live, .. } = submission;
        match (fault, target) {
            (Fault::Network(fault), Target::Link { name }) => {
                self.strike_link(name, fault, (*id, *seed, ends))
            }
            (Fault::Process(ProcessFault::Stop), Target::Process { pid, .. }) => {
                let upstream = self.upstreams.get_mut(*pid as usize).ok_or("no such process")?;
                upstream.stalled_until = upstream.stalled_until.max(ends);
                Ok(())
            }
            (Fault::Gateway(fault), Target::Gateway { .. }) => match fault {
                GatewayFault::KillWorker { worker } => self.kill(*worker, false),
                GatewayFault::CrashWorker { worker } => self.kill(*worker, true),
                GatewayFault::StallWorker { worker } => {
                    self.hanging.push((*id, *worker, ends));
                    Ok(())
                }
                _ => self.place(submission, *time_to_live),
            },
            (Fault::Http(_), Target::Gateway { .. }) => self.place(submission, *time_to_live),
            _ => Err(format!("{} of {target:?} is not simulated", fault.kind())),
        }
    }

    /// The gateway does it itself.
    fn place(&self, submission: &Submission, ttl: Duration) -> Result<(), String> {
        let rule =
            FaultRule { seed: submission.seed, ..FaultRule::new(submission.fault.clone(), ttl) };
        let placed = self.gateway.place_fault(&submission.id.to_string(), rule);
        placed.map(drop).map_err(|refusal| refusal.to_string())
    }

    fn strike_link(
        &mut self,
        name: &str,
        fault: &NetworkFault,
        (id, seed, ends): (ChaosId, u64, Duration),
    ) -> Result<(), String> {
        let fault = (id.bits(), fault.check().map_err(|error| error.to_string())?);
        if let Some(place) = UPSTREAMS.iter().position(|upstream| *upstream == name) {
            let (link, connections) = self.upstreams[place].link();
            link.strike(fault, seed, ends, connections);
            return Ok(());
        }
        let client = (0..self.clients.len()).find(|&index| client_link(index) == name);
        let client = client.ok_or_else(|| format!("there is no link `{name}`"))?;
        let (link, connections) = self.clients[client].link();
        link.strike(fault, seed, ends, connections);
        Ok(())
    }

    /// The loop of this worker ends at its next event, as in [`crate::Gateway::kill_worker`].
    fn kill(&self, index: usize, crash: bool) -> Result<(), String> {
        let worker = self.workers.iter().find(|worker| worker.slot.index == index);
        let worker = worker.ok_or_else(|| format!("there is no worker {index}"))?;
        worker.slot.crashed.store(crash, Ordering::Relaxed);
        worker.slot.kill();
        Ok(())
    }

    /// What is over stays over.
    fn take_back(&mut self, name: &str) {
        let now = self.clock.passed();
        let Some(injected) = self.lab.injected.get_mut(name).filter(|it| it.ends > now) else {
            return;
        };
        injected.taken_back = true;
        let Injected { id, fault, target, .. } = injected.clone();
        match (fault, target) {
            (Fault::Network(_), _) => {
                for client in &mut self.clients {
                    let (link, connections) = client.link();
                    link.lift(id.bits(), connections);
                }
                for upstream in &mut self.upstreams {
                    let (link, connections) = upstream.link();
                    link.lift(id.bits(), connections);
                }
            }
            // One that another fault stops as well goes on too early: no harm.
            (Fault::Process(_), Target::Process { pid, .. }) => {
                self.upstreams[pid as usize].stalled_until = now;
            }
            (Fault::Gateway(GatewayFault::StallWorker { .. }), _) => {
                self.hanging.retain(|(hanging, ..)| *hanging != id);
            }
            (Fault::Gateway(fault), _) if fault.is_momentary() => {}
            _ => drop(self.gateway.remove_fault(name).unwrap()),
        }
    }
}

/// The upstreams are the processes of a simulated world, by their names.
fn find(named: &NamedTarget) -> Result<Target, String> {
    named.exact().or_else(|process| {
        let place = UPSTREAMS.iter().position(|name| Some(*name) == process.command.as_deref());
        let pid = place.ok_or_else(|| format!("there is no process {process:?}"))? as u32;
        Ok(Target::Process { pid, start_time: 0 })
    })
}
