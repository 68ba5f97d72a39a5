//! A moment in universal time, as people and other programs write it. Knows no time zones and never
//! looks at a clock.

use std::fmt;

/// Year to second, from seconds since 1970 (civil-from-days, proleptic Gregorian).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CivilTime {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl CivilTime {
    pub(crate) const fn from_unix(unix_s: u64) -> Self {
        let (days, second_of_day) = (unix_s / 86_400, unix_s % 86_400);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        let year = year_of_era + era * 400 + (month <= 2) as u64;
        Self { year, month, day, second_of_day }
    }

    /// `2026-11-24T04:24:09`, as ISO 8601 has it, without a zone.
    pub(crate) fn iso(self) -> String {
        let Self { year, month, day, second_of_day: s } = self;
        let (hour, minute) = (s / 3_600, s % 3_600 / 60);
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", s % 60)
    }
}

/// `2026-11-24 04:24 UTC`.
impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, second_of_day: s } = self;
        write!(f, "{year}-{month:02}-{day:02} {:02}:{:02} UTC", s / 3_600, s % 3_600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::CivilTime;

    #[test]
    fn leap_years_and_centuries_are_right() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_795_494_240, "2026-11-24 04:24 UTC"),
        ] {
            assert_eq!(CivilTime::from_unix(unix_s).to_string(), text);
        }
        assert_eq!(CivilTime::from_unix(951_782_399).iso(), "2000-02-28T23:59:59");
    }
}
