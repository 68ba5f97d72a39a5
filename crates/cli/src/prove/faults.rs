//! Faults of the profile that the gateway carries out itself: put at their time, looked after, gone at
//! their end.
//!
//! The gateway holds their time, and ends them whoever else is alive. Whether one took hold and is over
//! is asked for apart from the answer that it was put.

use std::time::Duration;

use bulkhead_chaos::FaultRule;
use serde::Serialize;

use super::ground::Party;
use super::plan::Plan;
use super::profile::TimedFault;
use super::progress::StormProgress;
use super::stage::Stage;

/// A fault, as it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FaultEvent {
    /// Its name at the gateway.
    pub(crate) id: String,
    /// Family and kind: `gateway.slow_log`.
    pub(crate) kind: &'static str,
    /// As it was declared.
    pub(crate) fault: bulkhead_chaos::Fault,
    /// Seconds since the start of the measured part.
    pub(crate) at_s: f64,
    /// When it was seen to be over; `None`: it was not.
    pub(crate) until_s: Option<f64>,
    /// It was seen to be in force.
    pub(crate) took_hold: bool,
    /// How often it has struck, as far as that can be counted.
    pub(crate) hits: u64,
    /// Why it could not be put.
    pub(crate) error: Option<String>,
}

/// The faults of a storm.
#[derive(Debug)]
pub(crate) struct Faults<'a> {
    stage: &'a Stage,
    seed: u64,
    /// In the order of their beginnings, the last one first.
    pending: Vec<&'a TimedFault>,
    events: Vec<FaultEvent>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(stage: &'a Stage, plan: &'a Plan) -> Self {
        let mut pending = plan.profile.faults_in_order();
        pending.reverse();
        Self { stage, seed: plan.seed, pending, events: Vec::new() }
    }

    /// Puts what is due, and looks at what was put.
    pub(crate) fn advance(&mut self, elapsed: Duration, bar: &StormProgress) {
        while let Some(timed) = self.pending.pop_if(|timed| timed.at <= elapsed) {
            let event = self.put(timed, elapsed);
            bar.note(&match &event.error {
                Some(error) => {
                    format!("{:>5.1} s  {} was refused: {error}", event.at_s, event.kind)
                }
                None => format!("{:>5.1} s  {} begins", event.at_s, event.kind),
            });
            self.events.push(event);
        }
        for event in &mut self.events {
            look(self.stage, event, elapsed);
        }
    }

    /// Takes back what is still there, and looks a last time.
    pub(crate) fn end(mut self, elapsed: Duration) -> Vec<FaultEvent> {
        let open = |event: &&mut FaultEvent| event.error.is_none() && event.until_s.is_none();
        for event in self.events.iter_mut().filter(open) {
            // The id is one: it was taken when the fault was put.
            let _taken_back = self.stage.gateway.remove_fault(&event.id);
            look(self.stage, event, elapsed);
        }
        self.events
    }

    fn put(&self, timed: &TimedFault, elapsed: Duration) -> FaultEvent {
        let id = format!("storm-{}", self.events.len());
        let seed = self.seed.wrapping_add(self.events.len() as u64);
        let rule = FaultRule { seed, ..FaultRule::new(timed.fault.clone(), timed.lasts) };
        // Workers that come after a killed one are born on the gateway's ground.
        let put =
            self.stage.ground.enter(Party::Gateway, || self.stage.gateway.put_fault(&id, rule));
        let error = match put {
            Ok(Ok(_)) => None,
            Ok(Err(refusal)) => Some(refusal.to_string()),
            Err(error) => Some(format!("{error:#}")),
        };
        FaultEvent {
            id,
            kind: timed.fault.kind(),
            fault: timed.fault.clone(),
            at_s: elapsed.as_secs_f64(),
            until_s: None,
            took_hold: false,
            hits: 0,
            error,
        }
    }
}

/// Asks the gateway what has become of a fault.
fn look(stage: &Stage, event: &mut FaultEvent, elapsed: Duration) {
    if event.error.is_some() || event.until_s.is_some() {
        return;
    }
    let Some(report) = stage.gateway.fault(&event.id) else { return };
    event.took_hold |= report.took_hold();
    event.hits = report.hits;
    if report.is_over() {
        event.until_s = Some(elapsed.as_secs_f64());
    }
}
