//! Faults that are injected into the gateway on purpose. One relaxed load each when there is none.

use std::sync::atomic::{AtomicU32, Ordering};

/// A fault that can be injected, by the place where it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A panic while a request is routed.
    RoutePanic,
    /// A panic while a piece of a request body is handled.
    RequestDataPanic,
    /// A panic while a response head is handled.
    ResponseHeadPanic,
    /// A panic while a piece of a response body is handled.
    ResponseDataPanic,
    /// A panic while a response's trailers are handled.
    ResponseTrailersPanic,
    /// A panic while body bytes are passed on.
    PipePanic,
    /// A panic when something is due for an exchange.
    ExchangeTimerPanic,
    /// A panic while a request is sent a second time.
    HedgePanic,
    /// A panic while a request is sent to a mirror.
    MirrorPanic,
    /// A panic while a connection's input is decoded.
    InputPanic,
    /// A panic when something is due for a connection.
    ConnectionTimerPanic,
    /// A panic while a connection's output is written.
    FlushPanic,
    /// A panic in the worker's loop, outside all guards, with a connection in hand.
    LoopPanic,
    /// A panic while a relay moves bytes.
    RelayPanic,
    /// A panic while a connection of a killed sibling is taken over.
    AbsorbPanic,
    /// The poll refuses a connection of a killed sibling.
    AbsorbError,
}

const FAULTS: usize = Fault::AbsorbError as usize + 1;

/// Pending faults, shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Faults([Pending; FAULTS]);

impl Faults {
    /// The fault is to happen `count` times more.
    pub(crate) fn add(&self, fault: Fault, count: u32) {
        self.0[fault as usize].0.fetch_add(count, Ordering::Relaxed);
    }

    /// The fault is not to happen so many of the times that are left.
    pub(crate) fn take_back(&self, fault: Fault, count: u32) {
        let fewer = |left: u32| Some(left.saturating_sub(count));
        // Never an error: there is always a number.
        let _ = self.0[fault as usize].0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    /// How often it is still to happen.
    pub(crate) fn left(&self, fault: Fault) -> u32 {
        self.0[fault as usize].0.load(Ordering::Relaxed)
    }

    /// Whether it is to happen now.
    #[inline]
    pub(crate) fn take(&self, fault: Fault) -> bool {
        self.0[fault as usize].take()
    }

    /// Panics if it is to happen now: stands for a bug at this place.
    #[inline]
    pub(crate) fn strike(&self, fault: Fault) {
        if self.take(fault) {
            injected(fault);
        }
    }
}

#[cold]
#[expect(clippy::panic, reason = "this fault is a panic")]
fn injected(fault: Fault) {
    panic!("injected: {fault:?}");
}

/// How often a fault is still to happen.
#[derive(Debug, Default)]
struct Pending(AtomicU32);

impl Pending {
    #[inline]
    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
            && self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }
}
