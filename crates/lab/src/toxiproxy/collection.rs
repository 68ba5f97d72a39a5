//! The proxies by name.

use std::collections::BTreeMap;
use std::time::Instant;

use bulkhead_chaos::Random;
use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;
use super::proxy::Proxy;

/// Proxies at a time.
const PROXIES_MAX: usize = 1_024;

/// What a client sends to make or change a proxy. Everything may be missing.
#[derive(Debug, Deserialize)]
pub(super) struct ProxyInput {
    #[serde(default)]
    pub(super) name: String,
    pub(super) listen: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) enabled: Option<bool>,
}

impl ProxyInput {
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map_err(ApiError::bad_body)
    }

    /// `place`: where in a list it stands, for the message.
    fn check(&self, place: &str) -> Result<(), ApiError> {
        if self.name.is_empty() {
            return Err(ApiError::missing(&format!("name{place}")));
        }
        match self.upstream.as_deref() {
            None | Some("") => Err(ApiError::missing(&format!("upstream{place}"))),
            Some(_) => Ok(()),
        }
    }
}

/// All proxies.
#[derive(Debug)]
pub(super) struct Collection {
    proxies: BTreeMap<String, Proxy>,
    random: Random,
}

impl Collection {
    pub(super) fn new(seed: u64) -> Self {
        Self { proxies: BTreeMap::new(), random: Random::new(seed) }
    }

    pub(super) fn get(&mut self, name: &str) -> Result<&mut Proxy, ApiError> {
        self.proxies.get_mut(name).ok_or_else(ApiError::proxy_not_found)
    }

    pub(super) fn to_json(&self) -> Value {
        self.proxies.iter().map(|(name, proxy)| (name.clone(), proxy.to_json())).collect()
    }

    pub(super) async fn create(&mut self, input: &ProxyInput) -> Result<Value, ApiError> {
        input.check("")?;
        if self.proxies.contains_key(&input.name) {
            return Err(ApiError::proxy_exists());
        }
        self.add(input).await
    }

    /// Makes those that are not there yet as they are wanted. What was made before an error stays.
    pub(super) async fn populate(&mut self, body: &[u8]) -> (Vec<Value>, Option<ApiError>) {
        let inputs: Result<Vec<ProxyInput>, _> = serde_json::from_slice(body);
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(error) => return (Vec::new(), Some(ApiError::bad_body(error))),
        };
        for (index, input) in inputs.iter().enumerate() {
            if let Err(error) = input.check(&format!(" at proxy {}", index + 1)) {
                return (Vec::new(), Some(error));
            }
        }
        let mut made = Vec::new();
        for input in &inputs {
            match self.make_so(input).await {
                Ok(proxy) => made.push(proxy),
                Err(error) => return (made, Some(error)),
            }
        }
        (made, None)
    }

    async fn make_so(&mut self, input: &ProxyInput) -> Result<Value, ApiError> {
        if let Some(proxy) = self.proxies.get_mut(&input.name) {
            let upstream = input.upstream.as_deref().unwrap_or_default();
            let listen = input.listen.as_deref().unwrap_or_default();
            if proxy.upstream == upstream && proxy.listens_on(listen).await {
                return Ok(proxy.to_json());
            }
            self.remove(&input.name).await?;
        }
        self.add(input).await
    }

    async fn add(&mut self, input: &ProxyInput) -> Result<Value, ApiError> {
        if self.proxies.len() >= PROXIES_MAX {
            return Err(ApiError::too_many("proxies", PROXIES_MAX));
        }
        let listen = input.listen.as_deref().unwrap_or_default();
        let upstream = input.upstream.as_deref().unwrap_or_default();
        let mut proxy = Proxy::new(&input.name, listen, upstream, self.random.next());
        if input.enabled.unwrap_or(true) {
            proxy.start().await?;
        }
        let shown = proxy.to_json();
        self.proxies.insert(input.name.clone(), proxy);
        Ok(shown)
    }

    pub(super) async fn remove(&mut self, name: &str) -> Result<(), ApiError> {
        let mut proxy = self.proxies.remove(name).ok_or_else(ApiError::proxy_not_found)?;
        proxy.stop().await;
        Ok(())
    }

    /// Takes all toxics back, and lets all proxies listen.
    pub(super) async fn reset(&mut self) -> Result<(), ApiError> {
        let mut first_error = Ok(());
        for proxy in self.proxies.values_mut() {
            // A proxy that cannot listen keeps no other from losing its toxics.
            proxy.retain_toxics(|_| false);
            first_error = first_error.and(proxy.start().await);
        }
        first_error
    }

    pub(super) fn expire(&self, now: Instant) {
        for proxy in self.proxies.values() {
            proxy.expire_toxics(now);
        }
    }
}
