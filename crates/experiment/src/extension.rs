//! `extensions: [{name: bulkhead, …}]`: what an experiment says to Bulkhead alone. Chaos Toolkit leaves
//! extensions to those whose name they have, so the file stays valid for it.

mod compare;

use std::time::Duration;

use bulkhead_chaos::{TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX};
use bulkhead_config::document::{Report, nearest};
use serde_json::Value;

use crate::document::{Data, Located};
use crate::duration;
use crate::model::Step;

pub use compare::{Budget, Compare};

/// The name that it goes by.
pub(crate) const NAME: &str = "bulkhead";

/// Conditions at most.
const ABORT_MAX: usize = 16;
/// Longest time that the hypothesis may take to hold again.
const RECOVERY_MAX: Duration = Duration::from_secs(15 * 60);

/// What an experiment says to Bulkhead.
#[derive(Clone, Debug, PartialEq)]
pub struct Extension {
    /// Whether the experiment has it at all.
    pub given: bool,
    /// Everything random is drawn from it; drawn by whoever runs the experiment if it is left out.
    pub seed: Option<u64>,
    /// Life of a fault that names none.
    pub time_to_live: Duration,
    /// How many of the targets a fault may strike, as the lab reads it.
    pub blast_radius: Option<Value>,
    /// What ends the method early.
    pub abort: Vec<Abort>,
    /// How long the hypothesis may take to hold again after everything was taken back.
    pub recovery: Duration,
    /// Groups of a gateway that are compared.
    pub compare: Vec<Compare>,
    /// How many requests may fail.
    pub error_budget: Option<Budget>,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            given: false,
            seed: None,
            time_to_live: TIME_TO_LIVE_DEFAULT,
            blast_radius: None,
            abort: Vec::new(),
            recovery: Duration::ZERO,
            compare: Vec::new(),
            error_budget: None,
        }
    }
}

/// The method ends if a probe is out of its tolerance for so long without a break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    /// Name of a probe of the hypothesis.
    pub probe: String,
    /// How long.
    pub lasting: Duration,
}

const KEYS: [&str; 8] =
    ["name", "seed", "ttl", "blast_radius", "abort", "recovery", "compare", "error_budget"];

/// Reads it from the list of extensions.
pub(crate) fn read(
    extensions: Option<&Located>,
    probes: &[&str],
    method: &[Step],
    report: &mut Report<'_>,
) -> Extension {
    let ours = extensions.and_then(|list| {
        list.items().iter().find(|item| item.get("name").and_then(Located::text) == Some(NAME))
    });
    let Some(ours) = ours else { return Extension::default() };
    keys(ours, &KEYS, report);
    let mut extension = Extension { given: true, ..Extension::default() };
    if let Some(seed) = ours.get("seed") {
        extension.seed = seed.to_value().as_u64();
        if extension.seed.is_none() {
            report.error(seed.span, "a seed is a whole number from 0 to 18446744073709551615");
        }
    }
    if let Some(item) = ours.get("ttl") {
        extension.time_to_live = time_to_live(item, report);
    }
    if let Some(item) = ours.get("recovery") {
        extension.recovery = duration::read(item, RECOVERY_MAX, report);
    }
    extension.blast_radius = ours.get("blast_radius").and_then(|item| blast_radius(item, report));
    if let Some(list) = ours.get("abort") {
        extension.abort = conditions(list, probes, report);
    }
    if let Some(list) = ours.get("compare") {
        extension.compare = compare::comparisons(list, method, report);
    }
    extension.error_budget =
        ours.get("error_budget").and_then(|item| compare::budget(item, report));
    extension
}

/// The life of a fault: over 0, at most 15 minutes.
pub(crate) fn time_to_live(item: &Located, report: &mut Report<'_>) -> Duration {
    if duration::of(item).is_some_and(|life| life.is_zero()) {
        report
            .error(item.span, "a fault without a life has no effect")
            .remedy("write a time such as `60s`, at most `15m`");
    }
    duration::read(item, TIME_TO_LIVE_MAX, report)
}

/// How many of several targets are struck, as the lab reads it.
pub(crate) fn blast_radius(item: &Located, report: &mut Report<'_>) -> Option<Value> {
    keys(item, &["percent", "count", "labels", "rounding", "min_survivors"], report);
    let (share, count) = (item.get("percent"), item.get("count"));
    if share.is_some() == count.is_some() {
        report
            .error(item.span, "a blast radius is either `percent` or `count`")
            .remedy("for instance `blast_radius: {percent: 15, rounding: stochastic}`");
        return None;
    }
    if let Some(share) = share {
        percent(share, report);
        let rounding = item.get("rounding").map(|rounding| (rounding.span, rounding.text()));
        if let Some((span, rounding)) = rounding
            && !matches!(rounding, Some("ceil" | "floor" | "stochastic"))
        {
            report.error(span, "rounding is `ceil`, `floor` or `stochastic`");
        }
    }
    for whole in [count, item.get("min_survivors")].into_iter().flatten() {
        if whole.to_value().as_u64().is_none() {
            report.error(whole.span, "a whole number is expected here");
        }
    }
    Some(item.to_value())
}

fn percent(item: &Located, report: &mut Report<'_>) -> bool {
    let fits = item.to_value().as_f64().is_some_and(|share| share > 0.0 && share <= 100.0);
    if !fits {
        report.error(item.span, "a share is a number of percent, over 0 and up to 100");
    }
    fits
}

fn conditions(list: &Located, probes: &[&str], report: &mut Report<'_>) -> Vec<Abort> {
    if !matches!(list.data, Data::List(_)) || list.items().len() > ABORT_MAX {
        report.error(list.span, format!("a list of up to {ABORT_MAX} conditions is expected here"));
        return Vec::new();
    }
    list.items().iter().filter_map(|item| condition(item, probes, report)).collect()
}

fn condition(item: &Located, probes: &[&str], report: &mut Report<'_>) -> Option<Abort> {
    keys(item, &["probe", "for"], report);
    let lasting =
        item.get("for").map_or(Duration::ZERO, |item| duration::read(item, RECOVERY_MAX, report));
    let Some(probe) = item.get("probe") else {
        report
            .error(item.span, "a condition names a probe")
            .remedy("for instance `abort: [{probe: success-rate, for: 1s}]`");
        return None;
    };
    let name = probe.text().unwrap_or_default();
    if !probes.contains(&name) {
        let error = report.error(probe.span, "the hypothesis has no probe of this name");
        if let Some(near) = nearest(name, probes.iter().copied()) {
            error.suggestion = Some(near.to_owned());
        }
        return None;
    }
    Some(Abort { probe: name.to_owned(), lasting })
}

/// Says which keys mean nothing: here, unlike in Chaos Toolkit's own parts, that is an error.
fn keys(item: &Located, known: &[&str], report: &mut Report<'_>) {
    for member in item.members() {
        if !known.contains(&member.name.as_str()) {
            let error =
                report.error(member.span, format!("there is no key `{}` here", member.name));
            if let Some(near) = nearest(&member.name, known.iter().copied()) {
                error.suggestion = Some(near.to_owned());
            }
        }
    }
}
