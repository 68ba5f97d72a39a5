//! The filter trait and the chain of a route.
//!
//! The chain's order is the configuration's: no hidden priorities. It decides nothing by itself.

use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_message::{Failure, RequestHead, ResponseHead};

use crate::{Caches, KeyRotation};

/// What a filter sees of an exchange at its request head.
#[derive(Debug)]
pub struct Context<'a> {
    /// The request head, which filters may change.
    pub request: &'a mut RequestHead,
    /// Client address.
    pub client: Option<IpAddr>,
    /// Seconds since 1970-01-01 UTC, without leap seconds.
    pub now_unix_s: u64,
    /// Whether the client's connection is TLS.
    pub secure: bool,
    /// Token issuers whose keys were replaced by others on purpose.
    pub key_rotations: &'a [Arc<KeyRotation>],
    /// The worker's caches.
    pub caches: &'a mut Caches,
    /// Bytes of the path that the route's `prefix` match covers; `None`: it matched otherwise.
    pub matched_prefix_len: Option<usize>,
}

/// One step of a route's chain.
pub trait Filter: Send + Sync + std::fmt::Debug {
    /// Looks at the request before it goes upstream.
    ///
    /// # Errors
    /// The failure that the exchange ends with.
    fn on_request(&self, _context: &mut Context<'_>) -> Result<Flow, Failure> {
        Ok(Flow::Continue)
    }

    /// Changes a response head on its way to the client.
    fn on_response(&self, _response: &mut ResponseHead) {}

    /// As [`Filter::on_response`], for filters that have to know the request, as it went upstream.
    fn on_response_to(&self, _request: &RequestHead, response: &mut ResponseHead) {
        self.on_response(response);
    }

    /// Whether answers that the gateway gives to failures go through
    /// [`Filter::on_response_to`] as well.
    fn touches_failures(&self) -> bool {
        false
    }

    /// Whether [`Filter::on_response`] does anything.
    fn touches_response(&self) -> bool {
        false
    }
}

/// What follows a step.
#[derive(Debug)]
pub enum Flow {
    /// The next step, then the upstream.
    Continue,
    /// This answer, now. Later steps and the upstream are skipped.
    Respond(Box<Response>),
}

/// A response that a filter gives. For a `HEAD` request the gateway sends the head alone.
#[derive(Clone, Debug)]
pub struct Response {
    /// Head; its body length is that of `body`.
    pub head: ResponseHead,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The filters of a route, in order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    filters: Arc<[Arc<dyn Filter>]>,
    touches_response: bool,
    touches_failures: bool,
}

impl Chain {
    /// A chain of these filters.
    pub fn new(filters: Vec<Arc<dyn Filter>>) -> Self {
        let touches_response = filters.iter().any(|filter| filter.touches_response());
        let touches_failures = filters.iter().any(|filter| filter.touches_failures());
        Self { filters: filters.into(), touches_response, touches_failures }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Runs the steps in order until one answers or fails. An answer has already been through the
    /// [`Filter::on_response`] of the steps before it: do not call [`Chain::on_response`] for it.
    ///
    /// # Errors
    /// The failure of the step that refused.
    pub fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        for (index, filter) in self.filters.iter().enumerate() {
            if let Flow::Respond(mut response) = filter.on_request(context)? {
                let before = self.filters.get(..index).unwrap_or(&[]);
                run_back(before, context.request, &mut response.head);
                return Ok(Flow::Respond(response));
            }
        }
        Ok(Flow::Continue)
    }

    /// Runs the steps in reverse order over the upstream's final response head.
    pub fn on_response(&self, request: &RequestHead, response: &mut ResponseHead) {
        if self.touches_response {
            run_back(&self.filters, request, response);
        }
    }

    /// Runs those steps over the answer to a failure that concern it.
    pub fn on_failure(&self, request: &RequestHead, response: &mut ResponseHead) {
        if self.touches_failures {
            for filter in self.filters.iter().rev().filter(|filter| filter.touches_failures()) {
                filter.on_response_to(request, response);
            }
        }
    }

    /// Whether [`Chain::on_response`] does anything.
    pub const fn touches_response(&self) -> bool {
        self.touches_response
    }
}

fn run_back(filters: &[Arc<dyn Filter>], request: &RequestHead, response: &mut ResponseHead) {
    for filter in filters.iter().rev().filter(|filter| filter.touches_response()) {
        filter.on_response_to(request, response);
    }
}

#[cfg(test)]
pub(crate) mod tests;
