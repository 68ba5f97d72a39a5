//! What one thread of the bench strikes again and again: a gateway and a link of its own.

mod gateway;
mod link;

use std::sync::{Arc, Mutex, PoisonError};

pub(super) use gateway::{Answered, GatewayProcess, PATH, ask, get};
pub(super) use link::LinkUse;

use super::Ground;

/// Targets of one thread.
pub(super) struct Lane {
    pub(super) gateway: Arc<GatewayProcess>,
    link_name: String,
    link: Option<Arc<Mutex<LinkUse>>>,
}

impl Lane {
    pub(super) fn new(number: usize, gateway: Arc<GatewayProcess>) -> Self {
        Self { gateway, link_name: format!("bench{number}"), link: None }
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
