//! The name of an injection: a UUID of version 7 (RFC 9562, section 5.7), so that names sort by time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Random;

/// Names an injection, and is its idempotency key: the same id is injected at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChaosId(u128);

/// The text is no UUID in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chaos id is a UUID, such as 019ad2c1-6c3e-7b1a-9f00-5d0c8f1e2a3b")]
pub struct ChaosIdError;

impl ChaosId {
    /// A new id of this time (since 1970) with 74 random bits.
    pub fn new(unix: Duration, random: &mut Random) -> Self {
        let time = (unix.as_millis() & 0xffff_ffff_ffff) << 80;
        let high = u128::from(random.next() & 0x0fff) << 64;
        let low = u128::from(random.next() & 0x3fff_ffff_ffff_ffff);
        Self(time | 0x7 << 76 | high | 0b10 << 62 | low)
    }

    /// The id as a number: a key where text would be too long.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for ChaosId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, digits: u32| (self.0 >> shift) & ((1 << (4 * digits)) - 1);
        write!(
            formatter,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        )
    }
}

impl FromStr for ChaosId {
    type Err = ChaosIdError;

    fn from_str(text: &str) -> Result<Self, ChaosIdError> {
        let groups: Vec<&str> = text.split('-').collect();
        if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
            return Err(ChaosIdError);
        }
        let digits = groups.concat();
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ChaosIdError);
        }
        u128::from_str_radix(&digits, 16).map(Self).map_err(|_| ChaosIdError)
    }
}

impl TryFrom<String> for ChaosId {
    type Error = ChaosIdError;

    fn try_from(text: String) -> Result<Self, ChaosIdError> {
        text.parse()
    }
}

impl From<ChaosId> for String {
    fn from(id: ChaosId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ChaosId;
    use crate::Random;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_sorts_by_time() {
        let mut random = Random::new(1);
        // The example of RFC 9562, appendix A.6, has this time.
        let unix = Duration::from_millis(0x017f_22e2_79b0);
        let id = ChaosId::new(unix, &mut random);
        let text = id.to_string();
        assert!(text.starts_with("017f22e2-79b0-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        let later = ChaosId::new(unix + Duration::from_millis(1), &mut random);
        assert!(later > id);
    }

    #[test]
    fn the_text_of_an_id_reads_back() {
        let text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        assert_eq!(text.parse::<ChaosId>().unwrap().to_string(), text);
        for wrong in [
            "",
            "017f22e2",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        ] {
            assert!(wrong.parse::<ChaosId>().is_err(), "{wrong}");
        }
    }
}
