//! The same faults by netem and by the packet box, and whether packets can tell.

use bulkhead_chaos::{Fault, Impairment, LossLaw, NetworkFault, Proportion, compare_shares};
use serde_json::{Value, json};
use std::time::Duration;

use crate::site::Site;
use crate::traffic::{Sample, Traffic, send};

/// A difference that is less likely than this without a cause is one.
pub(crate) const ALPHA: f64 = 1e-4;
pub(crate) const PACKETS: usize = 20_000;
/// How far middles of delays and rates may lie apart.
const DELAY_TOLERANCE_MS: f64 = 0.5;
const RATE_TOLERANCE: f64 = 0.01;

const PACED: Traffic = Traffic { packets: PACKETS, gap: Duration::from_millis(1), bytes: 64 };
/// Losses in bursts tell as much as an eighth as many independent ones.
const MANY: Traffic = Traffic { packets: 3 * PACKETS, ..PACED };
/// Of which the header of Ethernet, where netem may turn a bit that nobody looks at, is a small part.
const LARGE: Traffic = Traffic { bytes: 1_000, ..PACED };
/// Four times as fast as they may pass; slow enough for one processor to take them, too.
const CROWDED: Traffic = Traffic { packets: 500, gap: Duration::from_micros(200), bytes: 1_000 };

/// What is held against each other.
#[derive(Clone, Copy)]
enum Measure {
    Lost,
    Copies,
    /// Those that came later than this many milliseconds.
    Later(f64),
    Middle,
    Distribution,
    Rate,
}

const CASES: [(&str, &str, Traffic, Measure); 11] = [
    (
        "loss 12 %",
        r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#,
        PACED,
        Measure::Lost,
    ),
    (
        "loss in bursts",
        r#"{"loss": {"direction": "upstream", "model": {"gilbert_elliott": {"to_bad_percent": 2, "to_good_percent": 20}}}}"#,
        MANY,
        Measure::Lost,
    ),
    ("partition", r#"{"partition": {"direction": "upstream"}}"#, PACED, Measure::Lost),
    (
        "delay 40 ms",
        r#"{"delay": {"direction": "upstream", "base_ms": 40}}"#,
        PACED,
        Measure::Middle,
    ),
    (
        "delay 40 ± 40 ms, uniform",
        r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40, "distribution": "uniform", "reorder": "allow"}}"#,
        PACED,
        Measure::Distribution,
    ),
    (
        "delay 60 ± 20 ms, normal",
        r#"{"delay": {"direction": "upstream", "base_ms": 60, "jitter_ms": 20, "distribution": "normal", "reorder": "allow"}}"#,
        PACED,
        Measure::Distribution,
    ),
    (
        "delay 10 + 20 ms, pareto",
        r#"{"delay": {"direction": "upstream", "base_ms": 10, "jitter_ms": 20, "distribution": "pareto", "reorder": "allow"}}"#,
        PACED,
        Measure::Distribution,
    ),
    (
        "reorder 5 % by 20 ms",
        r#"{"reorder": {"direction": "upstream", "percent": 5, "hold_back_ms": 20}}"#,
        PACED,
        Measure::Later(10.0),
    ),
    (
        "duplicate 5 %",
        r#"{"duplicate": {"direction": "upstream", "percent": 5}}"#,
        PACED,
        Measure::Copies,
    ),
    (
        "corrupt 5 %",
        r#"{"corrupt": {"direction": "upstream", "percent": 5}}"#,
        LARGE,
        Measure::Lost,
    ),
    (
        "10 Mbit/s",
        r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 10000000, "queue_bytes": 1500000}}"#,
        CROWDED,
        Measure::Rate,
    ),
];

/// All of them, and first what both ways do without a fault.
pub(crate) fn cases(site: &Site) -> Vec<Value> {
    let (veth, link) = (site.sockets(), site.link_sockets());
    let controls = [send(&veth, PACED), send(&link, PACED)];
    let middles = [controls[0].quantile(0.5), controls[1].quantile(0.5)];
    let [by_netem, by_box] = controls;
    let clean = |it: &Sample| it.lost() + it.copies + it.overtaken == 0;
    let mut rows = vec![json!({
        "name": "none (control)", "netem": told(&by_netem), "box": told(&by_box), "test": "nothing lost, copied or overtaken",
        "holds": (clean(&by_netem) && clean(&by_box)),
    })];
    for (name, fault, traffic, measure) in CASES {
        let injection = site.prepare(fault, 900).unwrap();
        injection.inject();
        let by_netem = send(&veth, traffic);
        let evidence = injection.verify();
        let ended = injection.end();
        let injection = site.prepare_box(fault);
        injection.inject();
        let by_box = send(&link, traffic);
        injection.end();
        let mut row = hold(measure, fault, [by_netem, by_box], middles);
        row["name"] = name.into();
        row["fault"] = serde_json::from_str(fault).unwrap();
        row["evidence"] = evidence.seen.into();
        row["holds"] = (row["holds"] == true && evidence.holds && ended.holds).into();
        println!("{name}: {row}");
        rows.push(row);
    }
    rows
}

