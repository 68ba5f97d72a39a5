//! The form in which a fault is written: one key for the effect, and the conditions beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    AbortWith, BodyDirection, HeaderCondition, HttpEffect, HttpFault, HttpFaultError, HttpScope,
    Sticky, UpstreamFailure,
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Delay>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    abort: Option<Abort>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replace_status: Option<ReplaceStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    truncate_body: Option<After>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corrupt_body: Option<Corrupt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_body: Option<Slow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset: Option<After>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upstream_failure: Option<Upstream>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    goaway: Option<Nothing>,
    percent: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<HeaderCondition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_group: Option<Sticky>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delay {
    delay_ms: u64,
    /// Said, not guessed: before the request, or before the response.
    direction: BodyDirection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Abort {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grpc_status: Option<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceStatus {
    status: u16,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Corrupt {
    offset: u64,
    direction: BodyDirection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    bytes_per_s: u64,
    direction: BodyDirection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    failure: UpstreamFailure,
    #[serde(default)]
    after_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Declared {
    fn effects(&self) -> Result<Vec<HttpEffect>, HttpFaultError> {
        let ms = Duration::from_millis;
        let abort = self.abort.as_ref().map(abort_with).transpose()?;
        let delay = self.delay.as_ref().map(|delay| HttpEffect::Delay {
            delay: ms(delay.delay_ms),
            direction: delay.direction,
        });
        let replace = self.replace_status.as_ref();
        let corrupt = self.corrupt_body.as_ref().map(|corrupt| HttpEffect::CorruptBody {
            offset: corrupt.offset,
            direction: corrupt.direction,
        });
        let slow = self.slow_body.as_ref().map(|slow| HttpEffect::SlowBody {
            bytes_per_s: slow.bytes_per_s,
            direction: slow.direction,
        });
        let upstream = self.upstream_failure.as_ref().map(|upstream| {
            let (failure, after) = (upstream.failure, ms(upstream.after_ms));
            HttpEffect::UpstreamFailure { failure, after }
        });
        let all = [
            delay,
            abort.map(HttpEffect::Abort),
            replace.map(|replace| HttpEffect::ReplaceStatus { status: replace.status }),
            self.truncate_body
                .as_ref()
                .map(|cut| HttpEffect::TruncateBody { after_bytes: cut.after_bytes }),
            corrupt,
            slow,
            self.reset.as_ref().map(|cut| HttpEffect::Reset { after_bytes: cut.after_bytes }),
            upstream,
            self.goaway.as_ref().map(|_| HttpEffect::Goaway),
        ];
        Ok(all.into_iter().flatten().collect())
    }
}

fn abort_with(abort: &Abort) -> Result<AbortWith, HttpFaultError> {
    match (abort.status, abort.grpc_status) {
        (Some(status), None) => Ok(AbortWith::Status(status)),
        (None, Some(status)) => Ok(AbortWith::GrpcStatus(status)),
        _ => Err(HttpFaultError(
            "`abort` takes one of `status` and `grpc_status`, not both or neither".to_owned(),
        )),
    }
}

impl TryFrom<Declared> for HttpFault {
    type Error = HttpFaultError;

    fn try_from(declared: Declared) -> Result<Self, HttpFaultError> {
        let effects = declared.effects()?;
        let &[effect] = effects.as_slice() else {
            return Err(HttpFaultError(format!(
                "a fault has one effect, and here are {}: use one fault for each",
                effects.len()
            )));
        };
        let scope = HttpScope {
            percent: declared.percent,
            listener: declared.listener,
            route: declared.route,
            cluster: declared.cluster,
            endpoint: declared.endpoint,
            headers: declared.headers,
            active_max: declared.active_max,
            control_group: declared.control_group,
        };
        let fault = Self { effect, scope };
        fault.check()?;
        Ok(fault)
    }
}

impl From<HttpFault> for Declared {
    fn from(fault: HttpFault) -> Self {
        let HttpFault { effect, scope } = fault;
        let mut declared = Self {
            percent: scope.percent,
            listener: scope.listener,
            route: scope.route,
            cluster: scope.cluster,
            endpoint: scope.endpoint,
            headers: scope.headers,
            active_max: scope.active_max,
            control_group: scope.control_group,
            ..Self::default()
        };
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match effect {
            HttpEffect::Delay { delay, direction } => {
                declared.delay = Some(Delay { delay_ms: ms(delay), direction });
            }
            HttpEffect::Abort(AbortWith::Status(status)) => {
                declared.abort = Some(Abort { status: Some(status), grpc_status: None });
            }
            HttpEffect::Abort(AbortWith::GrpcStatus(status)) => {
                declared.abort = Some(Abort { status: None, grpc_status: Some(status) });
            }
            HttpEffect::ReplaceStatus { status } => {
                declared.replace_status = Some(ReplaceStatus { status });
            }
            HttpEffect::TruncateBody { after_bytes } => {
                declared.truncate_body = Some(After { after_bytes });
            }
            HttpEffect::CorruptBody { offset, direction } => {
                declared.corrupt_body = Some(Corrupt { offset, direction });
            }
            HttpEffect::SlowBody { bytes_per_s, direction } => {
                declared.slow_body = Some(Slow { bytes_per_s, direction });
            }
            HttpEffect::Reset { after_bytes } => declared.reset = Some(After { after_bytes }),
            HttpEffect::UpstreamFailure { failure, after } => {
                declared.upstream_failure = Some(Upstream { failure, after_ms: ms(after) });
            }
            HttpEffect::Goaway => declared.goaway = Some(Nothing {}),
        }
        declared
    }
}
