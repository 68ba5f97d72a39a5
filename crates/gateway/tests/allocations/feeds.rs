//! The same request again and again, and its right answer.

use bulkhead_load::{Answer, Mismatch, Request, Workload};
use bulkhead_message::Known;
use bulkhead_origin::feed;

const USER: u64 = 123_456;

/// How the feed is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Grpc,
}

pub(crate) struct Feeds {
    kind: Kind,
    authorization: Option<Vec<u8>>,
    path: Vec<u8>,
    answer: Vec<u8>,
}

impl Feeds {
    pub(crate) fn new(kind: Kind, token: Option<String>) -> Self {
        let (mut path, mut answer) = (Vec::new(), Vec::new());
        if kind == Kind::Grpc {
            path.extend_from_slice(feed::GRPC_PATH.as_bytes());
            feed::push_grpc_response(USER, &mut answer);
        } else {
            feed::push_json_path(USER, &mut path);
            feed::push_json(USER, &mut answer);
        }
        let authorization = token.map(|token| format!("Bearer {token}").into_bytes());
        Self { kind, authorization, path, answer }
    }
}

impl Workload for Feeds {
    fn prepare(&mut self, _: u64, request: &mut Request) {
        let head = &mut request.head;
        head.set_authority(b"feed.example");
        head.set_target(&self.path);
        if let Some(authorization) = &self.authorization {
            head.fields.push_classified(Known::Authorization, b"", authorization, true);
        }
        if self.kind == Kind::Grpc {
            head.set_method(b"POST");
            head.fields.push_known(Known::ContentType, b"application/grpc");
            head.fields.push_known(Known::Te, b"trailers");
            feed::push_grpc_request(USER, &mut request.body);
        }
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status != 200 {
            return Err(Mismatch::Status);
        }
        if self.kind == Kind::Grpc && answer.trailers.get(Known::GrpcStatus) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        if answer.body == self.answer { Ok(()) } else { Err(Mismatch::Body) }
    }
}
