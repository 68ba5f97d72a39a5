//! Recorded requests, written and checked for one generator thread.

use std::sync::Arc;

use bulkhead_load::{Answer, Mismatch, Random, Request, Workload};
use bulkhead_message::Known;

use super::{Judge, RecordedRequest};

/// Requests of a recording.
#[derive(Clone, Debug)]
pub struct RecordingWorkload {
    requests: Arc<[RecordedRequest]>,
    judge: Judge,
    /// `None`: in their order.
    seed: Option<u64>,
}

impl RecordingWorkload {
    pub(super) const fn new(
        requests: Arc<[RecordedRequest]>,
        judge: Judge,
        seed: Option<u64>,
    ) -> Self {
        Self { requests, judge, seed }
    }
}

impl Workload for RecordingWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let count = self.requests.len().max(1) as u64;
        let index = match self.seed {
            Some(seed) => Random::numbered(seed, number).below(count),
            None => number % count,
        };
        let Some(recorded) = self.requests.get(index as usize) else { return };
        request.key = index;
        request.class = recorded.class;
        let head = &mut request.head;
        head.set_method(recorded.method.as_bytes());
        head.scheme = recorded.scheme;
        head.set_authority(recorded.authority.as_bytes());
        head.set_target(recorded.path.as_bytes());
        for (name, value) in &recorded.fields {
            let known = Known::of(name.as_bytes());
            // As careful clients do it (RFC 7541 §7.1.3).
            let sensitive = known == Known::Authorization || name == "cookie";
            head.fields.push_classified(known, name.as_bytes(), value.as_bytes(), sensitive);
        }
        request.body.extend_from_slice(&recorded.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let recorded = self.requests.get(answer.key as usize).and_then(|request| request.status);
        let status = answer.head.status;
        let right = match (self.judge, recorded) {
            (Judge::Recorded, Some(recorded)) => status == recorded,
            _ => status < 400,
        };
        if right { Ok(()) } else { Err(Mismatch::Status) }
    }
}
