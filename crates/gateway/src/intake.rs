//! What is done to every request, whatever its route: its path is spelled in one way, who asked is
//! found out, it gets an id; and before it is sent on, the upstream is told. Compiled with the
//! snapshot; computes, decides nothing about the exchange.

mod forwarding;
mod request_id;

use bulkhead_config::Config;
use bulkhead_message::PathRules;

pub(crate) use forwarding::{Forwarding, Hop, Origin};
pub(crate) use request_id::RequestIds;

/// The rules for all requests.
#[derive(Debug)]
pub(crate) struct Intake {
    /// `None`: paths are taken as they come.
    pub(crate) path: Option<PathRules>,
    pub(crate) forwarding: Forwarding,
    /// `None`: no ids.
    pub(crate) request_ids: Option<RequestIds>,
}

impl Intake {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            path: config.path_normalization,
            forwarding: Forwarding::new(&config.forwarding),
            request_ids: config.request_id.as_ref().map(RequestIds::new),
        }
    }
}
