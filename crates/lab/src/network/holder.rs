//! The process that holds a link: makes it, and does to it what the lab says in lines on standard
//! input. The link lasts as long as this process.

use std::io::{self, BufReader, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::Call;
use serde_json::{Value, json};

use super::held::{Ask, LINE_BYTES_MAX, LinkPlace, Made, Make, Outcome, Reply, Want, line, read};
use super::{
    CommandError, LaneReport, Link, LinkInjector, LinkOptions, Links, Namespace, NetworkError,
};
use crate::{Injector as _, Surroundings};

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
        Err(error) => return say(&Made::Err(format!("{error}: {}", error.source))),
    };
    say(&Made::Ok(LinkPlace::of(&link)))?;
    let links = Links::default();
    links.add(&link);
    let injector = LinkInjector::new(links);
    // The lab has so many calls out at a time, and no more.
    while let Some(Ask { number, want, left }) = read(&mut input, LINE_BYTES_MAX)? {
        let deadline = Instant::now() + left;
        let (injector, link) = (injector.clone(), Arc::clone(&link));
        let answer = move || {
            let outcome = match want {
                Want::Counts => Outcome::Counts(count(&link, deadline)),
                Want::Call { call, order, handle, unix } => {
                    let around = Surroundings { deadline, unix };
                    match call {
                        Call::Prepare => Outcome::Prepared(injector.prepare(&order, around)),
                        Call::Inject => Outcome::Done(injector.inject(&order, &handle, around)),
                        Call::Verify => Outcome::Seen(injector.verify(&order, &handle, around)),
                        Call::Revert => Outcome::Done(injector.revert(&order, &handle, around)),
                        Call::VerifyReverted => {
                            Outcome::Seen(injector.verify_reverted(&order, &handle, around))
                        }
                    }
                }
            };
            // Without a lab there is nobody to be told.
            let _ = say(&Reply { number, outcome });
        };
        thread::Builder::new().name("link-call".to_owned()).spawn(answer)?;
    }
    Ok(())
}

fn join(make: &Make) -> Result<Link, NetworkError> {
    let [client, server] = [Arc::new(Namespace::new()?), Arc::new(Namespace::new()?)];
    let options = LinkOptions {
        subnet: make.subnet,
        congestion_control: make.congestion_control.clone(),
        ..LinkOptions::default()
    };
    Link::between(&make.name, &client, &server, &options)
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
