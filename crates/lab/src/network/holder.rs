//! The process that holds a link: makes it, and does to it what the lab says in lines on standard
//! input. The link lasts as long as this process.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{Call, ChaosId};
use serde_json::{Value, json};

use super::held::{
    Ask, LINE_BYTES_MAX, LinkPlace, Made, Make, Outcome, REMEDY, Reply, Want, line, read,
};
use super::link::SETTING_CONGESTION_CONTROL;
use super::{
    CommandError, LaneReport, Link, LinkInjector, LinkOptions, Links, Namespace, NetworkError,
};
use crate::{InjectError, Injector as _, Surroundings};

/// Congestion controls that the kernel has at present; others may come as modules.
const CONGESTION_CONTROLS: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
/// Injections that are remembered as taken back.
const TAKEN_BACK_MAX: usize = 10_000;

/// What a process that a lab has started to hold a link does: returns when the lab has closed
/// standard input. Whoever calls it ends then, and the link with it.
///
/// # Errors
/// The lab is gone, or says something else.
pub fn hold_link() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let Some(make) = read::<Make>(&mut input, LINE_BYTES_MAX)? else { return Ok(()) };
    let link = match join(&make) {
        Ok(link) => Arc::new(link),
        Err(error) => {
            return say(&Made::Err(format!("{}; {}", error.told(), remedy(&error, &make))));
        }
    };
    say(&Made::Ok(LinkPlace::of(&link)))?;
    let links = Links::default();
    links.add(&link);
    let held = Arc::new(Held {
        link,
        injector: LinkInjector::new(links),
        taken_back: TakenBack::default(),
    });
    // The lab has so many calls out at a time, and no more.
    while let Some(Ask { number, want, left }) = read(&mut input, LINE_BYTES_MAX)? {
        let (held, deadline) = (Arc::clone(&held), Instant::now() + left);
        // Without a lab there is nobody to be told.
        let answer = move || _ = say(&Reply { number, outcome: held.carry_out(want, deadline) });
        thread::Builder::new().name("link-call".to_owned()).spawn(answer)?;
    }
    Ok(())
}

/// What this process holds.
struct Held {
    link: Arc<Link>,
    injector: LinkInjector,
    taken_back: TakenBack,
}

impl Held {
    fn carry_out(&self, want: Want, deadline: Instant) -> Outcome {
        // It is of use only to those who do not have the link.
        let handle = Value::Null;
        let (call, order, unix) = match want {
            Want::Call { call, order, unix } => (call, order, unix),
            Want::Effect { order } => {
                let around = Surroundings { deadline, unix: Duration::ZERO };
                return Outcome::Effect(self.injector.effect(&order, &handle, around));
            }
            Want::Counts => return Outcome::Counts(count(&self.link, deadline)),
        };
        let (injector, around) = (&self.injector, Surroundings { deadline, unix });
        match call {
            Call::Prepare => Outcome::Prepared(injector.prepare(&order, around)),
            Call::Inject => {
                let inject = || injector.inject(&order, &handle, around);
                let late = || InjectError::Permanent("it was taken back before it came".to_owned());
                Outcome::Done(
                    self.taken_back.unless(order.id, inject).unwrap_or_else(|| Err(late())),
                )
            }
            Call::Verify => Outcome::Seen(injector.verify(&order, &handle, around)),
            Call::Revert => {
                self.taken_back.add(order.id);
                Outcome::Done(injector.revert(&order, &handle, around))
            }
            Call::VerifyReverted => {
                Outcome::Seen(injector.verify_reverted(&order, &handle, around))
            }
        }
    }
}

/// Injections that were to be taken back. The lab does not wait for an answer for ever: an order to inject
/// that this process gets to only later must not be carried out any more.
#[derive(Default)]
struct TakenBack(Mutex<BTreeSet<ChaosId>>);

impl TakenBack {
    fn ids(&self) -> MutexGuard<'_, BTreeSet<ChaosId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, id: ChaosId) {
        let mut ids = self.ids();
        ids.insert(id);
        // Ids ascend with time.
        while ids.len() > TAKEN_BACK_MAX {
            ids.pop_first();
        }
    }

    /// Acts unless it was taken back, which it is not meanwhile.
    fn unless<T>(&self, id: ChaosId, act: impl FnOnce() -> T) -> Option<T> {
        let ids = self.ids();
        (!ids.contains(&id)).then(act)
    }
}

fn join(make: &Make) -> Result<Link, NetworkError> {
    let [client, server] = [Arc::new(Namespace::new()?), Arc::new(Namespace::new()?)];
    let options = LinkOptions {
        subnet: make.subnet,
        congestion_control: make.request.congestion_control.clone(),
        kind: make.request.kind,
    };
    Link::between(&make.name, &client, &server, &options)
}

/// What to do if a link could not be made.
fn remedy(error: &NetworkError, make: &Make) -> String {
    let is_algorithm = error.step.starts_with(SETTING_CONGESTION_CONTROL);
    match (&make.request.congestion_control, std::fs::read_to_string(CONGESTION_CONTROLS)) {
        (Some(_), Ok(known)) if is_algorithm => {
            format!("choose one of {}, or load the module of another", known.trim())
        }
        _ => REMEDY.to_owned(),
    }
}

/// A whole line at once.
fn say(message: &impl serde::Serialize) -> io::Result<()> {
    let line = line(message)?;
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}

fn count(link: &Link, deadline: Instant) -> Result<Value, String> {
    let report = link.report(deadline).map_err(|error: CommandError| error.to_string())?;
    let drops = link.device_drops().map_err(|error| error.to_string())?;
    Ok(json!({
        "upstream": lane(&report.upstream),
        "downstream": lane(&report.downstream),
        "dropped_before_the_box": drops.iter().sum::<u64>(),
        "real_time": report.real_time,
    }))
}

fn lane(report: &LaneReport) -> Value {
    let counts = &report.counts;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    json!({
        "received": counts.received, "delivered": counts.delivered, "lost": counts.lost,
        "cut": counts.cut, "overflowed": counts.overflowed, "delayed": counts.delayed,
        "delay_total_ms": milliseconds(counts.delay_total), "duplicated": counts.duplicated,
        "corrupted": counts.corrupted, "reordered": counts.reordered, "replied": counts.replied,
        "waiting": report.held, "faults": report.faults.len(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_chaos::{ChaosId, Random};

    use super::{TAKEN_BACK_MAX, TakenBack};

    #[test]
    fn what_was_taken_back_does_not_come_any_more() {
        let (taken_back, mut random) = (TakenBack::default(), Random::new(1));
        let mut id = |ms| ChaosId::new(Duration::from_millis(ms), &mut random);
        let (first, second) = (id(1), id(2));
        assert_eq!(taken_back.unless(first, || 7), Some(7));
        taken_back.add(first);
        assert_eq!(taken_back.unless(first, || 7), None);
        assert_eq!(taken_back.unless(second, || 7), Some(7));
        // The oldest are forgotten.
        for ms in 0..TAKEN_BACK_MAX as u64 {
            taken_back.add(id(3 + ms));
        }
        assert_eq!(taken_back.ids().len(), TAKEN_BACK_MAX);
        assert_eq!(taken_back.unless(first, || 7), Some(7));
    }
}
