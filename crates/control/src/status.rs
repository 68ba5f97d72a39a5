//! What is known of the configuration in force, for the admin server.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_config::Config;
use bulkhead_telemetry::Rfc3339;
use serde_json::{Value, json};

/// Shared between the tasks of the control plane; nobody holds it for long.
#[derive(Debug)]
pub(crate) struct Status(Mutex<Facts>);

#[derive(Debug)]
struct Facts {
    source: String,
    revision: u64,
    applied_at: Duration,
    summary: Value,
    warnings: Vec<String>,
    last_error: Option<(Duration, String)>,
    /// Names that do not resolve: (cluster, host) → why.
    unresolved: BTreeMap<(String, String), String>,
    draining: bool,
}

impl Status {
    pub(crate) fn new(
        source: String,
        revision: u64,
        config: &Config,
        warnings: Vec<String>,
    ) -> Self {
        Self(Mutex::new(Facts {
            source,
            revision,
            applied_at: unix_now(),
            summary: summary(config),
            warnings,
            last_error: None,
            unresolved: BTreeMap::new(),
            draining: false,
        }))
    }

    pub(crate) fn applied(&self, revision: u64, config: &Config, warnings: Vec<String>) {
        let mut facts = self.lock();
        facts.revision = revision;
        facts.applied_at = unix_now();
        facts.summary = summary(config);
        facts.warnings = warnings;
        facts.last_error = None;
        facts.unresolved.clear();
    }

    pub(crate) fn rejected(&self, reason: String) {
        self.lock().last_error = Some((unix_now(), reason));
    }

    /// Notes how looking a name up went. True if that is news.
    pub(crate) fn resolved(&self, cluster: &str, host: &str, failure: Option<&str>) -> bool {
        let key = (cluster.to_owned(), host.to_owned());
        let mut facts = self.lock();
        match failure {
            Some(reason) => facts.unresolved.insert(key, reason.to_owned()).is_none(),
            None => facts.unresolved.remove(&key).is_some(),
        }
    }

    pub(crate) fn drain(&self) {
        self.lock().draining = true;
    }

    pub(crate) fn draining(&self) -> bool {
        self.lock().draining
    }

    pub(crate) fn to_json(&self) -> Value {
        let facts = self.lock();
        let mut document = json!({
            "revision": facts.revision,
            "source": facts.source,
            "applied_at": Rfc3339(facts.applied_at).to_string(),
            "warnings": facts.warnings,
            "last_error": facts.last_error.as_ref().map(|(at, reason)| json!({
                "at": Rfc3339(*at).to_string(),
                "reason": reason,
            })),
            "unresolved": facts.unresolved.iter().map(|((cluster, host), reason)| json!({
                "cluster": cluster,
                "host": host,
                "reason": reason,
            })).collect::<Vec<_>>(),
        });
        if let (Value::Object(into), Value::Object(from)) = (&mut document, &facts.summary) {
            into.extend(from.clone());
        }
        document
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names and counts. Values are left out: what is not told cannot leak.
fn summary(config: &Config) -> Value {
    json!({
        "listeners": config.listeners.iter().map(|listener| json!({
            "name": listener.name,
            "address": listener.address.to_string(),
            "tls": listener.tls.is_some(),
        })).collect::<Vec<_>>(),
        "routes": config.routes.iter().map(|route| &route.name).collect::<Vec<_>>(),
        "clusters": config.clusters.keys().collect::<Vec<_>>(),
        "jwt_providers": config.jwt_providers.keys().collect::<Vec<_>>(),
    })
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
