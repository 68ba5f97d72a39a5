//! A fixed answer.
//!
//! - trusts: nobody; all is from the configuration
//! - buffers: its own body, shared by all exchanges until one is answered
//! - fuzzed by: nothing; no input of the network is looked at

use bulkhead_message::{BodyLength, Failure, Known, ResponseHead};

use crate::error::header;
use crate::{Context, Filter, FilterError, Flow, Response};

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponseSpec {
    /// 200 to 599.
    pub status: u16,
    /// Header fields. Without `content-type`, a body is `text/plain; charset=utf-8`.
    pub headers: Vec<(String, String)>,
    /// Body; none with status 204, 205 or 304.
    pub body: String,
}

/// Answers every request in the same way.
#[derive(Debug)]
pub struct FixedResponse(Response);

impl FixedResponse {
    /// A filter that answers so.
    ///
    /// # Errors
    /// [`FilterError`] names the part that cannot be used.
    pub fn new(spec: &FixedResponseSpec) -> Result<Self, FilterError> {
        let status = spec.status;
        if !(200..=599).contains(&status) {
            return Err(FilterError::Status { status, expect: "200 to 599" });
        }
        if matches!(status, 204 | 205 | 304) && !spec.body.is_empty() {
            return Err(FilterError::Body(status));
        }
        let mut head = ResponseHead::new(status);
        for (name, value) in &spec.headers {
            let (name, value) = header(name, value)?;
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        if !spec.body.is_empty() {
            head.body = BodyLength::Known(spec.body.len() as u64);
            if !head.fields.contains(Known::ContentType) {
                head.fields.push_known(Known::ContentType, b"text/plain; charset=utf-8");
            }
        }
        Ok(Self(Response { head, body: spec.body.clone().into_bytes() }))
    }
}

impl Filter for FixedResponse {
    fn on_request(&self, _context: &mut Context<'_>) -> Result<Flow, Failure> {
        Ok(Flow::Respond(Box::new(self.0.clone())))
    }
}

#[cfg(test)]
mod tests;
