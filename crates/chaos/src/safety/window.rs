//! Times of the week in which faults may be injected, in UTC.

use serde::{Deserialize, Serialize};

const DAY_MINUTES: u16 = 24 * 60;
const MINUTE_MS: u64 = 60_000;

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are what they are called")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A part of each of some days. One whose end is not after its begin goes on into the next day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Window {
    /// Days on which it begins; none are all.
    days: Vec<Weekday>,
    from_minute: u16,
    to_minute: u16,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    days: Vec<Weekday>,
    from: String,
    to: String,
}

impl TryFrom<Text> for Window {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let (from_minute, to_minute) = (minute(&text.from)?, minute(&text.to)?);
        Ok(Self { days: text.days, from_minute, to_minute })
    }
}

impl From<Window> for Text {
    fn from(window: Window) -> Self {
        let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self { days: window.days, from: text(window.from_minute), to: text(window.to_minute) }
    }
}

fn minute(text: &str) -> Result<u16, String> {
    let parsed = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
        let whole = hours * 60 + minutes;
        (minutes < 60 && whole <= DAY_MINUTES).then_some(whole)
    });
    parsed.ok_or_else(|| format!("`{text}` is no time of day; expected is 09:30, in UTC"))
}

fn two_digits(text: &str) -> Option<u16> {
    let right = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

impl Window {
    /// Whether this moment, in milliseconds since 1970, is in it.
    pub fn contains(&self, unix_ms: u64) -> bool {
        let minutes = unix_ms / MINUTE_MS;
        let today = minutes / u64::from(DAY_MINUTES);
        let minute = (minutes % u64::from(DAY_MINUTES)) as u16;
        let after_begin = minute >= self.from_minute && self.is_on(today);
        if self.from_minute < self.to_minute {
            return after_begin && minute < self.to_minute;
        }
        let yesterday = today.checked_sub(1).is_some_and(|day| self.is_on(day));
        after_begin || (minute < self.to_minute && yesterday)
    }

    /// `day`: since 1970-01-01, which was a Thursday.
    fn is_on(&self, day: u64) -> bool {
        let weekday = (day + 3) % 7;
        self.days.is_empty() || self.days.iter().any(|it| *it as u64 == weekday)
    }
}
