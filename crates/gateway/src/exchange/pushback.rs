//! When an upstream wants to be asked again, as it says in its answer.

use std::time::{Duration, UNIX_EPOCH};

use bulkhead_message::{Fields, Known};
use bulkhead_upstream::Pushback;

/// Field of gRPC's retry design: milliseconds, or anything else for "not at all".
const GRPC_PUSHBACK: &[u8] = b"grpc-retry-pushback-ms";

/// What the fields of an answer say. `retry-after` gives seconds or a date (RFC 9110 §10.2.3); one
/// that is neither says nothing.
pub(super) fn pushback(fields: &Fields, is_grpc: bool, unix_s: u64) -> Pushback {
    if is_grpc && let Some(value) = fields.get_named(GRPC_PUSHBACK) {
        return number(value)
            .map_or(Pushback::Never, |ms| Pushback::After(Duration::from_millis(ms)));
    }
    let Some(value) = fields.get(Known::RetryAfter) else { return Pushback::Unsaid };
    let seconds = number(value).or_else(|| {
        let date = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
        let at_s = date.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Some(at_s.saturating_sub(unix_s))
    });
    seconds.map_or(Pushback::Unsaid, |seconds| Pushback::After(Duration::from_secs(seconds)))
}

/// Digits only: `parse` would take a sign as well.
fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str, is_grpc: bool) -> Pushback {
        let mut fields = Fields::new();
        fields.push(name.as_bytes(), value.as_bytes());
        pushback(&fields, is_grpc, 784_111_777)
    }

    #[test]
    fn retry_after_in_both_forms() {
        let after = |seconds| Pushback::After(Duration::from_secs(seconds));
        for (value, expect) in [
            ("0", after(0)),
            ("120", after(120)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", after(3)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", after(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", after(0)),
            ("-1", Pushback::Unsaid),
            ("+1", Pushback::Unsaid),
            ("soon", Pushback::Unsaid),
            ("", Pushback::Unsaid),
            ("99999999999999999999999", Pushback::Unsaid),
        ] {
            assert_eq!(read("retry-after", value, false), expect, "{value}");
        }
    }

    #[test]
    fn grpc_pushback() {
        let after = |ms| Pushback::After(Duration::from_millis(ms));
        let name = "grpc-retry-pushback-ms";
        for (value, expect) in [("0", after(0)), ("25", after(25)), ("-1", Pushback::Never)] {
            assert_eq!(read(name, value, true), expect, "{value}");
        }
        assert_eq!(read(name, "x", true), Pushback::Never);
        assert_eq!(read(name, "25", false), Pushback::Unsaid);
        assert_eq!(read("retry-after", "2", true), after(2_000));
    }
}
