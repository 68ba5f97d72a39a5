use bulkhead_load::search::Ended;
use bulkhead_load::{Latencies, Row, Summary};

use super::*;

/// A target of one server (M/M/1) whose latencies are those of theory.
fn queue(capacity: f64) -> impl FnMut(f64, Duration) -> anyhow::Result<TrialResult> {
    move |rate, duration| {
        let scheduled = (rate * duration.as_secs_f64()) as u64;
        let mut latency = Latencies::default();
        let spare = (capacity - rate).max(0.05);
        for step in 0..1_000 {
            let share = (f64::from(step) + 0.5) / 1_000.0;
            latency.0.saturating_record((-(1.0 - share).ln() / spare * 1e6) as u64 + 1);
        }
        let report = LoadReport {
            scheduled,
            ok: scheduled,
            rows: (0..duration.as_secs() + 1)
                .map(|second| Row { second, ok: rate.min(capacity) as u64, ..Row::default() })
                .collect(),
            latency_ms: Summary::of(&latency.0),
            service: latency.clone(),
            latency,
            ..LoadReport::default()
        };
        Ok(TrialResult { report, invalid_reasons: Vec::new() })
    }
}

fn find(
    objective: &str,
    trial: impl FnMut(f64, Duration) -> anyhow::Result<TrialResult>,
) -> (FindMaxDocument, Vec<String>, String) {
    let objective = Objective::parse(objective).unwrap();
    let (never, mut lines, mut text) = (Interrupt::never(), Vec::new(), Vec::new());
    let say = |line: &str| lines.push(line.to_owned());
    let document = run(&objective, SearchOptions::default(), &never, trial, say).unwrap();
    document.print(&mut text).unwrap();
    (document, lines, String::from_utf8(text).unwrap())
}

#[test]
fn the_rate_is_found_and_told() {
    let (document, lines, text) = find("p99<50ms, errors<0.1%", queue(2_000.0));
    assert_eq!(document.ended, Ended::Confirmed);
    // P99 of M/M/1 is ln(100) / (capacity - rate).
    let expected = 2_000.0 - 100f64.ln() / 0.05;
    let rate = document.rate.unwrap();
    assert!(rate <= expected * 1.001 && rate >= expected * 0.95, "{rate} for {expected}");
    assert_eq!(lines.len(), document.trials.len());
    assert!(lines[0].contains("trial  1 of at most 60  grow"), "{}", lines[0]);
    assert!(lines.iter().any(|line| line.ends_with("not held: p99<50ms")), "{lines:?}");
    assert!(text.contains("5 of 5 trials held (57 to 100 % at 95 % confidence)"), "{text}");
    assert!(document.curve.len() >= 4 && document.usl.is_some(), "{text}");
    assert!(text.contains("scalability  lambda"), "{text}");

    let json = serde_json::to_value(&document).unwrap();
    assert_eq!((&json["ended"], &json["generator_limited"]), (&"confirmed".into(), &false.into()));
    assert_eq!(json["confidence"]["held"], 5);
    for name in ["lambda", "sigma", "kappa", "r_squared", "points"] {
        assert!(json["usl"][name].is_number(), "{name}: {json}");
    }
    assert_eq!(json["trials"][0]["purpose"], "grow");
}

#[test]
fn a_limit_of_the_generator_is_said_to_be_one() {
    let mut target = queue(50_000.0);
    let (document, lines, text) = find("p99<50ms", |rate, duration| {
        let mut result = target(rate, duration)?;
        if rate > 1_000.0 {
            result.invalid_reasons.push("the generator used 99 % of one core".to_owned());
        }
        Ok(result)
    });
    assert!(document.generator_limited && document.generator_limit_rps.unwrap() > 1_000.0);
    assert!(text.contains("the generator is the limit at 10"), "{text}");
    assert!(lines.iter().any(|line| line.contains("generator limited: the generator used 99 %")));
    assert_eq!(format!("{:?}", document.exit_code()), format!("{:?}", ExitCodeOf(3)));
}

/// `ExitCode` compares to nothing; its debug text does.
struct ExitCodeOf(u8);

impl std::fmt::Debug for ExitCodeOf {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::process::ExitCode::from(self.0).fmt(out)
    }
}

#[test]
fn no_right_answer_holds_no_objective() {
    let (document, _, text) = find("p99<50ms", |_, _| Ok(TrialResult::default()));
    assert_eq!((document.ended, document.rate), (Ended::NeverHeld, None));
    assert!(text.contains("scalability  no fit: 0 points"), "{text}");
    assert!(text.contains("does not hold even at the lowest rate"), "{text}");
}

#[test]
fn a_trial_that_was_cut_short_does_not_count() {
    let interrupt = Interrupt::never();
    let mut trials = 0;
    let mut target = queue(2_000.0);
    let objective = Objective::parse("p99<50ms").unwrap();
    let document = run(
        &objective,
        SearchOptions::default(),
        &interrupt,
        |rate, duration| {
            trials += 1;
            interrupt.set(trials == 3);
            target(rate, duration)
        },
        |_| {},
    )
    .unwrap();
    assert_eq!((document.ended, document.trials.len()), (Ended::Interrupted, 2));
    assert_eq!(document.rate, Some(200.0));
}

#[test]
fn a_trial_that_cannot_be_run_ends_the_search() {
    let objective = Objective::parse("p99<50ms").unwrap();
    let never = Interrupt::never();
    let failing = |_, _| anyhow::bail!("connect: refused");
    let error = run(&objective, SearchOptions::default(), &never, failing, |_| {}).unwrap_err();
    assert!(error.to_string().contains("refused"));
}

#[test]
fn bad_objectives_say_what_is_expected() {
    for (text, expected) in [("", "METRIC<VALUE"), ("p99<5ms,", "METRIC"), ("p99<5", "unit")] {
        let error = Objective::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(Objective::parse("p99<5ms,errors<0.1%").unwrap().text(), "p99<5ms,errors<0.1%");
}

#[test]
fn throughput_is_what_came_within_the_trial() {
    let row = |second, ok| Row { second, ok, ..Row::default() };
    // 300 were asked for in two seconds, and the last 100 came after them.
    let report = LoadReport {
        ok: 300,
        duration_s: 3.0,
        rows: vec![row(0, 100), row(1, 100), row(2, 100)],
        ..LoadReport::default()
    };
    for (ms, expected) in [(2_000, 100.0), (2_900, 100.0), (500, 100.0)] {
        let found = throughput(&report, Duration::from_millis(ms));
        assert!((found - expected).abs() < 1e-9, "{ms}: {found}");
    }
}
