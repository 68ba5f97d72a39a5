//! One rule: for whom it holds, and whom of those it strikes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bulkhead_chaos::Random;
use bulkhead_chaos::http::{AbortWith, BodyDirection, HttpEffect, HttpFault, HttpScope, Sticky};
use bulkhead_message::{Address, RequestHead};
use bulkhead_upstream::stable_hash;

use crate::connection::{Connection, Side};

use super::groups::{Group, GroupCounts};

/// Where in its life an exchange meets a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// It is routed, and a backend is chosen.
    Request,
    /// An endpoint is chosen for an attempt.
    Attempt,
    /// An upstream's answer has begun.
    Response,
}

/// What a request header may ask for, where a filter says that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Delay,
    Abort,
    Throttle,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strike {
    Declared(HttpEffect),
    /// What the request's headers say, as Envoy names them.
    Header(HeaderFault),
}

/// What a rule knows of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) point: Point,
    pub(crate) route: &'a str,
    pub(crate) cluster: &'a str,
    /// From [`Point::Attempt`] on.
    pub(crate) endpoint: Option<&'a Address>,
    pub(crate) request: &'a RequestHead,
    /// The client's connection; asked for its address only where that matters.
    pub(crate) client: Option<&'a Connection>,
    pub(crate) now: Instant,
}

impl Asked<'_> {
    /// Name of the listener that the client came through; `None`: the client is gone.
    fn listener(&self) -> Option<&str> {
        match &self.client?.side {
            Side::Downstream(downstream) => Some(&downstream.listener),
            Side::Upstream(_) => None,
        }
    }
}

/// A rule in force. Its counts are shared by all workers.
#[derive(Debug)]
pub(crate) struct Rule {
    strike: Strike,
    scope: HttpScope,
    /// Of the scope.
    endpoint: Option<Address>,
    seed: u64,
    /// `None`: as long as its configuration.
    deadline: Option<Instant>,
    ended: AtomicBool,
    seen: AtomicU64,
    hits: AtomicU64,
    active: AtomicU32,
    /// Experiment and control.
    groups: Option<Box<[GroupCounts; 2]>>,
}

/// An exchange that met a rule.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// What befalls it; `None`: it is one to compare with.
    pub(crate) effect: Option<HttpEffect>,
    pub(crate) active: Active,
}

/// Counts an exchange among those that a rule befalls, until it is dropped.
#[derive(Debug)]
pub(crate) struct Active {
    rule: Arc<Rule>,
    group: Option<Group>,
    strikes: bool,
}

impl Active {
    pub(crate) const fn group(&self) -> Option<Group> {
        self.group
    }

