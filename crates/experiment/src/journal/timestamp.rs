//! Moments as Python writes them: `2026-11-24T04:24:09.250000+00:00`.

use std::time::Duration;

use bulkhead_message::CivilTime;

/// A moment since 1970.
pub(crate) fn iso(unix: Duration) -> String {
    let second = CivilTime::from_unix(unix.as_secs());
    match unix.subsec_micros() {
        0 => format!("{}+00:00", second.iso()),
        micros => format!("{}.{micros:06}+00:00", second.iso()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::iso;

    #[test]
    fn moments_are_written_as_python_does() {
        assert_eq!(iso(Duration::ZERO), "1970-01-01T00:00:00+00:00");
        let leap = Duration::from_secs(951_782_399) + Duration::from_micros(250);
        assert_eq!(iso(leap), "2000-02-28T23:59:59.000250+00:00");
    }
}
