//! One account at an ACME server, and the orders that it makes (RFC 8555 §7.4).

use std::io;

use bulkhead_config::model::{Acme, ExternalAccount, SecretSource};
use instant_acme::{
    Account, AuthorizationStatus, ExternalAccountKey, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};

use super::proof::{Proofs, kind};
use super::storage::Storage;
use crate::plane::Plane;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    #[error("{0}")]
    Server(#[from] instant_acme::Error),
    #[error("storage: {0}")]
    Storage(#[from] io::Error),
    #[error("the stored account cannot be read: {0}")]
    Account(#[from] serde_json::Error),
    #[error("the external account's key: {0}")]
    ExternalAccount(String),
    #[error("the server offers no {0} challenge for `{1}`")]
    NoChallenge(&'static str, String),
    #[error("the order ended as {0:?}; {1}")]
    Order(OrderStatus, String),
    #[error("make a certificate for a challenge: {0}")]
    Proof(#[from] rcgen::Error),
    #[error("answer challenges: {0}")]
    Plane(String),
    #[error("`dns_hook {action}`: {reason}")]
    Hook { action: String, reason: String },
}

impl AcmeError {
    /// The server says that there were too many requests.
    pub(super) fn is_rate_limited(&self) -> bool {
        match self {
            Self::Server(instant_acme::Error::Api(problem)) => {
                problem.r#type.as_deref().is_some_and(|kind| kind.ends_with(":rateLimited"))
            }
            _ => false,
        }
    }
}

/// A certificate as it came.
pub(super) struct Obtained {
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
}

pub(super) struct Orders {
    account: Account,
}

impl Orders {
    /// Opens the stored account, or makes one and stores it.
    pub(super) async fn open(acme: &Acme, storage: &Storage) -> Result<Self, AcmeError> {
        let builder = match &acme.ca_file {
            Some(path) => Account::builder_with_root(path)?,
            None => Account::builder()?,
        };
        if let Some(stored) = storage.account()? {
            let credentials = serde_json::from_slice(&stored)?;
            return Ok(Self { account: builder.from_credentials(credentials).await? });
        }
        let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            // The configuration is refused without.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let external = acme.external_account.as_ref().map(external_key).transpose()?;
        let (account, credentials) =
            builder.create(&new, acme.directory.clone(), external.as_ref()).await?;
        storage.store_account(&serde_json::to_vec(&credentials)?)?;
        Ok(Self { account })
    }

    /// Proves the names and gets a certificate for them.
    pub(super) async fn obtain(
        &self,
        acme: &Acme,
        names: &[String],
        plane: &dyn Plane,
    ) -> Result<Obtained, AcmeError> {
        let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = self.account.new_order(&NewOrder::new(&identifiers)).await?;
        let proofs = gather(acme, &mut order).await?;
        let proved = prove(acme, &mut order, &proofs, plane).await;
        proofs.clean_up(&acme.challenge, plane).await;
        proved?;
        let key_pem = order.finalize().await?;
        let chain_pem = order.poll_certificate(&RetryPolicy::default()).await?;
        Ok(Obtained { chain_pem, key_pem })
    }
}

/// What is to be shown for each name that is not proved yet.
async fn gather(acme: &Acme, order: &mut Order) -> Result<Proofs, AcmeError> {
    let mut proofs = Proofs::default();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = match &authorization.identifier().identifier {
            Identifier::Dns(name) => name.clone(),
            other => format!("{other:?}"),
        };
        let Some(challenge) = authorization.challenge(kind(&acme.challenge)) else {
            return Err(AcmeError::NoChallenge("such", name));
        };
        let key = challenge.key_authorization();
        proofs.add(&acme.challenge, &name, &challenge.token, &key)?;
    }
    Ok(proofs)
}

/// Shows the proofs, and lets the server look.
async fn prove(
    acme: &Acme,
    order: &mut Order,
    proofs: &Proofs,
    plane: &dyn Plane,
) -> Result<(), AcmeError> {
    proofs.present(&acme.challenge, plane).await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(kind(&acme.challenge)) {
            challenge.set_ready().await?;
        }
    }
    let status = order.poll_ready(&RetryPolicy::default()).await?;
    if status == OrderStatus::Ready {
        return Ok(());
    }
    Err(AcmeError::Order(status, why(order).await))
}

/// What the server says of the challenges that failed.
async fn why(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let problems = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(problems.map(ToString::to_string));
    }
    reasons.join("; ")
}

fn external_key(account: &ExternalAccount) -> Result<ExternalAccountKey, AcmeError> {
    let failed = |reason: String| AcmeError::ExternalAccount(reason);
    let text = match &account.key {
        SecretSource::File(path) => {
            std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?
        }
        SecretSource::Environment(name) => std::env::var(name)
            .map_err(|_| failed(format!("environment variable `{name}` is not set")))?,
    };
    let text = text.trim().trim_end_matches('=');
    let key = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text)
        .map_err(|_may_show_it| failed("it is not base64url".to_owned()))?;
    Ok(ExternalAccountKey::new(account.key_id.clone(), &key))
}
