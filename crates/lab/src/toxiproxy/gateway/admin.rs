//! What a gateway is asked for by its admin server: where it listens, and rules.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bulkhead_chaos::{FaultReport, FaultRule, FaultState};
use serde::Deserialize;

use super::super::error::ApiError;
use crate::admin::{Admin, AdminError, Reply};

/// Until a gateway has answered one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// A gateway, by its admin server.
#[derive(Clone, Copy, Debug)]
pub(super) struct GatewayAdmin(pub(super) SocketAddr);

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) address: String,
}

/// Why a rule is not in force, as far as is known.
#[derive(Debug)]
pub(super) struct NotPut {
    pub(super) error: ApiError,
    pub(super) may_be_there: bool,
}

impl From<ApiError> for NotPut {
    fn from(error: ApiError) -> Self {
        Self { error, may_be_there: false }
    }
}

#[derive(Deserialize)]
struct Listeners {
    listeners: Vec<Listener>,
}

impl GatewayAdmin {
    /// The listeners in force.
    pub(super) async fn listeners(self) -> Result<Vec<Listener>, ApiError> {
        let reply = self.ask("GET", "/listeners", None).await?;
        let read = serde_json::from_slice::<Listeners>(&reply.body).ok();
        let listeners = read.filter(|_| reply.status == 200).map(|read| read.listeners);
        listeners.ok_or_else(|| self.failed(&reply.reason()))
    }

    /// Whether it takes rules at all.
    pub(super) async fn allows_faults(self) -> Result<(), ApiError> {
        match self.ask("GET", "/faults", None).await?.status {
            200 => Ok(()),
            404 => Err(self.failed("it allows no faults: start it with `--allow-faults`")),
            status => Err(self.failed(&format!("it answers {status}"))),
        }
    }

    /// Puts a rule in force. What may have come is taken back if it is not known whether it has.
    pub(super) async fn put(self, id: &str, rule: &FaultRule) -> Result<(), NotPut> {
        let body = serde_json::to_vec(rule).map_err(ApiError::bad_body)?;
        let reply = match self.ask("PUT", &path(id), Some(body)).await {
            Ok(reply) => reply,
            Err(unknown) => {
                // A fault that is taken back before it comes never comes.
                let may_be_there = self.remove(id).await.is_err();
                return Err(NotPut { error: unknown, may_be_there });
            }
        };
        match reply.status {
            200 | 201 => Ok(()),
            400 | 409 => Err(ApiError::refused_by_gateway(&reply.reason()).into()),
            429 => Err(ApiError::too_many_rules(&reply.reason()).into()),
            _ => Err(self.failed(&reply.reason()).into()),
        }
    }

    /// Takes a rule back.
    pub(super) async fn remove(self, id: &str) -> Result<(), ApiError> {
        let reply = self.ask("DELETE", &path(id), None).await?;
        match reply.status {
            200 | 404 => Ok(()),
            _ => Err(self.failed(&reply.reason())),
        }
    }

    /// Whether a rule is still in force.
    pub(super) async fn is_active(self, id: &str) -> Result<bool, ApiError> {
        let reply = self.ask("GET", &path(id), None).await?;
        let report = serde_json::from_slice::<FaultReport>(&reply.body).ok();
        match (reply.status, report) {
            (200, Some(report)) => Ok(report.state == FaultState::Active),
            (404, _) => Ok(false),
            _ => Err(self.failed(&reply.reason())),
        }
    }

    /// On a thread of its own: no proxy waits for a gateway.
    async fn ask(
        self,
        method: &'static str,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, ApiError> {
        let (admin, path) = (Admin::new(self.0, Instant::now() + ANSWER_TIMEOUT), path.to_owned());
        let asking = move || admin.ask(method, &path, body.as_deref());
        let answered = tokio::task::spawn_blocking(asking).await;
        let answered = answered.map_err(|error| self.failed(&error.to_string()))?;
        answered.map_err(|error: AdminError| self.failed(&error.to_string()))
    }

    fn failed(self, reason: &str) -> ApiError {
        ApiError::gateway(self.0, reason)
    }
}

fn path(id: &str) -> String {
    format!("/faults/{id}")
}
