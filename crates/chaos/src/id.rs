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

    /// Whether it is of version 7, so that [`ChaosId::unix_ms`] means something.
    pub const fn is_version_7(self) -> bool {
        (self.0 >> 76) & 0xf == 7 && (self.0 >> 62) & 0b11 == 0b10
    }

    /// When it was made, in milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        (self.0 >> 80) as u64
    }

    /// The id of part `index` of something that this id names: always the same, of the same time.
    /// Part 0 has the id itself, so that an order for one target keeps the id that its client gave.
    pub fn part(self, index: usize) -> Self {
        if index == 0 {
            return self;
        }
        let mut random = Random::new(self.seed() ^ (index as u64).rotate_left(32));
        Self::new(Duration::from_millis(self.unix_ms()), &mut random)
    }

    /// A seed for orders that name none: given by the id, so that it need not be kept beside it.
    pub const fn seed(self) -> u64 {
        Random::new((self.0 >> 64) as u64 ^ self.0 as u64).next()
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
    fn parts_have_ids_of_their_own_that_are_always_the_same() {
        let id = ChaosId::new(Duration::from_millis(1_795_494_240_123), &mut Random::new(9));
        assert!(id.is_version_7() && id.unix_ms() == 1_795_494_240_123);
        assert_eq!(id.part(0), id);
        let mut parts: Vec<ChaosId> = (0..1_000).map(|index| id.part(index)).collect();
        assert!(parts.iter().all(|part| part.is_version_7() && part.unix_ms() == id.unix_ms()));
        assert_eq!(parts[7], id.part(7));
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), 1_000);
        let random: ChaosId = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6".parse().unwrap();
        assert!(!random.is_version_7());
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
