//! What a toxic becomes in a gateway, which knows exchanges where a proxy knows bytes: a rule for what comes
//! through a listener, or nothing that would be the same.

use bulkhead_chaos::Fault;
use bulkhead_chaos::http::{BodyDirection, DELAY_MAX, HttpEffect, HttpFault, HttpScope};

use super::super::error::ApiError;
use super::super::toxic::{Kind, Stream, Toxic, millis};

/// Bytes in a second of one unit of `rate`.
const RATE_BYTES: u64 = 1_000;

/// The fault that a toxic of this listener is; `None`: it does nothing, as a `noop` or a latency of 0.
///
/// # Errors
/// A gateway has nothing that would be the same.
pub(super) fn fault(toxic: &Toxic, listener: &str) -> Result<Option<Fault>, ApiError> {
    let Some(effect) = effect(toxic)? else { return Ok(None) };
    // A share of f32: what it was written as, and not with the digits that it was rounded by.
    let percent = (f64::from(toxic.toxicity) * 1e6).round() / 1e4;
    if percent <= 0.0 {
        return Ok(None);
    }
    let scope = HttpScope { listener: Some(listener.to_owned()), ..HttpScope::all(percent) };
    let fault = HttpFault { effect, scope };
    fault.check().map_err(|error| ApiError::refused_by_gateway(&error.to_string()))?;
    Ok(Some(Fault::Http(fault)))
}

fn effect(toxic: &Toxic) -> Result<Option<HttpEffect>, ApiError> {
    let none = |reason| Err(ApiError::no_equivalent(reason));
    let direction = match toxic.stream {
        Stream::Upstream => BodyDirection::Request,
        Stream::Downstream => BodyDirection::Response,
    };
    let is_request = toxic.stream == Stream::Upstream;
    Ok(Some(match toxic.kind {
        Kind::Noop => return Ok(None),
        Kind::Latency(latency) if latency.jitter != 0 => {
            return none("only latency without jitter: the delay of an exchange is not drawn");
        }
        Kind::Latency(latency) if latency.latency <= 0 => return Ok(None),
        Kind::Latency(latency) => HttpEffect::Delay { delay: millis(latency.latency), direction },
        Kind::Bandwidth(bandwidth) if bandwidth.rate <= 0 => {
            return none(
                "only bandwidth with a rate of at least 1; `timeout` with 0 holds everything",
            );
        }
        Kind::Bandwidth(bandwidth) => {
            let bytes_per_s = (bandwidth.rate as u64).saturating_mul(RATE_BYTES);
            HttpEffect::SlowBody { bytes_per_s, direction }
        }
        Kind::LimitData(_) | Kind::ResetPeer(_) if is_request => {
            return none(
                "only limit_data and reset_peer of responses: give `stream` as downstream",
            );
        }
        Kind::LimitData(limit) => {
            HttpEffect::TruncateBody { after_bytes: u64::try_from(limit.bytes).unwrap_or(0) }
        }
        Kind::ResetPeer(reset) if reset.timeout > 0 => {
            return none(
                "only reset_peer with a timeout of 0: a reset comes with the response's body",
            );
        }
        Kind::ResetPeer(_) => HttpEffect::Reset { after_bytes: 0 },
        Kind::Timeout(timeout) if timeout.timeout > 0 => {
            return none(
                "only timeout with 0, which holds everything: a gateway answers in time (504) where a \
                 proxy would close the connection; see the fault http.upstream_failure",
            );
        }
        Kind::Timeout(_) => HttpEffect::Delay { delay: DELAY_MAX, direction },
        Kind::SlowClose(_) | Kind::Slicer(_) => {
            return none("no slow_close and no slicer: they act on a connection, not on exchanges");
        }
    }))
}

#[cfg(test)]
mod tests;
