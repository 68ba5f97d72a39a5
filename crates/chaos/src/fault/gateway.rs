//! Faults in the gateway's own process. A gateway carries them out itself, and they end with their time,
//! whoever else is alive.

use serde::{Deserialize, Serialize};

/// What happens to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum GatewayFault {
    /// A worker ends; its connections go to its siblings. Reverts by itself: it has a successor.
    KillWorker {
        /// Its index.
        worker: usize,
    },
    /// A worker ends, and its connections with it. Reverts by itself: it has a successor.
    CrashWorker {
        /// Its index.
        worker: usize,
    },
    /// A worker does nothing, as if it hung: its connections stay open, and nobody answers.
    StallWorker {
        /// Its index; its successors hang as well.
        worker: usize,
    },
    /// The next exchanges panic while they are routed. Those that have not by the end are spared.
    PanicExchanges {
        /// How many, 1 to [`PANICS_MAX`].
        count: u32,
    },
    /// The next connections that say something panic. Those that have not by the end are spared.
    PanicConnections {
        /// How many, 1 to [`PANICS_MAX`].
        count: u32,
    },
    /// Each endpoint gets fewer connections. Those that are there stay until they are idle.
    ShrinkPools {
        /// Name of the cluster; left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// Connections per endpoint and worker, at least 1. A lower limit of the configuration holds.
        connections_max: u32,
    },
    /// Descriptors are held open, until there are so many or no more are to be had.
    HoldDescriptors {
        /// How many, 1 to [`DESCRIPTORS_MAX`].
        count: u32,
    },
    /// The time of day is off: for tokens and the `date` field. Not for time-outs or certificates, nor in
    /// logs.
    ClockOffset {
        /// By so many seconds, up to [`OFFSET_S_MAX`] in either direction, not 0.
        offset_s: i64,
    },
    /// The access log is slow: each batch takes longer. What finds its queue full is dropped and counted.
    SlowLog {
        /// By so many milliseconds, 1 to [`LOG_DELAY_MS_MAX`].
        delay_ms: u64,
    },
    /// A configuration is applied that cannot be put in force. The one before it must stay.
    BadConfig {
        /// What is wrong with it.
        wrong: BadConfig,
    },
    /// Token issuers have other keys: tokens of the old ones are refused, and no token is known yet.
    RotateJwtKeys {
        /// Name of the issuer (`jwt_providers`); left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// Certificates are expired in new handshakes, which are full ones. Connections that are there stay.
    ExpireCertificates {
        /// Whose certificates.
        #[serde(default, skip_serializing_if = "CertificateSide::is_upstream")]
        side: CertificateSide,
        /// Of endpoints: name of the cluster; left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// Of the gateway: the name that a client asks for (SNI); left out: all, and clients that ask for
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// The random keys of session tickets change ahead of time. What was sealed before is opened still.
    RotateTicketKeys {},
}

/// Whose certificates expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSide {
    /// Those of endpoints, which the gateway judges.
    #[default]
    Upstream,
    /// Those that the gateway shows its clients.
    Client,
}

impl CertificateSide {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    const fn is_upstream(&self) -> bool {
        matches!(self, Self::Upstream)
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadConfig {
    /// A certificate that cannot be read: it fails while it is compiled.
    UnreadableCertificate,
    /// An address that cannot be bound: it fails when all else is prepared.
    UnbindableAddress,
}

/// Most exchanges or connections that are to panic.
pub const PANICS_MAX: u32 = 10_000;
/// Most descriptors that are held.
pub const DESCRIPTORS_MAX: u32 = 100_000;
/// Farthest that the time of day is off, in seconds: ten years.
pub const OFFSET_S_MAX: i64 = 10 * 366 * 24 * 3_600;
/// Longest name of a host, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest delay of a batch of the access log, in milliseconds.
pub const LOG_DELAY_MS_MAX: u64 = 60_000;

impl GatewayFault {
    /// Whether the declaration makes sense.
    ///
    /// # Errors
    /// Text that says what to write instead.
    pub fn check(&self) -> Result<(), &'static str> {
        let fits = |fits: bool, text| if fits { Ok(()) } else { Err(text) };
        match self {
            Self::PanicExchanges { count } | Self::PanicConnections { count } => {
                fits((1..=PANICS_MAX).contains(count), "`count` is 1 to 10000")
            }
            Self::ShrinkPools { connections_max, .. } => {
                fits(*connections_max > 0, "`connections_max` is at least 1")
            }
            Self::HoldDescriptors { count } => {
                fits((1..=DESCRIPTORS_MAX).contains(count), "`count` is 1 to 100000")
            }
            Self::ClockOffset { offset_s } => fits(
                *offset_s != 0 && offset_s.unsigned_abs() <= OFFSET_S_MAX.unsigned_abs(),
                "`offset_s` is not 0, and at most ten years",
            ),
            Self::SlowLog { delay_ms } => {
                fits((1..=LOG_DELAY_MS_MAX).contains(delay_ms), "`delay_ms` is 1 to 60000")
            }
            Self::ExpireCertificates { side: CertificateSide::Upstream, host: Some(_), .. } => {
                Err("`host` goes with `side: client`: endpoints are chosen by `cluster`")
            }
            Self::ExpireCertificates {
                side: CertificateSide::Client, cluster: Some(_), ..
            } => Err(
                "`cluster` goes with `side: upstream`: what clients ask for is chosen by `host`",
            ),
            Self::ExpireCertificates { host: Some(host), .. } => fits(
                (1..=HOST_BYTES_MAX).contains(&host.len())
                    && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*'),
                "`host` is a name as a client asks for it, without wildcards",
            ),
            Self::KillWorker { .. }
            | Self::CrashWorker { .. }
            | Self::StallWorker { .. }
            | Self::BadConfig { .. }
            | Self::RotateJwtKeys { .. }
            | Self::ExpireCertificates { .. }
            | Self::RotateTicketKeys {} => Ok(()),
        }
    }

