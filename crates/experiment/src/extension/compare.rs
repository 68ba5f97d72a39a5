//! `compare` and `error_budget`: what an experiment promises of the requests that pass a gateway meanwhile.

use std::time::Duration;

use bulkhead_chaos::{GroupCriteria, LatencyCriterion};
use bulkhead_config::document::{Report, nearest};

use super::keys;
use crate::document::{Data, Located};
use crate::duration;
use crate::model::Step;

/// Comparisons at most.
const COMPARE_MAX: usize = 16;
/// Largest margin of a latency.
const MARGIN_MAX: Duration = Duration::from_secs(15 * 60);
/// Requests that say something of an objective, where nothing else is said.
const REQUESTS_MIN_DEFAULT: u64 = 100;

/// The experiment group of a fault may do worse than its control group by so much.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Name of the action that injects the fault.
    pub fault: String,
    /// Admin server of the gateway; that of the fault's target if it is left out. May hold placeholders.
    pub gateway: Option<String>,
    /// By how much.
    pub criteria: GroupCriteria,
}

/// Of all requests that pass a gateway while a fault is in force, so many must succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Admin server of the gateway. May hold placeholders.
    pub gateway: String,
    /// Share that must succeed, over 0 and below 1.
    pub objective: f64,
    /// Requests below which nothing is said.
    pub requests_min: u64,
}

pub(super) fn comparisons(
    list: &Located,
    method: &[Step],
    report: &mut Report<'_>,
) -> Vec<Compare> {
    if !matches!(list.data, Data::List(_)) || list.items().len() > COMPARE_MAX {
        report.error(list.span, format!("a list of up to {COMPARE_MAX} comparisons is expected"));
        return Vec::new();
    }
    list.items().iter().filter_map(|item| comparison(item, method, report)).collect()
}

fn comparison(item: &Located, method: &[Step], report: &mut Report<'_>) -> Option<Compare> {
    keys(item, &["fault", "gateway", "error_share", "latency"], report);
    let Some(fault) = item.get("fault") else {
        report
            .error(item.span, "a comparison names the action that injects its fault")
            .remedy("for instance `compare: [{fault: refuse-some, error_share: {margin: 1}}]`");
        return None;
    };
    let name = fault.text().unwrap_or_default();
    let actions = || method.iter().filter(|step| step.activity.is_action);
    match actions().find(|step| step.activity.name == name) {
        Some(step) if has_no_control_group(step) => {
            report
                .error(fault.span, "this fault has no control group to compare with")
                .remedy("add `control_group: request` to it, and a `percent` of at most 50");
        }
        Some(_) => {}
        None => {
            let error = report.error(fault.span, "the method has no action of this name");
            let names = actions().map(|step| step.activity.name.as_str());
            error.suggestion = nearest(name, names).map(str::to_owned);
        }
    }
    let criteria = GroupCriteria {
        error_share: item.get("error_share").map(|share| error_share(share, report)),
        latency: item.get("latency").map(|latency| criterion(latency, report)),
    };
    if criteria == GroupCriteria::default() {
        report.error(item.span, "a comparison has `error_share`, `latency` or both");
    }
    let gateway = item.get("gateway").and_then(|gateway| text(gateway, report));
    Some(Compare { fault: name.to_owned(), gateway, criteria })
}

/// As far as it can be told before substitution.
fn has_no_control_group(step: &Step) -> bool {
    let fault = &step.activity.provider["arguments"]["fault"];
    !fault.is_string()
        && fault["http"].as_object().is_none_or(|http| !http.contains_key("control_group"))
}

fn error_share(item: &Located, report: &mut Report<'_>) -> f64 {
    keys(item, &["margin"], report);
    let place = item.get("margin").unwrap_or(item);
    number(
        place,
        0.0..100.0,
        "`margin` is a number of percent points, over 0 and below 100",
        report,
    ) / 100.0
}

fn criterion(item: &Located, report: &mut Report<'_>) -> LatencyCriterion {
    keys(item, &["percentile", "margin"], report);
    let percentile = item.get("percentile").unwrap_or(item);
    let wrong = "`percentile` is over 0 and below 100, such as `percentile: 99`";
    let percentile = number(percentile, 0.0..100.0, wrong, report);
    let margin = match item.get("margin") {
        Some(margin) => duration::read(margin, MARGIN_MAX, report),
        None => Duration::ZERO,
    };
    if margin.is_zero() {
        report
            .error(item.span, "a latency needs a margin over 0")
            .remedy("for instance `latency: {percentile: 99, margin: 20ms}`");
    }
    LatencyCriterion { quantile: percentile / 100.0, margin_ms: margin.as_secs_f64() * 1e3 }
}

pub(super) fn budget(item: &Located, report: &mut Report<'_>) -> Option<Budget> {
    keys(item, &["gateway", "objective", "requests_min"], report);
    let Some(gateway) = item.get("gateway").and_then(|gateway| text(gateway, report)) else {
        report
            .error(item.span, "an error budget names the gateway that it is about")
            .remedy("for instance `error_budget: {gateway: \"127.0.0.1:9901\", objective: 99.9}`");
        return None;
    };
    let objective = item.get("objective").unwrap_or(item);
    let wrong = "`objective` is the percent of requests that must succeed, over 0 and below 100";
    let objective = number(objective, 0.0..100.0, wrong, report) / 100.0;
    let requests_min = match item.get("requests_min") {
        Some(least) => least.to_value().as_u64().unwrap_or_else(|| {
            report.error(least.span, "a whole number is expected here");
            REQUESTS_MIN_DEFAULT
        }),
        None => REQUESTS_MIN_DEFAULT,
    };
    Some(Budget { gateway, objective, requests_min })
}

/// Within the range and not its lower end.
fn number(
    item: &Located,
    range: std::ops::Range<f64>,
    wrong: &str,
    report: &mut Report<'_>,
) -> f64 {
    let fits = |number: &f64| *number > range.start && *number < range.end;
    item.to_value().as_f64().filter(fits).unwrap_or_else(|| {
        report.error(item.span, wrong);
        range.start
    })
}

fn text(item: &Located, report: &mut Report<'_>) -> Option<String> {
    let text = item.text().filter(|text| !text.is_empty());
    if text.is_none() {
        report
            .error(item.span, "the address of an admin server is expected, such as 127.0.0.1:9901");
    }
    text.map(str::to_owned)
}
