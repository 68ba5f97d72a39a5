//! A response: a status and a document of JSON.

use std::convert::Infallible;

use bulkhead_chaos::{Forbidden, Rejection};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Denied;

/// Body of a response, whole or coming.
pub(super) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) document: Value,
    pub(super) allow: Option<&'static str>,
}

impl Answer {
    pub(super) fn new(status: u16, document: &impl Serialize) -> Self {
        match serde_json::to_value(document) {
            Ok(document) => Self { status, document, allow: None },
            Err(error) => Self::error(500, &error.to_string()),
        }
    }

    pub(super) fn error(status: u16, why: &str) -> Self {
        Self { status, document: json!({"error": why}), allow: None }
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let answer = Self::error(405, &format!("this path takes {allow}"));
        Self { allow: Some(allow), ..answer }
    }
}

impl From<Denied> for Answer {
    fn from(denied: Denied) -> Self {
        let status = match &denied {
            Denied::Request(_) | Denied::ApprovalTime => 400,
            Denied::Forbidden(Forbidden::Stranger) => 401,
            Denied::Forbidden(_) => 403,
            Denied::Unknown | Denied::NoLinks => 404,
            Denied::Target(_) | Denied::Blind(_) => 422,
            Denied::Rejected(Rejection::Conflict(_)) => 409,
            Denied::Rejected(Rejection::LeverEngaged) => 423,
            Denied::Rejected(Rejection::Budget { .. }) => 429,
            Denied::Rejected(_) => 400,
            Denied::Disk | Denied::Ending => 503,
        };
        Self::error(status, &denied.to_string())
    }
}

impl From<Answer> for Response<ResponseBody> {
    fn from(answer: Answer) -> Self {
        let body = Full::new(Bytes::from(format!("{}\n", answer.document)));
        let mut response = Self::new(body.boxed_unsync());
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        // Without a charset: some clients read JSON only if it says exactly this.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = answer.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}
