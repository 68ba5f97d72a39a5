//! The API where there is a gateway as well: its listeners beside the proxies of our own. Nothing that waits for
//! the gateway holds our own proxies up.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::api::{self, Answer};
use super::collection::{Collection, ProxyInput};
use super::error::ApiError;
use super::gateway::Gateway;
use super::toxic::Toxic;

/// Both, and how long a toxic lives at most.
#[derive(Clone, Copy)]
pub(super) struct Front<'a> {
    pub(super) own: &'a Mutex<Collection>,
    pub(super) gateway: Option<&'a Gateway>,
    pub(super) life_max: Duration,
}

impl Front<'_> {
    pub(super) async fn answer(self, method: &str, path: &str, body: &[u8]) -> Answer {
        let answered = match self.gateway {
            Some(gateway) => self.answer_for(gateway, method, path, body).await,
            None => Ok(None),
        };
        match answered {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let mut own = self.own.lock().await;
                api::answer(&mut own, method, path, body, self.life_max).await
            }
            Err(error) => Answer::refused(&error),
        }
    }

    /// `None`: it is about our own alone.
    async fn answer_for(
        self,
        gateway: &Gateway,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Answer>, ApiError> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["proxies"]) => {
                gateway.refresh().await?;
                let mut all = self.own.lock().await.to_json();
                if let Value::Object(all) = &mut all {
                    for (name, listener) in gateway.to_json().await {
                        // One of ours that was there before a listener of its name hides that.
                        all.entry(name).or_insert(listener);
                    }
                }
                Ok(Some(Answer::json(200, &all)))
            }
            ("POST", ["reset"]) => {
                // Our own first: they wait for no gateway.
                let own = self.own.lock().await.reset().await;
                let reset = gateway.reset().await;
                own.and(reset).map(|()| Some(Answer::nothing()))
            }
            ("POST", ["proxies"]) => {
                let input = ProxyInput::read(body)?;
                let taken = self.is_listener(gateway, &input.name).await?;
                if taken { Err(ApiError::proxy_exists()) } else { Ok(None) }
            }
            ("POST", ["populate"]) => {
                // What is no list is refused by who makes proxies of it.
                let inputs: Vec<ProxyInput> = serde_json::from_slice(body).unwrap_or_default();
                match self.first_listener(gateway, inputs.iter().map(|it| it.name.as_str())).await?
                {
                    Some(name) => Err(ApiError::not_ours(name)),
                    None => Ok(None),
                }
            }
            (_, ["proxies", name, below @ ..]) if self.is_listener(gateway, name).await? => {
                self.listener(gateway, method, name, below, body).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether it is the gateway's, and not hidden by one of ours.
    async fn is_listener(self, gateway: &Gateway, name: &str) -> Result<bool, ApiError> {
        Ok(self.first_listener(gateway, [name]).await?.is_some())
    }

    /// The first of these names that is. The gateway is asked once, and not about names of ours.
    async fn first_listener<'n>(
        self,
        gateway: &Gateway,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Option<&'n str>, ApiError> {
        let mut others: Vec<&str> = names.into_iter().collect();
        {
            let mut own = self.own.lock().await;
            others.retain(|name| own.get(name).is_err());
        }
        if others.is_empty() {
            return Ok(None);
        }
        gateway.refresh().await?;
        for name in others {
            if gateway.has(name).await {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The paths of one listener and below.
    async fn listener(
        self,
        gateway: &Gateway,
        method: &str,
        name: &str,
        below: &[&str],
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let now = Instant::now();
        match (method, below) {
            ("GET", []) => Ok(Answer::json(200, &gateway.proxy(name).await?)),
            (_, []) => Err(ApiError::not_ours(name)),
            ("GET", ["toxics"]) => Ok(Answer::json(200, &gateway.proxy(name).await?["toxics"])),
            ("POST", ["toxics"]) => {
                let toxic = Toxic::create(body, now, self.life_max)?;
                let shown = toxic.to_json();
                gateway.add(name, toxic, now).await?;
                Ok(Answer::json(200, &shown))
            }
            ("GET", ["toxics", toxic]) => {
                Ok(Answer::json(200, &gateway.toxic(name, toxic).await?.to_json()))
            }
            ("POST" | "PATCH", ["toxics", toxic]) => {
                let mut toxic = gateway.toxic(name, toxic).await?;
                toxic.update(body, now, self.life_max)?;
                let shown = toxic.to_json();
                gateway.replace(name, toxic, now).await?;
                Ok(Answer::json(200, &shown))
            }
            ("DELETE", ["toxics", toxic]) => {
                gateway.remove(name, toxic).await.map(|()| Answer::nothing())
            }
            (_, ["toxics"] | ["toxics", _]) => Ok(Answer::text(405, "")),
            _ => Ok(Answer::not_found()),
        }
    }
}
