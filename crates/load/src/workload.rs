//! What is asked, and what is a right answer. The engine knows neither.

use std::time::Duration;

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use crate::Mismatch;

/// A request to be sent. Recycled: the workload finds it cleared.
#[derive(Debug, Default)]
pub struct Request {
    /// The head; its scheme is that of the target.
    pub head: RequestHead,
    /// The body; empty: none.
    pub body: Vec<u8>,
    /// Index of the class that it is counted under (see `LoadOptions::classes`), which also decides
    /// the target.
    pub class: usize,
    /// Whatever the workload needs to know the right answer.
    pub key: u64,
}

impl Request {
    /// Makes it empty; keeps the memory.
    pub fn clear(&mut self) {
        self.head.clear();
        self.body.clear();
        self.class = 0;
        self.key = 0;
    }
}

/// A whole answer, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Class of the request.
    pub class: usize,
    /// Key of the request.
    pub key: u64,
    /// Final head.
    pub head: &'a ResponseHead,
    /// Whole body.
    pub body: &'a [u8],
    /// Trailers; empty if there were none.
    pub trailers: &'a Fields,
}

/// A request that follows from an answer: the next step of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Think time: the request is due so long after the answer. Its latency counts from then.
    pub after: Duration,
    /// Given to [`Workload::follow`].
    pub key: u64,
}

/// Makes requests and checks answers. Each generator thread has its own.
pub trait Workload: Send {
    /// Writes request `number` (unique over all threads and, in an open loop, in the order of the
    /// schedule) into the cleared `request`. Called again with the same number for a retry, and must
    /// then write the same.
    fn prepare(&mut self, number: u64, request: &mut Request);

    /// Whether an answer is the right one.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch>;

    /// What follows from an answer that was right; asked once, right after [`Self::check`].
    fn next(&mut self, _answer: &Answer<'_>) -> Option<Next> {
        None
    }

    /// Writes a request that follows, which may have the key that it was announced with or another.
    fn follow(&mut self, _key: u64, _request: &mut Request) {}

    /// A request with this key has failed for good, or the run ended before it was sent: nothing
    /// follows from it. Never called for one whose answer was right.
    fn abandon(&mut self, _key: u64) {}
}
