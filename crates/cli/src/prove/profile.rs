//! The profiles: what a storm is made of where no flag says otherwise.

use std::time::Duration;

use super::weather::{Place, Weather};

/// A named storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// 20 s, kills every 3 s, no link.
    Quick,
    /// 2 minutes, kills every 10 s, no link.
    Standard,
    /// 15 minutes, kills every 30 s, clients behind a link with 12 % loss and 40 ± 40 ms.
    Article,
    /// 8 hours, kills every 30 s, no link, memory held to 20 MB.
    Soak,
    /// 2 minutes, kills every 10 s, and a flood of callers without tokens on connections that hardly live.
    Ddos,
}

/// The defaults of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) duration: Duration,
    pub(crate) kill_interval: Duration,
    pub(crate) link: Place,
    pub(crate) connections: u16,
    /// Resident memory of the whole process (gateway, generator, upstreams) may grow by this much.
    pub(crate) rss_growth_bytes_max: i64,
    /// Callers without tokens ask as often as the others do.
    pub(crate) flood: bool,
}

/// The article's limit is meant in powers of ten.
const STRICT_BYTES: i64 = 20_000_000;
const LOOSE_BYTES: i64 = 64 << 20;

impl Profile {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Article => "article",
            Self::Soak => "soak",
            Self::Ddos => "ddos",
        }
    }

    pub(crate) const fn shape(self) -> Shape {
        let quick = Shape {
            duration: Duration::from_secs(20),
            kill_interval: Duration::from_secs(3),
            link: Place::None,
            connections: 32,
            rss_growth_bytes_max: LOOSE_BYTES,
            flood: false,
        };
        let standard = Shape {
            duration: Duration::from_secs(2 * 60),
            kill_interval: Duration::from_secs(10),
            ..quick
        };
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Article => Shape {
                duration: Duration::from_secs(15 * 60),
                kill_interval: Duration::from_secs(30),
                link: Place::Client,
                // A connection that waits for a retransmission holds up all that is on it.
                connections: 256,
                rss_growth_bytes_max: STRICT_BYTES,
                flood: false,
            },
            Self::Soak => Shape {
                duration: Duration::from_secs(8 * 3_600),
                kill_interval: Duration::from_secs(30),
                rss_growth_bytes_max: STRICT_BYTES,
                ..quick
            },
            Self::Ddos => Shape { flood: true, ..standard },
        }
    }

    /// What a link of this profile does where no flag says otherwise.
    pub(crate) const fn weather(self) -> Weather {
        Weather {
            place: self.shape().link,
            loss_percent: 12.0,
            delay: Duration::from_millis(40),
            jitter: Duration::from_millis(40),
            congestion_control: None,
        }
    }
}
