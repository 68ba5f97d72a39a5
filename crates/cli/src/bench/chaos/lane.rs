//! What one thread of the bench strikes again and again: a gateway, a link and a wire of its own.

mod gateway;
mod link;
mod looker;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

pub(super) use gateway::{Answered, GatewayProcess, PATH, ask, get};
pub(super) use link::{LinkUse, PORT};
pub(super) use looker::Looker;
pub(super) use wire::Wire;

use super::Ground;

/// Targets of one thread.
pub(super) struct Lane {
    pub(super) gateway: Arc<GatewayProcess>,
    link_name: String,
    link: Option<Arc<Mutex<LinkUse>>>,
    wire: Result<Arc<Wire>, String>,
}

impl Lane {
    pub(super) fn new(
        number: usize,
        gateway: Arc<GatewayProcess>,
        wire: Result<Arc<Wire>, String>,
    ) -> Self {
        Self { gateway, link_name: format!("bench{number}"), link: None, wire }
    }

    /// Its wire, or why there is none.
    pub(super) fn wire(&self) -> anyhow::Result<Arc<Wire>> {
        self.wire.clone().map_err(anyhow::Error::msg)
    }

    /// Its link, which is made anew where it is gone.
    pub(super) fn link(&mut self, ground: &Ground) -> anyhow::Result<Arc<Mutex<LinkUse>>> {
        // What was staged before has ended: nobody else has it.
        let old = self.link.take().and_then(Arc::into_inner);
        let old = old.map(|old| old.into_inner().unwrap_or_else(PoisonError::into_inner));
        let link = Arc::new(Mutex::new(LinkUse::renew(old, &self.link_name, ground)?));
        self.link = Some(Arc::clone(&link));
        Ok(link)
    }
}
