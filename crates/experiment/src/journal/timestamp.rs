//! Moments as Python writes them: `2026-11-24T04:24:09.250000+00:00`.

use std::time::Duration;

/// A moment since 1970 (civil-from-days, proleptic Gregorian).
pub(crate) fn iso(unix: Duration) -> String {
    let (days, second) = (unix.as_secs() / 86_400, unix.as_secs() % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    let fraction = match unix.subsec_micros() {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00")
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
