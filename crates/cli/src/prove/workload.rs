//! The requests of the storm and what their right answers are.

use std::sync::Arc;

use bulkhead_load::{Answer, Mismatch, Random, Request, Workload};
use bulkhead_message::Known;
use bulkhead_origin::feed;

use super::plan::HELD_MS;
use super::tokens::TokenPool;

/// Index of JSON over HTTP/2 in `plan::CLASSES`.
pub(crate) const HTTP2: usize = 0;
/// Index of gRPC in `plan::CLASSES`.
pub(crate) const GRPC: usize = 1;
/// Users that feeds are asked for.
const USERS: u64 = 1_000_000;
/// Header in which the gateway passes the token's subject on; the origin repeats it in its answer.
pub(crate) const SUBJECT_HEADER: &str = "x-token-subject";

/// Feeds of random users, each asked for with a random token of the pool.
pub(crate) struct FeedWorkload {
    seed: u64,
    /// Share of JSON over HTTP/2, 0 to 1.
    http2_share: f64,
    /// `None`: no tokens.
    tokens: Option<Arc<TokenPool>>,
    scratch: Vec<u8>,
}

impl FeedWorkload {
    pub(crate) fn new(seed: u64, http2_share: f64, tokens: Option<Arc<TokenPool>>) -> Self {
        Self { seed, http2_share, tokens, scratch: Vec::new() }
    }
}

/// The key of a request: user and token.
const fn key_of(user: u64, token: u64) -> u64 {
    token << 32 | user
}

impl Workload for FeedWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let mut random = Random::numbered(self.seed, number);
        let user = random.below(USERS);
        let token = self.tokens.as_ref().map_or(0, |tokens| random.below(tokens.len() as u64));
        request.key = key_of(user, token);
        request.class = if random.unit() < self.http2_share { HTTP2 } else { GRPC };
        let head = &mut request.head;
        head.set_authority(b"feed.example");
        if request.class == HTTP2 {
            self.scratch.clear();
            feed::push_json_path(user, &mut self.scratch);
            head.set_target(&self.scratch);
            head.fields.push_known(Known::Accept, b"application/json");
        } else {
            head.set_method(b"POST");
            head.set_target(feed::GRPC_PATH.as_bytes());
            head.fields.push_known(Known::ContentType, b"application/grpc");
            head.fields.push_known(Known::Te, b"trailers");
            feed::push_grpc_request(user, &mut request.body);
        }
        head.fields.push_known(Known::UserAgent, b"bulkhead-prove");
        if let Some(tokens) = &self.tokens {
            let authorization = tokens.authorization(token as usize);
            // Sensitive: never put into a compression table, as careful clients do it.
            head.fields.push_classified(Known::Authorization, b"", authorization, true);
        }
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status != 200 {
            return Err(Mismatch::Status);
        }
        let user = answer.key & u64::from(u32::MAX);
        let grpc = answer.class == GRPC;
        let fields = &answer.head.fields;
        let content_type: &[u8] = if grpc { b"application/grpc" } else { b"application/json" };
        if fields.get(Known::ContentType) != Some(content_type) {
            return Err(Mismatch::Header);
        }
        if grpc && answer.trailers.get(Known::GrpcStatus) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        if let Some(tokens) = &self.tokens {
            let subject = tokens.subject((answer.key >> 32) as usize);
            if fields.get_named(SUBJECT_HEADER.as_bytes()) != Some(subject) {
                return Err(Mismatch::Header);
            }
        }
        self.scratch.clear();
        if grpc {
            feed::push_grpc_response(user, &mut self.scratch);
        } else {
            feed::push_json(user, &mut self.scratch);
        }
        if answer.body == self.scratch { Ok(()) } else { Err(Mismatch::Body) }
    }
}

/// Requests that the upstream holds for a while: they are in flight when a worker dies.
pub(crate) struct HeldWorkload {
    /// `None`: no tokens.
    tokens: Option<Arc<TokenPool>>,
    target: String,
    answer: String,
}

impl HeldWorkload {
    pub(crate) fn new(tokens: Option<Arc<TokenPool>>) -> Self {
        let (target, answer) = (format!("/delay/{HELD_MS}"), format!("after {HELD_MS} ms\n"));
        Self { tokens, target, answer }
    }
}

impl Workload for HeldWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.head.set_authority(b"feed.example");
        request.head.set_target(self.target.as_bytes());
        if let Some(tokens) = &self.tokens {
            let authorization = tokens.authorization(number as usize % tokens.len().max(1));
            request.head.fields.push_classified(Known::Authorization, b"", authorization, true);
        }
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        match answer.head.status {
            200 if answer.body == self.answer.as_bytes() => Ok(()),
            200 => Err(Mismatch::Body),
            _ => Err(Mismatch::Status),
        }
    }
}

