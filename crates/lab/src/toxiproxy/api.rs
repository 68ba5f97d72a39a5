//! The HTTP API of Toxiproxy 2, without the server: a question in, an answer out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::collection::{Collection, ProxyInput};
use super::error::ApiError;
use super::toxic::Toxic;

/// The version of the API, as clients ask for it.
const VERSION: &str = "2.5.0";

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string() }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: "text/plain;charset=utf-8", body: body.to_owned() }
    }

    pub(super) fn nothing() -> Self {
        Self::text(204, "")
    }

    pub(super) fn not_found() -> Self {
        Self::text(404, "404 page not found\n")
    }

    pub(super) fn refused(error: &ApiError) -> Self {
        Self::json(error.status, &error.to_json())
    }
}

/// Answers. `life_max` bounds the life of every toxic.
pub(super) async fn answer(
    collection: &mut Collection,
    method: &str,
    path: &str,
    body: &[u8],
    life_max: Duration,
) -> Answer {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let toxics = Toxics { now: Instant::now(), life_max };
    let answered = match (method, parts.as_slice()) {
        ("GET", ["version"]) => Ok(Answer::text(200, VERSION)),
        ("POST", ["reset"]) => collection.reset().await.map(|()| Answer::nothing()),
        ("POST", ["populate"]) => Ok(populate(collection, body).await),
        ("GET", ["proxies"]) => Ok(Answer::json(200, &collection.to_json())),
        ("POST", ["proxies"]) => create(collection, body).await,
        ("GET", ["proxies", name]) => {
            collection.get(name).map(|proxy| Answer::json(200, &proxy.to_json()))
        }
        ("POST" | "PATCH", ["proxies", name]) => update(collection, name, body).await,
        ("DELETE", ["proxies", name]) => collection.remove(name).await.map(|()| Answer::nothing()),
        (_, ["proxies", name, "toxics"]) => toxics.all(collection, method, name, body),
        (_, ["proxies", name, "toxics", toxic]) => {
            toxics.one(collection, method, name, toxic, body)
        }
        _ => Ok(Answer::not_found()),
    };
    answered.unwrap_or_else(|error| Answer::refused(&error))
}

async fn populate(collection: &mut Collection, body: &[u8]) -> Answer {
    let (proxies, error) = collection.populate(body).await;
    match error {
        None => Answer::json(201, &json!({ "proxies": proxies })),
        Some(error) => {
            let (message, status) = (&error.message, error.status);
            let told = json!({ "error": message, "status": status, "proxies": proxies });
            Answer::json(status, &told)
        }
    }
}

async fn create(collection: &mut Collection, body: &[u8]) -> Result<Answer, ApiError> {
    let proxy = collection.create(&ProxyInput::read(body)?).await?;
    Ok(Answer::json(201, &proxy))
}

async fn update(collection: &mut Collection, name: &str, body: &[u8]) -> Result<Answer, ApiError> {
    let proxy = collection.get(name)?;
    let input = ProxyInput::read(body)?;
    let listen = input.listen.unwrap_or_else(|| proxy.listen.clone());
    let upstream = input.upstream.unwrap_or_else(|| proxy.upstream.clone());
    let enabled = input.enabled.unwrap_or_else(|| proxy.is_enabled());
    proxy.update(&listen, &upstream, enabled).await?;
    Ok(Answer::json(200, &proxy.to_json()))
}

/// The paths below a proxy.
struct Toxics {
    now: Instant,
    life_max: Duration,
}

impl Toxics {
    fn all(
        &self,
        collection: &mut Collection,
        method: &str,
        proxy: &str,
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let proxy = collection.get(proxy)?;
        match method {
            "GET" => {
                let toxics: Value = proxy.toxics().iter().map(Toxic::to_json).collect();
                Ok(Answer::json(200, &toxics))
            }
            "POST" => {
                let toxic = Toxic::create(body, self.now, self.life_max)?;
                let shown = toxic.to_json();
                proxy.add_toxic(toxic)?;
                Ok(Answer::json(200, &shown))
            }
            _ => Ok(Answer::text(405, "")),
        }
    }

    fn one(
        &self,
        collection: &mut Collection,
        method: &str,
        proxy: &str,
        toxic: &str,
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let proxy = collection.get(proxy)?;
        let mut toxic = proxy.toxic(toxic).ok_or_else(ApiError::toxic_not_found)?;
        match method {
            "GET" => Ok(Answer::json(200, &toxic.to_json())),
            "POST" | "PATCH" => {
                toxic.update(body, self.now, self.life_max)?;
                proxy.replace_toxic(&toxic);
                Ok(Answer::json(200, &toxic.to_json()))
            }
            "DELETE" => {
                proxy.retain_toxics(|other| other.name != toxic.name);
                Ok(Answer::nothing())
            }
            _ => Ok(Answer::text(405, "")),
        }
    }
}
