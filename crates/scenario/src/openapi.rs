//! OpenAPI 3.0 and 3.1: each operation becomes a request whose parameters and body follow from examples
//! and schemas, and whose right statuses are the declared ones.
//!
//! Makes up the smallest request that the description allows; knows nothing of what the server has
//! stored, so parameters that must name something need an `example` or an `enum`.

mod body;
mod document;
mod operation;
mod sample;

use std::sync::Arc;

use bulkhead_config::Diagnostics;
use serde_json::Value;

use crate::endpoint::{Endpoint, EndpointError};
use crate::plan::Plan;
use crate::recording::{Methods, Skipped};
use crate::settings::TargetSettings;

use document::Document;

/// Largest description as JSON; as YAML 16 MiB.
const OPENAPI_BYTES_MAX: usize = 64 << 20;

/// How a description is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenApiOptions {
    /// Where requests go; a path of its own takes the place of that of the description's server. `None`:
    /// to the first server of the description.
    pub target: Option<TargetSettings>,
    /// Connections to the server of the description; `None`: as suits the load.
    pub connections: Option<usize>,
    /// Which operations are kept.
    pub methods: Methods,
    /// Header fields of each request, such as credentials; names in lower case.
    pub fields: Vec<(String, String)>,
}

/// Requests of a description.
#[derive(Clone, Debug)]
pub struct OpenApiRequests {
    /// The server.
    pub target: TargetSettings,
    /// The requests: one for each operation, by the weight of its `x-weight`, or 1.
    pub plan: Arc<Plan>,
    /// Operations that were left out.
    pub skipped: Skipped,
}

/// Why a description cannot be used at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenApiError {
    /// It is no YAML.
    #[error("{0}")]
    Yaml(Diagnostics),
    /// It is no JSON.
    #[error("{file}:{line}:{column}: this is no JSON: {reason}")]
    Json {
        /// Its name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// It is too large.
    #[error("{file}: larger than {} MiB", OPENAPI_BYTES_MAX >> 20)]
    Large {
        /// Its name.
        file: String,
    },
    /// It is of another version, or something else altogether.
    #[error(
        "{file}: `openapi` is {found}, and 3.0 or 3.1 is needed; convert a Swagger 2.0 file first"
    )]
    Version {
        /// Its name.
        file: String,
        /// What stands there.
        found: String,
    },
    /// It does not say where requests go, or not in a usable way.
    #[error("{file}: the server `{url}` cannot be used: {cause}; give a URL")]
    Server {
        /// Its name.
        file: String,
        /// Of the first server.
        url: String,
        /// Why.
        cause: EndpointError,
    },
    /// No operation can be sent.
    #[error("{file}: no operation can be sent{}", first_reason(.skipped))]
    Empty {
        /// Its name.
        file: String,
        /// What was left out.
        skipped: Skipped,
    },
}

fn first_reason(skipped: &Skipped) -> String {
    skipped.first.as_ref().map_or_else(String::new, |first| {
        format!("; {} were left out, the first: {first}", skipped.count)
    })
}

/// Reads a description, YAML or JSON. `file` is its name in messages. References within the file are
/// followed; operations with others are left out.
///
/// Limits: 64 MiB as JSON, 16 MiB and 200,000 values as YAML; 4,096 operations.
///
/// # Errors
/// If it is no description of OpenAPI 3, or nothing in it can be sent.
pub fn openapi(
    text: &str,
    file: &str,
    options: &OpenApiOptions,
) -> Result<OpenApiRequests, OpenApiError> {
    let document = Document::parse(text, file)?;
    let version = &document.root()["openapi"];
    // Unquoted, `3.1` is a number in YAML.
    let version_text = match version {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !version_text.starts_with("3.") {
        let found =
            if version.is_null() { "missing".to_owned() } else { format!("`{version_text}`") };
        return Err(OpenApiError::Version { file: file.to_owned(), found });
    }
    let target = target(&document, file, options)?;
    let (plan, skipped) = operation::plan(&document, &target, options);
    if plan.classes().is_empty() {
        return Err(OpenApiError::Empty { file: file.to_owned(), skipped });
    }
    Ok(OpenApiRequests { target, plan: Arc::new(plan), skipped })
}

/// The server, with its path as base.
fn target(
    document: &Document,
    file: &str,
    options: &OpenApiOptions,
) -> Result<TargetSettings, OpenApiError> {
    let url = document.server_url();
    if let Some(given) = &options.target {
        let mut target = given.clone();
        if target.base.is_empty() {
            let path = match Endpoint::parse(&url) {
                Ok((_, path)) => path,
                Err(_) if url.starts_with('/') => url,
                Err(_) => String::new(),
            };
            target.base = path.trim_end_matches('/').to_owned();
        }
        return Ok(target);
    }
    match Endpoint::parse(&url) {
        Ok((endpoint, path)) => {
            let name = endpoint.authority.clone();
            let mut target = TargetSettings::new(name, endpoint, options.connections);
            target.base = path.trim_end_matches('/').to_owned();
            Ok(target)
        }
        Err(cause) => Err(OpenApiError::Server { file: file.to_owned(), url, cause }),
    }
}

#[cfg(test)]
mod tests;
