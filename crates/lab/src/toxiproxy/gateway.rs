//! A gateway whose listeners are shown as proxies, and whose rules are their toxics.
//!
//! A listener is the gateway's: it cannot be made, changed or deleted here. A toxic is noted before its rule is
//! put, so that whatever comes of the answer, it can be taken back. The gateway holds the toxic's life.

mod admin;
mod equivalent;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{ChaosId, Fault, FaultRule, Random};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::error::ApiError;
use super::proxy::TOXICS_MAX;
use super::toxic::Toxic;
use admin::{GatewayAdmin, NotPut};

/// What stands for a listener's upstream: it has none of its own.
const UPSTREAM: &str = "routes of the gateway";

/// See the module.
#[derive(Debug)]
pub(super) struct Gateway {
    admin: GatewayAdmin,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Address and toxics, by the listener's name.
    listeners: BTreeMap<String, Listener>,
    /// Of the options: which exchanges a toxic acts on can be had again.
    random: Random,
    /// An id is used once, by all processes that ever ask this gateway.
    ids: Random,
    /// Everything is taken back, and nothing comes any more.
    over: bool,
}

#[derive(Debug, Default)]
struct Listener {
    address: String,
    toxics: Vec<Placed>,
}

/// A toxic, and the rules that it may have in the gateway: one, but for a moment while it is changed.
#[derive(Debug)]
struct Placed {
    toxic: Toxic,
    rules: Vec<String>,
}

impl Listener {
    fn to_json(&self, name: &str) -> Value {
        json!({
            "name": name,
            "listen": self.address,
            "upstream": UPSTREAM,
            "enabled": true,
            "toxics": self.toxics.iter().map(|placed| placed.toxic.to_json()).collect::<Vec<_>>(),
        })
    }

    fn find(&mut self, toxic: &str) -> Result<&mut Placed, ApiError> {
        let found = self.toxics.iter_mut().find(|placed| placed.toxic.name == toxic);
        found.ok_or_else(ApiError::toxic_not_found)
    }
}

impl State {
    fn listener(&mut self, name: &str) -> Result<&mut Listener, ApiError> {
        self.listeners.get_mut(name).ok_or_else(ApiError::proxy_not_found)
    }

    fn rule(&mut self, fault: Fault, toxic: &Toxic, now: Instant) -> (String, FaultRule) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("toxic-{}", ChaosId::new(unix, &mut self.ids));
        let left = toxic.expires.saturating_duration_since(now);
        (id, FaultRule { seed: self.random.next(), ..FaultRule::new(fault, left) })
    }
}

impl Gateway {
    /// Makes sure that there is a gateway, and that it allows faults.
    pub(super) async fn find(admin: SocketAddr, seed: u64) -> Result<Self, ApiError> {
        let admin = GatewayAdmin(admin);
        admin.allows_faults().await?;
        let (listeners, over) = (BTreeMap::new(), false);
        let (random, ids) = (Random::new(seed), Random::new(unlike_any_other()));
        let gateway = Self { admin, state: Mutex::new(State { listeners, random, ids, over }) };
        gateway.refresh().await?;
        Ok(gateway)
    }

    /// Looks where the gateway listens by now, and which toxics are still in force there.
    pub(super) async fn refresh(&self) -> Result<(), ApiError> {
        let current = self.admin.listeners().await?;
        let mut state = self.state.lock().await;
        let mut before = std::mem::take(&mut state.listeners);
        for listener in current {
            let toxics = before.remove(&listener.name).unwrap_or_default().toxics;
            let known = Listener { address: listener.address, toxics };
            state.listeners.insert(listener.name, known);
        }
        // One that has gone with a toxic may come back while that lasts.
        let gone = before.into_iter().filter(|(_, gone)| !gone.toxics.is_empty());
        state.listeners.extend(gone.collect::<Vec<_>>());
        for listener in state.listeners.values_mut() {
            self.drop_ended(listener).await?;
        }
        Ok(())
    }

    /// Their time is over, somebody else has taken them back, or it is another process by now.
    async fn drop_ended(&self, listener: &mut Listener) -> Result<(), ApiError> {
        let mut ended = Vec::new();
        for placed in &listener.toxics {
            let mut is_there = placed.rules.is_empty();
            for rule in &placed.rules {
                is_there |= self.admin.is_active(rule).await?;
            }
            if !is_there || placed.toxic.expires <= Instant::now() {
                // One that is still on its way comes no more.
                for rule in &placed.rules {
                    self.admin.remove(rule).await?;
                }
                ended.push(placed.toxic.name.clone());
            }
        }
        listener.toxics.retain(|placed| !ended.contains(&placed.toxic.name));
        Ok(())
    }

