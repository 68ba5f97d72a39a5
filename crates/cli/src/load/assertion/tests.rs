use super::*;

#[test]
fn assertions_are_read_and_judged() {
    let latency = Summary { count: 1_000, p50: 1.0, p99: 9.5, max: 20.0, ..Summary::default() };
    let report = LoadReport {
        scheduled: 1_000,
        ok: 999,
        failed: 1,
        latency_ms: latency,
        service_ms: Summary { p99: 2.0, ..latency },
        throughput_rps: 99.9,
        ..LoadReport::default()
    };
    for (text, holds) in [
        ("p99<10ms", true),
        ("p99 < 9500us", false),
        ("p99<=9500us", true),
        ("max<0.02s", false),
        ("service_p99<=2ms", true),
        ("error_rate<0.1%", false),
        ("error_rate<=0.1%", true),
        ("error_rate<0.002", true),
        ("throughput>=99.9", true),
        ("throughput>100", false),
        ("failed<1", false),
        ("unsent<=0", true),
        ("late<1", true),
    ] {
        let assertion = Assertion::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(assertion.holds(&report), Some(holds), "{text}");
    }
}

#[test]
fn no_right_answer_is_no_low_latency() {
    for text in ["p99<10ms", "service_max<1s", "error_rate<1%"] {
        assert_eq!(Assertion::parse(text).unwrap().holds(&LoadReport::default()), None, "{text}");
    }
}

#[test]
fn bad_assertions_say_what_is_expected() {
    for (text, expected) in [
        ("p99", "METRIC<VALUE"),
        ("p99<10", "unit"),
        ("p99<tenms", "unit"),
        ("p98<10ms", "`p98` is not measured"),
        ("service_failed<1", "not measured"),
        ("error_rate<-1%", "share"),
        ("throughput>NaN", "requests per second"),
        ("failed<", "number of requests"),
    ] {
        let error = Assertion::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
