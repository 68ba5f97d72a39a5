use super::*;

#[test]
fn lines() {
    let now = Duration::from_millis(1_700_000_000_123);
    assert_eq!(
        line(LogFormat::Plain, Level::Error, "refused\na.yaml:1:1: no", now),
        "2023-11-14T22:13:20.123Z ERROR refused\n    a.yaml:1:1: no\n"
    );
    let json = line(LogFormat::Json, Level::Warn, "two\nlines \"quoted\"", now);
    assert_eq!(json.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "time": "2023-11-14T22:13:20.123Z",
            "level": "warn",
            "message": "two\nlines \"quoted\"",
        })
    );
}
