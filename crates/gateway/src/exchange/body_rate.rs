//! Request bodies that come too slowly: a client that sends a byte now and then would keep an exchange
//! and its upstream busy for as long as it likes.

use std::time::{Duration, Instant};

use bulkhead_config::model::Limits;

use crate::exchange_state::{Exchange, Phase};

/// Watches one body, window by window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodyRate {
    /// When the window ends; `None`: nothing is watched.
    until: Option<Instant>,
    /// Body bytes at its begin.
    from: u64,
    /// The upstream took less than the client sent: what is missing may be its fault.
    held: bool,
}

impl BodyRate {
    /// When the window is to be looked at.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Bytes wait for the upstream.
    #[inline]
    pub(crate) const fn hold(&mut self) {
        self.held = true;
    }
}

/// Begins to watch the body of a request.
pub(super) fn watch(exchange: &mut Exchange, limits: &Limits, now: Instant) {
    // A tunnel, or a stream of messages, may rest for as long as its conversation does.
    let watched = limits.body_rate_min.is_some() && !exchange.is_grpc && exchange.tunnel.is_none();
    let until = (watched && !exchange.request_body.ended).then(|| now + limits.body_rate_window);
    exchange.body_rate = BodyRate { until, from: 0, held: false };
}

/// Looks at a window that is over, and begins the next one. True: the client is too slow.
pub(super) fn is_too_slow(exchange: &mut Exchange, limits: &Limits, now: Instant) -> bool {
    let body = &exchange.request_body;
    let rate = limits.body_rate_min.unwrap_or(0);
    let over = body.ended || matches!(exchange.phase, Phase::Responding | Phase::Discarding);
    if over || rate == 0 {
        exchange.body_rate = BodyRate::default();
        return false;
    }
    let came = body.total - exchange.body_rate.from;
    let slow = !exchange.body_rate.held && came < least(rate, limits.body_rate_window);
    exchange.body_rate = BodyRate {
        until: Some(now + limits.body_rate_window),
        from: body.total,
        held: !body.is_drained(),
    };
    slow
}

/// Bytes that a window must bring.
fn least(rate: u64, window: Duration) -> u64 {
    (u128::from(rate) * window.as_millis() / 1_000) as u64
}
