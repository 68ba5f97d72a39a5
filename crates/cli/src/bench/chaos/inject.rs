//! One injection, there and back, on a target of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use bulkhead_chaos::{ChaosId, InjectRequest, InjectionReport, Random, State, TimeToLive};
use serde_json::Value;

use super::kinds::{Kind, Staged};
use super::report::Sample;
use super::{Ground, Lane, warn};

/// Life of each fault, far longer than it is needed: expiry is not what is measured.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);
/// Attempts to make a target, parts of which may be killed meanwhile.
const STAGINGS_MAX: u32 = 20;

pub(super) fn once(
    ground: &Ground,
    lane: &mut Lane,
    kind: &Kind,
    number: u64,
) -> anyhow::Result<Sample> {
    // Whoever looks for what is left looks alone.
    let _running = ground.gate.read();
    let since = ground.kills.ended();
    let mut target = stage(ground, lane, kind)?;
    let request = request(&*target, ground.seed, number)?;
    let id = request.id.context("an order has an id")?;
    let body = serde_json::to_string(&request).context("write the order")?;
    let answer = ground.lab.ask("POST", "/v1/inject", &body)?;
    if !matches!(answer.status, 200 | 202 | 422) {
        bail!("the lab answered {}: {}", answer.status, answer.error());
    }
    let path = format!("/v1/injections/{id}");
    let is_settled = |state| matches!(state, State::Active | State::RevertFailed);
    let settled = wait(ground, &path, |state| is_settled(state) || state.is_terminal())?;
    let active = settled.state == State::Active;
    let seen = active && target.is_struck(id);
    ground.lab.ask("DELETE", &path, "")?;
    let ended = wait(ground, &path, State::is_terminal)?;
    // A gateway that was killed is not well until it is there again.
    ground.kills.wait_for_rest();
    let left_behind = target.is_left_behind(id);
    let disturbed = ground.kills.disturbed(kind.name, since);
    let succeeded = active && seen;
    if (!succeeded && !disturbed) || left_behind || !ended.state.is_terminal() {
        let detail = ended.detail.as_deref().unwrap_or_default();
        let seen = ["", ", in force by the lab's word only"][usize::from(active && !seen)];
        let left = ["", ", LEFT BEHIND"][usize::from(left_behind)];
        let late = ["", ", out of time"][usize::from(ended.timed_out)];
        warn(&format!("{id} {}: {}{late}{seen}{left}: {detail}", kind.name, ended.state));
    }
    Ok(Sample {
        // What a kill has spoiled tells nothing of the lab's faults, but must be taken back all the same.
        feasible: succeeded || !disturbed,
        succeeded,
        timed_out: ended.timed_out && !disturbed,
        attempts: ended.attempts,
        inject_ms: settled.inject_ms.filter(|_| succeeded),
        to_revert: ended.attempts > 0,
        reverted: ended.state.is_terminal(),
        revert_ms: ended.revert_ms.filter(|_| !disturbed),
        left_behind,
    })
}

fn stage(ground: &Ground, lane: &mut Lane, kind: &Kind) -> anyhow::Result<Box<dyn Staged>> {
    for _ in 1..STAGINGS_MAX {
        let since = ground.kills.ended();
        match staged(ground, lane, kind) {
            Err(error) if !ground.kills.any(since) => return Err(error.context("make a target")),
            Err(_) => ground.kills.wait_for_rest(),
            done => return done,
        }
    }
    staged(ground, lane, kind)
}

fn staged(ground: &Ground, lane: &mut Lane, kind: &Kind) -> anyhow::Result<Box<dyn Staged>> {
    let target = (kind.stage)(lane, ground)?;
    let is = target.fault().kind();
    if is != kind.fault() {
        bail!("what is called {} is {is}", kind.name);
    }
    Ok(target)
}

fn request(target: &dyn Staged, seed: u64, number: u64) -> anyhow::Result<InjectRequest> {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = Random::at(seed, 2 * number);
    let mut request = InjectRequest::new(target.fault(), target.target()?);
    request.id = Some(ChaosId::new(unix, &mut random));
    request.seed = Some(random.next());
    request.ttl = TimeToLive(TIME_TO_LIVE);
    Ok(request)
}

/// Where an injection is, once it has come so far.
fn wait(
    ground: &Ground,
    path: &str,
    is_reached: impl Fn(State) -> bool,
) -> anyhow::Result<InjectionReport> {
    let state = |it: &Value| serde_json::from_value::<State>(it["state"].clone());
    let document = ground.lab.wait(path, |it| state(it).is_ok_and(&is_reached))?;
    serde_json::from_value(document).context("the lab forgot an injection")
}

/// Why an injection of this kind is refused here, if it is: nothing is changed.
pub(super) fn why_not(ground: &Ground, lane: &mut Lane, kind: &Kind) -> Option<String> {
    let mut ask = || -> anyhow::Result<Option<String>> {
        let target = staged(ground, lane, kind)?;
        let body = serde_json::to_string(&request(&*target, ground.seed, 0)?)?;
        let answer = ground.lab.ask("POST", "/v1/dry-run", &body)?;
        if answer.status != 200 {
            bail!("the lab answered {}: {}", answer.status, answer.error());
        }
        let rule = &answer.document["rules"][0];
        Ok(rule["refused"].as_str().map(str::to_owned))
    };
    ask().unwrap_or_else(|error| Some(format!("{error:#}")))
}