/// Callers without tokens: the right answer is to be turned away.
pub(crate) struct FloodWorkload;

impl Workload for FloodWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.head.set_authority(b"feed.example");
        let mut path = Vec::new();
        feed::push_json_path(number % USERS, &mut path);
        request.head.set_target(&path);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status == 401 { Ok(()) } else { Err(Mismatch::Status) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bulkhead_load::{
        Arrivals, Class, Load, LoadOptions, Process, Protocol, Schedule, TargetOptions,
    };
    use bulkhead_message::{Fields, ResponseHead};
    use bulkhead_origin::{Origin, OriginOptions};

    use super::*;

    #[test]
    fn the_mix_and_the_requests_are_given_by_the_seed() {
        let (mut first, mut second) =
            (FeedWorkload::new(3, 0.72, None), FeedWorkload::new(3, 0.72, None));
        let mut http2 = 0;
        for number in 0..10_000 {
            let (mut one, mut other) = (Request::default(), Request::default());
            first.prepare(number, &mut one);
            second.prepare(number, &mut other);
            assert_eq!((one.key, one.class), (other.key, other.class));
            http2 += usize::from(one.class == HTTP2);
        }
        assert!((7_050..=7_350).contains(&http2), "{http2}");
    }

    #[test]
    fn the_origin_gives_the_right_answers() {
        let origin = Origin::start(OriginOptions::default()).unwrap();
        let target = TargetOptions::new(origin.addr(), Protocol::Http2);
        let arrivals = Arrivals::Open(Schedule::constant(5_000.0, Process::Poisson, 1));
        let options = LoadOptions {
            classes: ["http2", "grpc"].map(Class::new).to_vec(),
            ..LoadOptions::new(target, arrivals, Duration::from_millis(200))
        };
        let report =
            Load::start(options, |_| Box::new(FeedWorkload::new(1, 0.72, None))).unwrap().finish();
        assert_eq!(report.failed, 0, "{:?}", report.failure_samples);
        assert!(report.classes.iter().all(|class| class.ok > 0));
    }

    #[test]
    fn anything_wrong_is_noticed() {
        let pool = Arc::new(TokenPool::generate(2).unwrap());
        let mut workload = FeedWorkload::new(1, 0.72, Some(pool));
        let (mut json, mut grpc) = (Vec::new(), Vec::new());
        feed::push_json(7, &mut json);
        feed::push_grpc_response(7, &mut grpc);
        let other_user = {
            let mut body = Vec::new();
            feed::push_json(8, &mut body);
            body
        };
        let cut = &json[..json.len() - 1];
        type Case<'a> = (usize, u16, &'a str, &'a str, &'a [u8], Option<&'a str>);
        let cases: [(Case<'_>, Result<(), Mismatch>); 9] = [
            ((HTTP2, 200, "application/json", "subject-0001", &json, None), Ok(())),
            ((GRPC, 200, "application/grpc", "subject-0001", &grpc, Some("0")), Ok(())),
            ((HTTP2, 502, "application/json", "subject-0001", &json, None), Err(Mismatch::Status)),
            ((HTTP2, 200, "text/html", "subject-0001", &json, None), Err(Mismatch::Header)),
            ((HTTP2, 200, "application/json", "subject-0000", &json, None), Err(Mismatch::Header)),
            (
                (HTTP2, 200, "application/json", "subject-0001", &other_user, None),
                Err(Mismatch::Body),
            ),
            ((HTTP2, 200, "application/json", "subject-0001", cut, None), Err(Mismatch::Body)),
            (
                (GRPC, 200, "application/grpc", "subject-0001", &grpc, Some("14")),
                Err(Mismatch::GrpcStatus),
            ),
            (
                (GRPC, 200, "application/grpc", "subject-0001", &grpc, None),
                Err(Mismatch::GrpcStatus),
            ),
        ];
        for ((class, status, content_type, subject, body, grpc_status), expected) in cases {
            let mut head = ResponseHead::new(status);
            head.fields.push(b"content-type", content_type.as_bytes());
            head.fields.push(SUBJECT_HEADER.as_bytes(), subject.as_bytes());
            let trailers: Fields =
                grpc_status.into_iter().map(|status| ("grpc-status", status)).collect();
            let answer =
                Answer { class, key: key_of(7, 1), head: &head, body, trailers: &trailers };
            assert_eq!(workload.check(&answer), expected, "{class} {status} {subject}");
        }
    }
}
