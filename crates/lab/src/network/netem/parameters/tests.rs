use bulkhead_chaos::{JitterLaw, NetworkFault};

use super::{Parameters, Setting};

fn setting(fault: &str) -> Result<Setting, String> {
    let fault: NetworkFault = serde_json::from_str(fault).unwrap();
    Setting::of(&fault.check().unwrap().upstream.unwrap(), 14, 7)
}

fn parameters(fault: &str) -> Parameters {
    setting(fault).unwrap().parameters
}

const LIMIT: Parameters = Parameters {
    delay_ns: 0,
    jitter_ns: 0,
    loss: 0,
    bursts: None,
    overtaking: 0,
    duplicate: 0,
    corrupt: 0,
    bytes_per_second: 0,
    packet_overhead: 0,
    limit: 16_384,
};

#[test]
fn shares_and_delays_are_told_as_the_kernel_counts_them() {
    let loss = r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 25}}}}"#;
    assert_eq!(parameters(loss), Parameters { loss: 1 << 30, ..LIMIT });
    let cut = r#"{"partition": {"direction": "upstream"}}"#;
    assert_eq!(parameters(cut), Parameters { loss: u32::MAX, ..LIMIT });
    let twice = r#"{"duplicate": {"direction": "upstream", "percent": 50}}"#;
    assert_eq!(parameters(twice), Parameters { duplicate: 1 << 31, ..LIMIT });
    let turned = r#"{"corrupt": {"direction": "upstream", "percent": 100}}"#;
    assert_eq!(parameters(turned), Parameters { corrupt: u32::MAX, ..LIMIT });
    let delay = r#"{"delay": {"direction": "upstream", "base_ms": 40.5}}"#;
    assert_eq!(parameters(delay), Parameters { delay_ns: 40_500_000, ..LIMIT });
}

#[test]
fn bursts_are_those_of_gilbert_and_elliott() {
    let bursts = r#"{"loss": {"direction": "upstream", "model": {"gilbert_elliott": {
        "to_bad_percent": 25, "to_good_percent": 50, "loss_in_bad_percent": 75}}}}"#;
    assert_eq!(parameters(bursts).bursts, Some([1 << 30, 1 << 31, 1 << 30, 0]));
    let told = parameters(bursts).to_string();
    assert!(told.contains("gemodel p 25.0000 % r 50.0000 % 1-h 75.0000 % 1-k 0.0000 %"), "{told}");
}

#[test]
fn jitters_are_told_in_units_of_their_table() {
    let delay = |distribution: &str, rest: &str| {
        setting(&format!(
            r#"{{"delay": {{"direction": "upstream", "base_ms": 3000, "jitter_ms": 10,
                "distribution": "{distribution}", "reorder": "allow" {rest}}}}}"#
        ))
    };
    let uniform = delay("uniform", "").unwrap();
    assert_eq!((uniform.parameters.jitter_ns, uniform.law), (10_000_000, Some(JitterLaw::Uniform)));
    assert_eq!(delay("normal", "").unwrap().parameters.jitter_ns, 10_000_000);
    assert_eq!(delay("pareto", "").unwrap().parameters.jitter_ns, 60_000_000);
    let held = delay("uniform", r#", "hold_ms": 5"#).unwrap_err();
    assert!(held.contains("leave `hold_ms` out"), "{held}");
}

#[test]
fn those_that_are_held_back_are_the_ones_that_do_not_overtake() {
    let reorder = r#"{"reorder": {"direction": "upstream", "percent": 25, "hold_back_ms": 20}}"#;
    let expected = Parameters { delay_ns: 20_000_000, overtaking: u32::MAX - (1 << 30), ..LIMIT };
    assert_eq!(parameters(reorder), expected);
}

#[test]
fn rates_count_packets_of_ip_and_queues_full_ones() {
    let rate = r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 1000000,
        "queue_bytes": 16000}}"#;
    let expected =
        Parameters { bytes_per_second: 125_000, packet_overhead: -14, limit: 11, ..LIMIT };
    assert_eq!(parameters(rate), expected);
}

#[test]
fn what_netem_cannot_do_is_refused_with_what_to_say_instead() {
    for (fault, told) in [
        (
            r#"{"loss": {"direction": "upstream", "model": {"nth": {"every": 7}}}}"#,
            "counts no packets",
        ),
        (
            r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
                "distribution": "uniform", "reorder": "preserve"}}"#,
            "say `reorder: allow`",
        ),
        (
            r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 400,
                "distribution": "pareto", "reorder": "allow"}}"#,
            "at most 357 ms",
        ),
        (
            r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 8000,
                "burst_bytes": 1, "queue_bytes": 1500}}"#,
            "leave `burst_bytes` out",
        ),
        (r#"{"reset": {"direction": "upstream", "percent": 5}}"#, "resets no connection"),
        (
            r#"{"dns": {"direction": "upstream", "percent": 5, "failure": "timeout"}}"#,
            "knows no queries",
        ),
    ] {
        let refused = setting(fault).unwrap_err();
        assert!(refused.contains(told), "{refused}");
    }
}