fn hold(measure: Measure, fault: &str, samples: [Sample; 2], middles: [f64; 2]) -> Value {
    let [by_netem, by_box] = &samples;
    let mut row = match measure {
        Measure::Lost => shares(fault, "lost", &samples, |it| (it.lost(), it.sent)),
        Measure::Copies => shares(fault, "copied", &samples, |it| (it.copies, it.sent)),
        Measure::Later(than) => shares(fault, "held back", &samples, |it| {
            (it.delays.iter().filter(|delay| **delay > than).count() as u64, it.received())
        }),
        Measure::Middle => {
            let apart = (by_netem.quantile(0.5) - middles[0]) - (by_box.quantile(0.5) - middles[1]);
            json!({
                "test": "medians less those of the control", "apart_ms": apart,
                "holds": apart.abs() <= DELAY_TOLERANCE_MS,
            })
        }
        Measure::Distribution => distributions(by_netem, by_box, middles),
        Measure::Rate => {
            let rates = samples.each_ref().map(rate);
            let apart = rates[0] / rates[1] - 1.0;
            json!({
                "test": "rates of bits of IP packets", "mbit_per_second": rates, "apart": apart,
                "holds": apart.abs() <= RATE_TOLERANCE,
            })
        }
    };
    row["netem"] = told(by_netem);
    row["box"] = told(by_box);
    row
}

/// Two proportions; losses in bursts count as so many fewer independent ones.
fn shares(
    fault: &str,
    what: &str,
    samples: &[Sample; 2],
    of: impl Fn(&Sample) -> (u64, u64),
) -> Value {
    let fault: Fault = serde_json::from_str(&format!(r#"{{"network": {fault}}}"#)).unwrap();
    let dispersion = loss(&fault).map_or(1.0, |law| law.dispersion());
    let [one, two] = samples.each_ref().map(|sample| {
        let (successes, trials) = of(sample);
        let scaled = |count: u64| (count as f64 / dispersion).round() as u64;
        (
            Proportion { successes, trials },
            Proportion { successes: scaled(successes), trials: scaled(trials) },
        )
    });
    let comparison = compare_shares(one.1, two.1).unwrap();
    json!({
        "test": format!("two proportions ({what})"),
        "shares": [one.0.share(), two.0.share()], "p": comparison.p_value,
        "holds": comparison.p_value >= ALPHA,
    })
}

fn loss(fault: &Fault) -> Option<LossLaw> {
    let Fault::Network(fault @ NetworkFault::Loss(_)) = fault else { return None };
    match fault.check().unwrap().upstream {
        Some(Impairment::Loss(law)) => Some(law),
        _ => None,
    }
}

/// Kolmogorov and Smirnov's test of two samples, each less the middle of its control.
fn distributions(by_netem: &Sample, by_box: &Sample, middles: [f64; 2]) -> Value {
    let less = |sample: &Sample, middle: f64| {
        let mut delays: Vec<f64> = sample.delays.iter().map(|delay| delay - middle).collect();
        delays.sort_by(f64::total_cmp);
        delays
    };
    let (one, two) = (less(by_netem, middles[0]), less(by_box, middles[1]));
    let (n, m) = (one.len() as f64, two.len() as f64);
    let (mut distance, mut i, mut j) = (0.0_f64, 0, 0);
    while i < one.len() && j < two.len() {
        if one[i] <= two[j] {
            i += 1
        } else {
            j += 1
        }
        distance = distance.max((i as f64 / n - j as f64 / m).abs());
    }
    let lambda = distance * (n * m / (n + m)).sqrt();
    let term = |k: i32| (-2.0 * (f64::from(k) * lambda).powi(2)).exp();
    let p = if lambda < 0.2 {
        1.0
    } else {
        2.0 * (1..100).map(|k| if k % 2 == 1 { term(k) } else { -term(k) }).sum::<f64>()
    };
    json!({
        "test": "Kolmogorov-Smirnov, two samples", "distance": distance, "p": p.clamp(0.0, 1.0),
        "holds": p >= ALPHA,
    })
}

/// Of IP packets, in Mbit/s. The first arrival begins the time that the others take.
fn rate(sample: &Sample) -> f64 {
    const HEADER_BYTES: usize = 28;
    let bits = 8 * (CROWDED.bytes + HEADER_BYTES) as u64 * sample.received().saturating_sub(1);
    bits as f64 / sample.span.as_secs_f64() / 1e6
}

fn told(sample: &Sample) -> Value {
    json!({
        "sent": sample.sent, "received": sample.received(), "copies": sample.copies,
        "overtaken": sample.overtaken, "bursts": sample.bursts, "mean_ms": sample.mean(),
        "p01_ms": sample.quantile(0.01), "p50_ms": sample.quantile(0.5), "p99_ms": sample.quantile(0.99),
    })
}
