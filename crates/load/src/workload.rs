//! What is asked, and what is a right answer. The engine knows neither.

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use crate::Mismatch;

/// A request to be sent. Recycled: the workload finds it cleared.
#[derive(Debug, Default)]
pub struct Request {
    /// The head.
    pub head: RequestHead,
    /// The body; empty: none.
    pub body: Vec<u8>,
    /// Index of the class that it is counted under (see `LoadOptions::classes`).
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

/// Makes requests and checks answers. Each generator thread has its own.
pub trait Workload: Send {
    /// Writes request `number` (unique over all threads) into the cleared `request`.
    fn prepare(&mut self, number: u64, request: &mut Request);

    /// Whether an answer is the right one.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch>;
}
