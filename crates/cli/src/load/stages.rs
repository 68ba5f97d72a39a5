//! Rates over time from a flag: `1000:10s,1000..5000:30s`.

use bulkhead_load::Phase;

use super::args::positive;

/// Reads stages, divided by commas: `RATE:DURATION` holds a rate, `FROM..TO:DURATION` changes it
/// evenly.
pub(crate) fn parse(text: &str) -> Result<Vec<Phase>, String> {
    let phases = text.split(',').map(|stage| parse_one(stage.trim()));
    let phases = phases.collect::<Result<Vec<_>, _>>()?;
    if phases.iter().all(|phase| phase.requests() < 1.0) {
        return Err("the stages ask for less than one request in all".to_owned());
    }
    Ok(phases)
}

fn parse_one(stage: &str) -> Result<Phase, String> {
    let expected = || {
        format!(
            "`{stage}` is no stage; expected `RATE:DURATION` or `FROM..TO:DURATION`, such as \
                 `1000:10s` or `1000..5000:30s`"
        )
    };
    let (rates, duration) = stage.split_once(':').ok_or_else(expected)?;
    let (from, to) = rates.split_once("..").unwrap_or((rates, rates));
    let rate = |text: &str| text.trim().parse::<f64>().ok();
    match (rate(from), rate(to)) {
        (Some(from), Some(to)) if [from, to].iter().all(|r| (0.0..=1e7).contains(r)) => {
            Ok(Phase { duration: positive(duration.trim())?, from, to })
        }
        _ => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stages_are_read() {
        let second = Duration::from_secs(1);
        let phases = parse("100:1s, 100..500.5:2s,0:1s").unwrap();
        assert_eq!(phases[0], Phase::constant(100.0, second));
        assert_eq!(phases[1], Phase { duration: second * 2, from: 100.0, to: 500.5 });
        assert_eq!(phases[2], Phase::constant(0.0, second));
    }

    #[test]
    fn bad_stages_say_what_is_expected() {
        for (text, expected) in [
            ("100", "expected `RATE:DURATION`"),
            ("a:1s", "expected `RATE:DURATION`"),
            ("1..x:1s", "expected `RATE:DURATION`"),
            ("-1:1s", "expected `RATE:DURATION`"),
            ("1e9:1s", "expected `RATE:DURATION`"),
            ("1:1", "a number with a unit"),
            ("1:0s", "more than nothing"),
            ("0:10s", "less than one request"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