    /// Whether it is over at once, with nothing to take back.
    pub const fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::KillWorker { .. }
                | Self::CrashWorker { .. }
                | Self::BadConfig { .. }
                | Self::RotateTicketKeys {}
        )
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::KillWorker { .. } => "gateway.kill_worker",
            Self::CrashWorker { .. } => "gateway.crash_worker",
            Self::StallWorker { .. } => "gateway.stall_worker",
            Self::PanicExchanges { .. } => "gateway.panic_exchanges",
            Self::PanicConnections { .. } => "gateway.panic_connections",
            Self::ShrinkPools { .. } => "gateway.shrink_pools",
            Self::HoldDescriptors { .. } => "gateway.hold_descriptors",
            Self::ClockOffset { .. } => "gateway.clock_offset",
            Self::SlowLog { .. } => "gateway.slow_log",
            Self::BadConfig { .. } => "gateway.bad_config",
            Self::RotateJwtKeys { .. } => "gateway.rotate_jwt_keys",
            Self::ExpireCertificates { .. } => "gateway.expire_certificates",
            Self::RotateTicketKeys {} => "gateway.rotate_ticket_keys",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_declared_reads_back_the_same_or_is_refused() {
        for (declared, fits) in [
            (json!({"kill_worker": {"worker": 0}}), true),
            (json!({"crash_worker": {"worker": 3}}), true),
            (json!({"stall_worker": {"worker": 0}}), true),
            (json!({"panic_exchanges": {"count": 5}}), true),
            (json!({"panic_exchanges": {"count": 0}}), false),
            (json!({"panic_connections": {"count": 10_001}}), false),
            (json!({"shrink_pools": {"connections_max": 1}}), true),
            (json!({"shrink_pools": {"cluster": "api", "connections_max": 0}}), false),
            (json!({"hold_descriptors": {"count": 100}}), true),
            (json!({"clock_offset": {"offset_s": -3600}}), true),
            (json!({"clock_offset": {"offset_s": i64::MIN}}), false),
            (json!({"clock_offset": {"offset_s": 0}}), false),
            (json!({"slow_log": {"delay_ms": 500}}), true),
            (json!({"bad_config": {"wrong": "unbindable_address"}}), true),
            (json!({"rotate_ticket_keys": {}}), true),
            (json!({"rotate_jwt_keys": {}}), true),
            (json!({"rotate_jwt_keys": {"provider": "ours"}}), true),
            (json!({"expire_certificates": {"cluster": "users"}}), true),
            (json!({"expire_certificates": {"side": "client"}}), true),
            (json!({"expire_certificates": {"side": "client", "host": "a.test"}}), true),
            (json!({"expire_certificates": {"side": "client", "host": "*.test"}}), false),
            (json!({"expire_certificates": {"side": "client", "cluster": "users"}}), false),
            (json!({"expire_certificates": {"host": "a.test"}}), false),
        ] {
            let fault: GatewayFault = serde_json::from_value(declared.clone()).expect("a fault");
            assert_eq!(serde_json::to_value(&fault).expect("JSON"), declared);
            assert_eq!(fault.check().is_ok(), fits, "{declared}");
        }
        assert!(serde_json::from_value::<GatewayFault>(json!({"stall_worker": {}})).is_err());
        assert!(serde_json::from_value::<GatewayFault>(json!({"kill": {"worker": 0}})).is_err());
    }
}