    pub(super) async fn has(&self, name: &str) -> bool {
        self.state.lock().await.listeners.contains_key(name)
    }

    /// All listeners, by their names.
    pub(super) async fn to_json(&self) -> Vec<(String, Value)> {
        let state = self.state.lock().await;
        let shown = |(name, listener): (&String, &Listener)| (name.clone(), listener.to_json(name));
        state.listeners.iter().map(shown).collect()
    }

    pub(super) async fn proxy(&self, name: &str) -> Result<Value, ApiError> {
        Ok(self.state.lock().await.listener(name)?.to_json(name))
    }

    pub(super) async fn toxic(&self, name: &str, toxic: &str) -> Result<Toxic, ApiError> {
        let mut state = self.state.lock().await;
        Ok(state.listener(name)?.find(toxic)?.toxic.clone())
    }

    pub(super) async fn add(&self, name: &str, toxic: Toxic, now: Instant) -> Result<(), ApiError> {
        let mut state = self.state.lock().await;
        if state.over {
            return Err(ApiError::ending());
        }
        let fault = equivalent::fault(&toxic, name)?;
        let toxics = &state.listener(name)?.toxics;
        if toxics.iter().any(|placed| placed.toxic.name == toxic.name) {
            return Err(ApiError::toxic_exists());
        }
        if toxics.len() >= TOXICS_MAX {
            return Err(ApiError::too_many("toxics of a proxy", TOXICS_MAX));
        }
        let rule = fault.map(|fault| state.rule(fault, &toxic, now));
        let rules = rule.iter().map(|(id, _)| id.clone()).collect();
        let toxic_name = toxic.name.clone();
        state.listener(name)?.toxics.push(Placed { toxic, rules });
        let Some((id, rule)) = rule else { return Ok(()) };
        let Err(NotPut { error, may_be_there }) = self.admin.put(&id, &rule).await else {
            return Ok(());
        };
        if !may_be_there {
            state.listener(name)?.toxics.retain(|placed| placed.toxic.name != toxic_name);
        }
        Err(error)
    }

    /// Puts `toxic` in place of the one of its name: its new rule first, and then the old one goes.
    pub(super) async fn replace(
        &self,
        name: &str,
        toxic: Toxic,
        now: Instant,
    ) -> Result<(), ApiError> {
        let mut state = self.state.lock().await;
        if state.over {
            return Err(ApiError::ending());
        }
        let fault = equivalent::fault(&toxic, name)?;
        let rule = fault.map(|fault| state.rule(fault, &toxic, now));
        let placed = state.listener(name)?.find(&toxic.name)?;
        let old = placed.rules.clone();
        if let Some((id, rule)) = rule {
            placed.rules.push(id.clone());
            if let Err(NotPut { error, may_be_there }) = self.admin.put(&id, &rule).await {
                placed.rules.retain(|known| may_be_there || *known != id);
                return Err(error);
            }
        }
        placed.toxic = toxic;
        self.take_back(&mut placed.rules, |rule| old.contains(rule)).await
    }

    pub(super) async fn remove(&self, name: &str, toxic: &str) -> Result<(), ApiError> {
        let mut state = self.state.lock().await;
        let listener = state.listener(name)?;
        self.take_back(&mut listener.find(toxic)?.rules, |_| true).await?;
        listener.toxics.retain(|placed| placed.toxic.name != toxic);
        Ok(())
    }

    /// Takes all toxics back; one that cannot be keeps no other in force.
    pub(super) async fn reset(&self) -> Result<(), ApiError> {
        self.reset_in(&mut *self.state.lock().await).await
    }

    /// Takes all toxics back, and lets none come any more.
    pub(super) async fn end(&self) {
        let mut state = self.state.lock().await;
        state.over = true;
        // Of a gateway that does not answer, the time of its rules runs out.
        let _told_nobody = self.reset_in(&mut state).await;
    }

    async fn reset_in(&self, state: &mut State) -> Result<(), ApiError> {
        let mut first_error = Ok(());
        for listener in state.listeners.values_mut() {
            for placed in &mut listener.toxics {
                first_error = first_error.and(self.take_back(&mut placed.rules, |_| true).await);
            }
            listener.toxics.retain(|placed| !placed.rules.is_empty());
        }
        first_error
    }

    /// Takes those rules back; `rules` are those that may be left.
    async fn take_back(
        &self,
        rules: &mut Vec<String>,
        which: impl Fn(&String) -> bool,
    ) -> Result<(), ApiError> {
        let mut first_error = Ok(());
        for rule in rules.clone().iter().filter(|rule| which(rule)) {
            match self.admin.remove(rule).await {
                Ok(()) => rules.retain(|known| known != rule),
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        first_error
    }
}

/// So that no two processes give the same ids.
fn unlike_any_other() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
