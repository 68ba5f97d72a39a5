//! The process that holds a link: makes it, and does to it what the lab says over the socket on
//! standard input. The link lasts as long as this process.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answering::{Listener, Steps};
use super::held::{LinkPlace, Made, Make, Outcome, REMEDY, Want};
use super::link::SETTING_CONGESTION_CONTROL;
use super::{
    CommandError, LaneReport, Link, LinkInjector, LinkOptions, Links, Namespace, NetworkError,
};
use crate::Surroundings;

/// Congestion controls that the kernel has at present; others may come as modules.
const CONGESTION_CONTROLS: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";

/// What a process that a lab has started to hold a link does: returns when the lab has closed the socket
/// on standard input. Whoever calls it ends then, and the link with it.
///
/// # Errors
/// The lab is gone, or says something else.
pub fn hold_link() -> io::Result<()> {
    let mut lab = Listener::of_standard_input()?;
    let Some(make) = lab.first::<Make>()? else { return Ok(()) };
    let link = match join(&make) {
        Ok(link) => Arc::new(link),
        Err(error) => {
            let why = format!("{}; {}", error.told(), remedy(&error, &make));
            return lab.say(&Made::<LinkPlace>::Err(why));
        }
    };
    lab.say(&Made::Ok(LinkPlace::of(&link)))?;
    let links = Links::default();
    links.add(&link);
    let held = Held { link, steps: Steps::of(LinkInjector::new(links)) };
    lab.serve(move |want, deadline| held.carry_out(want, deadline))
}

/// What this process holds.
struct Held {
    link: Arc<Link>,
    steps: Steps<LinkInjector>,
}

impl Held {
    fn carry_out(&self, want: Want, deadline: Instant) -> Outcome {
        match want {
            Want::Call { call, order, handle, unix } => {
                self.steps.take(call, &order, &handle, Surroundings { deadline, unix })
            }
            Want::Effect { order, handle } => {
                let around = Surroundings { deadline, unix: Duration::ZERO };
                self.steps.effect(&order, &handle, around)
            }
            Want::Counts => Outcome::Counts(count(&self.link, deadline)),
        }
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
