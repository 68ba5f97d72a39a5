//! The requests of one gRPC call, and what its right answer is.

use std::sync::Arc;

use bulkhead_load::{Answer, Mismatch, Request, Workload};
use bulkhead_message::Known;

use super::{Call, Server};

/// One call, made over and over.
#[derive(Clone, Debug)]
pub(crate) struct GrpcWorkload {
    call: Arc<Call>,
    authority: String,
    headers: Vec<(String, String)>,
    class: usize,
    /// Body of the last answer that was right: most are the same, and need no decoding then.
    last_right: Vec<u8>,
}

impl GrpcWorkload {
    /// Requests to `server`, counted under `class`.
    pub(crate) fn new(call: Call, server: Server<'_>, class: usize) -> Self {
        Self {
            call: Arc::new(call),
            authority: server.authority.to_owned(),
            headers: server.headers.to_vec(),
            class,
            last_right: Vec::new(),
        }
    }

    fn check_body(&mut self, body: &[u8]) -> Result<(), Mismatch> {
        let expectation = &self.call.expectation;
        if expectation.is_shallow() {
            return expectation.check(body).map(|_| ()).map_err(|_| Mismatch::Body);
        }
        if self.last_right.is_empty() || self.last_right != body {
            expectation.check(body).map_err(|_| Mismatch::Body)?;
            self.last_right.clear();
            self.last_right.extend_from_slice(body);
        }
        Ok(())
    }
}

impl Workload for GrpcWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let bodies = &self.call.bodies;
        write_head(&self.authority, &self.call.path, &self.headers, request);
        if let Some(body) = bodies.get((number % bodies.len().max(1) as u64) as usize) {
            request.body.extend_from_slice(body);
        }
        request.class = self.class;
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status != 200 {
            return Err(Mismatch::Status);
        }
        let content_type = answer.head.fields.get(Known::ContentType).unwrap_or_default();
        if !content_type.starts_with(b"application/grpc") {
            return Err(Mismatch::Header);
        }
        if grpc_status(answer) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        self.check_body(answer.body)
    }
}

/// Writes the head of a call.
pub(super) fn write_head(
    authority: &str,
    path: &str,
    headers: &[(String, String)],
    request: &mut Request,
) {
    let head = &mut request.head;
    head.set_method(b"POST");
    head.set_authority(authority.as_bytes());
    head.set_target(path.as_bytes());
    head.fields.push_known(Known::ContentType, b"application/grpc");
    head.fields.push_known(Known::Te, b"trailers");
    for (name, value) in headers {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
}

/// The status in the trailers, or in the head of an answer without messages.
pub(crate) fn grpc_status<'a>(answer: &Answer<'a>) -> Option<&'a [u8]> {
    let in_head = || answer.head.fields.get(Known::GrpcStatus);
    answer.trailers.get(Known::GrpcStatus).or_else(in_head)
}
