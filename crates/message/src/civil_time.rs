//! A moment in universal time, as people and other programs write it. Knows no time zones and never
//! looks at a clock.

use std::fmt;

/// Year to second in the Gregorian calendar. Displays as `2026-11-24 04:24 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl CivilTime {
    /// From seconds since 1970.
    ///
    /// Years are taken to begin in March, so that the leap day is the last of the year; a cycle of 400
    /// years has 146,097 days.
    pub const fn from_unix(unix_s: u64) -> Self {
        let (days, second_of_day) = (unix_s / 86_400, unix_s % 86_400);
        // 1970-01-01 is day 719,468 counted from 0000-03-01.
        let days = days + 719_468;
        let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // Months from March have 31, 30, 31, 30, 31 days, again and again: 153 in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = cycle * 400 + year_of_cycle + (month <= 2) as u64;
        Self { year, month, day, second_of_day }
    }

    /// `2026-11-24T04:24:09`, as ISO 8601 has it, without a zone.
    pub fn iso(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let Self { year, month, day, second_of_day: s } = self;
            let (hour, minute) = (s / 3_600, s % 3_600 / 60);
            write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", s % 60)
        })
    }
}

impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, second_of_day: s } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", s / 3_600, s % 3_600 / 60)
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
        let second = CivilTime::from_unix(951_782_399);
        assert_eq!(second.iso().to_string(), "2000-02-28T23:59:59");
    }
}
