//! Faults that a gateway carries out, seen by a client and in `/proc`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bulkhead_chaos::{ChaosId, Fault, Target};
use serde_json::Value;

use super::{Staged, is_soon};
use crate::bench::chaos::Lane;
use crate::bench::chaos::lane::{Answered, GatewayProcess, PATH, ask, get};

/// A gateway that has not answered for so long hangs.
const HANG: Duration = Duration::from_millis(200);
/// A gateway that is well answers within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// A status that neither gateway nor origin has for anything else.
const ODD_STATUS: u16 = 418;
/// Longer than a request takes without a fault, and shorter than with one that slows it down.
const SLOW: Duration = Duration::from_millis(40);
/// Descriptors that are held open.
const FILES: usize = 40;

/// A gateway to strike.
pub(super) struct Struck {
    fault: Fault,
    gateway: Arc<GatewayProcess>,
    pid: u32,
    sees: fn(&Self, ChaosId) -> bool,
    /// As it was before.
    answer: Answered,
    year: String,
    generation: u64,
    files: usize,
}

pub(super) fn stage(
    lane: &Lane,
    fault: &str,
    sees: fn(&Struck, ChaosId) -> bool,
) -> anyhow::Result<Box<dyn Staged>> {
    let fault: Fault = serde_json::from_str(fault).context("read a fault")?;
    let gateway = Arc::clone(&lane.gateway);
    let answer = get(gateway.web, PATH, PATIENCE).context("ask the gateway")?;
    if answer.status != 200 || !answer.is_whole {
        bail!("the gateway is not well before it is struck: {}", answer.head);
    }
    let pid = gateway.pid();
    // One that is killed meanwhile is no measure of what it will be.
    let year = year(&gateway).context("the gateway does not tell its date")?;
    let generation = generation(&gateway).context("the gateway does not tell its workers")?;
    let files = files(pid);
    Ok(Box::new(Struck { fault, gateway, pid, sees, answer, year, generation, files }))
}

fn files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn ask_admin(gateway: &GatewayProcess, path: &str) -> Option<Value> {
    let answer = get(gateway.admin, path, PATIENCE).ok()?;
    serde_json::from_slice(&answer.body).ok()
}

/// Of its one worker.
fn generation(gateway: &GatewayProcess) -> Option<u64> {
    ask_admin(gateway, "/workers")?["workers"][0]["generation"].as_u64()
}

/// Of the gateway's clock, which it tells with what it answers by itself: here that it is no forward proxy.
fn year(gateway: &GatewayProcess) -> Option<String> {
    let answer =
        ask(gateway.web, "CONNECT bench:1 HTTP/1.1\r\nhost: bench:1\r\n\r\n", PATIENCE).ok()?;
    answer.field("date")?.get(12..16).map(str::to_owned)
}

/// What a client gets at present; nothing if the connection was broken before anything came.
fn now(struck: &Struck) -> Option<Answered> {
    get(struck.gateway.web, PATH, PATIENCE).ok()
}

pub(super) fn is_slow(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_some_and(|it| it.is_whole && it.took >= SLOW)
}

pub(super) fn has_odd_status(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_some_and(|it| it.status == ODD_STATUS)
}

/// The answer is not whole, or there is none.
pub(super) fn is_cut(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_none_or(|it| !it.is_whole)
}

pub(super) fn is_corrupt(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_some_and(|it| it.is_whole && it.body != struck.answer.body)
}

pub(super) fn is_refused(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_some_and(|it| it.status >= 500)
}

pub(super) fn is_told_to_end(struck: &Struck, _: ChaosId) -> bool {
    now(struck).is_some_and(|it| it.field("connection") == Some("close"))
}

pub(super) fn has_new_worker(struck: &Struck, _: ChaosId) -> bool {
    generation(&struck.gateway) > Some(struck.generation)
}

pub(super) fn hangs(struck: &Struck, _: ChaosId) -> bool {
    get(struck.gateway.web, PATH, HANG).is_err()
}

pub(super) fn has_more_files(struck: &Struck, _: ChaosId) -> bool {
    files(struck.pid) >= struck.files + FILES
}

/// The offset is of years.
pub(super) fn has_another_date(struck: &Struck, _: ChaosId) -> bool {
    year(&struck.gateway).is_some_and(|year| year != struck.year)
}

/// Of what no client can see, the gateway's own word, which is not the lab's: it is in force, or was done.
pub(super) fn says_so(struck: &Struck, id: ChaosId) -> bool {
    let fault = ask_admin(&struck.gateway, &format!("/faults/{id}"));
    fault.is_some_and(|it| it["state"] == "active" || it["state"] == "done")
}

impl Struck {
    /// It does everything as before, and has no fault in force.
    fn is_well(&self) -> bool {
        let Some(answer) = now(self) else { return false };
        let is_as_before = answer.status == 200
            && answer.is_whole
            && answer.body == self.answer.body
            && answer.field("connection") == self.answer.field("connection")
            && year(&self.gateway).as_ref() == Some(&self.year);
        let faults = ask_admin(&self.gateway, "/faults");
        let has_none = faults.is_some_and(|it| {
            it["faults"].as_array().is_some_and(|it| it.iter().all(|it| it["state"] != "active"))
        });
        let few_files = files(self.pid) < self.files + FILES;
        is_as_before && has_none && few_files
    }
}

impl Staged for Struck {
    fn fault(&self) -> Fault {
        self.fault.clone()
    }

    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target::Gateway { admin: self.gateway.admin })
    }

    fn is_struck(&mut self, id: ChaosId) -> bool {
        (self.sees)(self, id)
    }

    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        !is_soon(|| self.is_well())
    }
}
