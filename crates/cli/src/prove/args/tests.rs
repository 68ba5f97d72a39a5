use std::time::Duration;

use super::{delay, duration, format_duration, rate};

#[test]
fn durations_are_read_and_written_alike() {
    for (text, ms) in
        [("500ms", 500), ("20s", 20_000), ("5m", 300_000), ("1h", 3_600_000), ("24h", 86_400_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        assert_eq!(duration(&format_duration(Duration::from_millis(ms))), duration(text));
    }
    assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    for bad in
        ["", "20", "s", "0s", "-1s", "1.5s", "500us", "25h", "1d", "20 s", "99999999999999999999s"]
    {
        assert!(duration(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_delay_may_be_nothing() {
    assert_eq!((delay("0"), delay("40ms")), (Ok(Duration::ZERO), Ok(Duration::from_millis(40))));
    assert!(delay("40").is_err());
}

#[test]
fn rates_are_positive_and_finite() {
    assert_eq!(rate("12000"), Ok(12_000.0));
    for bad in ["0", "-5", "NaN", "inf", "many", "1e9"] {
        assert!(rate(bad).is_err(), "{bad}");
    }
}