    /// Whether it is of the same rule.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rule, &other.rule)
    }

    pub(crate) fn has_ended(&self, now: Instant) -> bool {
        self.rule.has_ended(now)
    }

    /// The rule befalls the exchange no more; its group still is its group.
    pub(crate) fn lift(&mut self) {
        if std::mem::take(&mut self.strikes) {
            self.rule.active.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The exchange has ended.
    pub(crate) fn record(&self, duration: Duration, failed: bool) {
        if let (Some(group), Some(groups)) = (self.group, &self.rule.groups) {
            groups[group as usize].record(duration, failed);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.lift();
    }
}

impl Rule {
    /// `Err`: the endpoint is no address.
    pub(crate) fn new(
        fault: &HttpFault,
        seed: u64,
        deadline: Option<Instant>,
    ) -> Result<Self, String> {
        Self::with(Strike::Declared(fault.effect), fault.scope.clone(), seed, deadline)
    }

    pub(crate) fn with(
        strike: Strike,
        mut scope: HttpScope,
        seed: u64,
        deadline: Option<Instant>,
    ) -> Result<Self, String> {
        // Names of fields are kept in lower case.
        scope.headers.iter_mut().for_each(|header| header.name.make_ascii_lowercase());
        if let Some(Sticky::Header(name)) = &mut scope.control_group {
            name.make_ascii_lowercase();
        }
        let read = |text: &String| {
            text.parse::<Address>().map_err(|_| format!("`{text}` is no address of an endpoint"))
        };
        let endpoint = scope.endpoint.as_ref().map(read).transpose()?;
        Ok(Self {
            strike,
            groups: scope.control_group.is_some().then(Box::default),
            scope,
            endpoint,
            seed,
            deadline,
            ended: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            active: AtomicU32::new(0),
        })
    }

    /// It strikes no more, as of now, wherever it still is.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_ended(&self, now: Instant) -> bool {
        self.ended.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    pub(crate) fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn groups(&self) -> Option<bulkhead_chaos::GroupReports> {
        let [experiment, control] = self.groups.as_deref()?;
        Some(bulkhead_chaos::GroupReports {
            experiment: experiment.report(),
            control: control.report(),
        })
    }

    const fn point(&self) -> Point {
        match self.strike {
            Strike::Header(HeaderFault::Delay | HeaderFault::Abort)
            | Strike::Declared(
                HttpEffect::Delay { direction: BodyDirection::Request, .. }
                | HttpEffect::Abort(_)
                | HttpEffect::CorruptBody { direction: BodyDirection::Request, .. }
                | HttpEffect::SlowBody { direction: BodyDirection::Request, .. }
                | HttpEffect::Goaway,
            ) => Point::Request,
            Strike::Declared(HttpEffect::UpstreamFailure { .. }) => Point::Attempt,
            Strike::Header(HeaderFault::Throttle) | Strike::Declared(_) => Point::Response,
        }
    }

    /// Whether it strikes this exchange, or has it to compare with.
    pub(crate) fn draw(self: &Arc<Self>, asked: &Asked<'_>) -> Option<Drawn> {
        if self.point() != asked.point || self.has_ended(asked.now) || !self.holds(asked) {
            return None;
        }
        let (effect, percent) = self.effect(asked.request)?;
        let index = self.seen.fetch_add(1, Ordering::Relaxed);
        let place = self.place(asked, index)? * 100.0;
        let group = match &self.scope.control_group {
            None if place < percent => None,
            Some(_) if place < percent => Some(Group::Experiment),
            Some(_) if place < 2.0 * percent => Some(Group::Control),
            _ => return None,
        };
        if group == Some(Group::Control) {
            let active = Active { rule: self.clone(), group, strikes: false };
            return Some(Drawn { effect: None, active });
        }
        let max = self.scope.active_max.unwrap_or(u32::MAX);
        let more = |active: u32| (active < max).then_some(active + 1);
        self.active.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        let active = Active { rule: self.clone(), group, strikes: true };
        Some(Drawn { effect: Some(effect), active })
    }

    fn holds(&self, asked: &Asked<'_>) -> bool {
        let scope = &self.scope;
        scope.listener.as_ref().is_none_or(|name| asked.listener() == Some(name))
            && scope.route.as_ref().is_none_or(|name| name == asked.route)
            && scope.cluster.as_ref().is_none_or(|name| name == asked.cluster)
            && self.endpoint.as_ref().is_none_or(|address| Some(address) == asked.endpoint)
            && scope.headers.iter().all(|wanted| {
                let value = header(asked.request, &wanted.name);
                match &wanted.value {
                    Some(text) => value == Some(text.as_bytes()),
                    None => value.is_some(),
                }
            })
    }

    /// Where in `[0, 1)` the exchange stands.
    fn place(&self, asked: &Asked<'_>, index: u64) -> Option<f64> {
        let mut random = match &self.scope.control_group {
            None | Some(Sticky::Request) => Random::at(self.seed, index),
            Some(Sticky::Connection) => {
                let address = asked.client?.channel.peer_addr().ok()?;
                Random::new(self.seed ^ stable_hash(address.to_string().as_bytes()))
            }
            Some(Sticky::Header(name)) => {
                Random::new(self.seed ^ stable_hash(header(asked.request, name)?))
            }
        };
        Some(random.unit())
    }

    /// What it does to this request, and to what share of such.
    fn effect(&self, request: &RequestHead) -> Option<(HttpEffect, f64)> {
        let percent = self.scope.percent;
        let Strike::Header(fault) = self.strike else {
            let Strike::Declared(effect) = self.strike else { return None };
            return Some((effect, percent));
        };
        let number = |name: &str| number(request.fields.get_named(name.as_bytes())?);
        let (effect, share) = match fault {
            HeaderFault::Delay => {
                let delay = Duration::from_millis(number("x-envoy-fault-delay-request")?);
                let delay = delay.min(bulkhead_chaos::http::DELAY_MAX);
                let effect = HttpEffect::Delay { delay, direction: BodyDirection::Request };
                (effect, number("x-envoy-fault-delay-request-percentage"))
            }
            HeaderFault::Abort => {
                let grpc = number("x-envoy-fault-abort-grpc-request")
                    .and_then(|status| u8::try_from(status).ok())
                    .filter(|status| (1..=16).contains(status))
                    .map(AbortWith::GrpcStatus);
                let status = number("x-envoy-fault-abort-request")
                    .and_then(|status| u16::try_from(status).ok())
                    .filter(|status| (200..600).contains(status))
                    .map(AbortWith::Status);
                let effect = HttpEffect::Abort(status.or(grpc)?);
                (effect, number("x-envoy-fault-abort-request-percentage"))
            }
            HeaderFault::Throttle => {
                let kib_per_s = number("x-envoy-fault-throughput-response")?;
                let bytes_per_s = kib_per_s.checked_mul(1_024).filter(|rate| *rate > 0)?;
                let direction = BodyDirection::Response;
                let effect = HttpEffect::SlowBody { bytes_per_s, direction };
                (effect, number("x-envoy-fault-throughput-response-percentage"))
            }
        };
        // A request may ask for less than the filter grants, not for more.
        Some((effect, share.map_or(percent, |share| percent.min(share as f64))))
    }
}

/// `host` is the authority, however the protocol spells it.
fn header<'a>(request: &'a RequestHead, name: &str) -> Option<&'a [u8]> {
    match name {
        "host" => Some(request.authority()),
        _ => request.fields.get_named(name.as_bytes()),
    }
}

/// Digits only: `parse` would take a sign as well.
fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests;
