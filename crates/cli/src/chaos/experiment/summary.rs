//! The end of a run in words: the verdict, what each fault did and cost, how the groups compare.

use anyhow::Context;
use bulkhead_chaos::{Answered, GroupMeasure, Measured};
use bulkhead_experiment::{Comparison, FaultSummary, Runner};

/// All of it but the last line.
pub(super) fn summary(runner: &Runner) -> anyhow::Result<String> {
    let verdict = runner.verdict();
    let mut text = String::new();
    let answers = [
        ("hypothesis", verdict.hypothesis),
        ("injection", verdict.injection),
        ("revert", verdict.revert),
        ("infrastructure", verdict.infrastructure),
    ];
    for (name, answer) in answers {
        text.push_str(&format!("{name:<15} {}\n", word(answer)?));
    }
    for reason in &verdict.reasons {
        text.push_str(&format!("  - {reason}\n"));
    }
    for comparison in runner.comparisons() {
        groups(&comparison, &mut text)?;
    }
    for fault in runner.faults() {
        text.push_str(&line(&fault));
    }
    Ok(text)
}

fn word(answer: Answered) -> anyhow::Result<String> {
    let answer = serde_json::to_value(answer).context("write the verdict")?;
    Ok(answer.as_str().unwrap_or_default().replace('_', " "))
}

fn groups(comparison: &Comparison, text: &mut String) -> anyhow::Result<()> {
    let Comparison { fault, control_requests, experiment_requests, answer, .. } = comparison;
    text.push_str(&format!(
        "groups of {fault}: {}; experiment {experiment_requests}, control {control_requests} requests\n",
        word(*answer)?
    ));
    for measured in &comparison.measures {
        text.push_str(&format!("  {}: {}\n", measure(measured), word(measured.answer)?));
    }
    Ok(())
}

/// `error share 0.50 % against 0.00 %: +0.50 points (0.21 to 0.92), at most 1.00`.
fn measure(measured: &Measured) -> String {
    let (name, factor, unit, difference) = match measured.measure {
        GroupMeasure::ErrorShare => ("error share".to_owned(), 100.0, " %", " points"),
        GroupMeasure::Latency { quantile } => (format!("p{}", quantile * 100.0), 1.0, " ms", " ms"),
    };
    let margin = measured.margin * factor;
    let (Some(control), Some(experiment), Some(interval)) =
        (measured.control, measured.experiment, measured.interval)
    else {
        return format!("{name} of an empty group, at most {margin:+.2}{difference}");
    };
    let end = |end: f64| {
        let end = end * factor;
        if end.is_finite() { format!("{end:+.2}") } else { "unknown".to_owned() }
    };
    format!(
        "{name} {:.2}{unit} against {:.2}{unit}: {:+.2}{difference} ({} to {}), at most {margin:+.2}",
        experiment * factor,
        control * factor,
        (experiment - control) * factor,
        end(interval.low),
        end(interval.high),
    )
}

fn line(fault: &FaultSummary) -> String {
    let kind = fault.kind.as_deref().unwrap_or("fault");
    let mut text = format!("fault {}: {kind} {}", fault.activity, fault.state);
    if let (Some(hits), Some(seen)) = (fault.hits, fault.seen) {
        text.push_str(&format!(", struck {hits} of {seen}"));
    }
    if let Some(spent) = fault.error_budget {
        text.push_str(&format!(
            ", {} of {} requests failed ({:.0} % of the error budget)",
            spent.failures,
            spent.requests,
            spent.burnt * 100.0
        ));
    }
    if let Some(recovery) = fault.recovery_s {
        text.push_str(&format!(", well again after {recovery:.1} s"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::Interval;

    use super::*;

    #[test]
    fn measures_are_told_with_their_units() {
        let errors = Measured {
            measure: GroupMeasure::ErrorShare,
            control: Some(0.0),
            experiment: Some(0.005),
            interval: Some(Interval { low: 0.0021, high: 0.0092 }),
            margin: 0.01,
            p_value: Some(0.001),
            answer: Answered::Held,
        };
        assert_eq!(
            measure(&errors),
            "error share 0.50 % against 0.00 %: +0.50 points (+0.21 to +0.92), at most +1.00"
        );
        let latency = Measured {
            measure: GroupMeasure::Latency { quantile: 0.999 },
            interval: Some(Interval { low: f64::NEG_INFINITY, high: f64::INFINITY }),
            control: Some(4.0),
            experiment: Some(3.5),
            margin: 20.0,
            ..errors
        };
        assert_eq!(
            measure(&latency),
            "p99.9 3.50 ms against 4.00 ms: -0.50 ms (unknown to unknown), at most +20.00"
        );
        let nothing = Measured { interval: None, ..latency };
        assert_eq!(measure(&nothing), "p99.9 of an empty group, at most +20.00 ms");
    }
}
