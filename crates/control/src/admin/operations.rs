//! What the admin server does to a running gateway that is no fault: the size of the pool of
//! workers, and the change to another executable.

use serde_json::json;

use super::pages::{Answer, Pages, Question};
use crate::event::Event;

/// Where the pool is resized.
pub(super) const RESIZE: &str = "/workers/resize";
/// Where the executable is changed.
pub(super) const UPGRADE: &str = "/upgrade";

impl Pages {
    /// The answer to a request for an operation; `None`: the path names none.
    pub(super) fn operate(&self, question: &Question) -> Option<Answer> {
        let operation: fn(&Self, &Question) -> Answer = match question.path.as_str() {
            RESIZE => Self::resize,
            UPGRADE => Self::upgrade,
            _ => return None,
        };
        if question.method != "POST" {
            return Some(Answer::not_allowed("POST"));
        }
        // A page in a browser may send a POST to loopback without being asked.
        if question.from_browser {
            return Some(Answer::text(403, "Operations are not for browsers.\n"));
        }
        Some(operation(self, question))
    }

    fn resize(&self, question: &Question) -> Answer {
        let mut pairs = question.query.split('&').filter_map(|pair| pair.split_once('='));
        let count =
            pairs.find(|(key, _)| *key == "count").and_then(|(_, count)| count.parse().ok());
        let Some(workers) = count else {
            return Answer::text(400, "Say how many: `/workers/resize?count=4`.\n");
        };
        match self.plane.resize_workers(workers) {
            Ok(before) => {
                (self.events)(Event::WorkersResized { before, workers });
                Answer::json(200, &json!({ "workers": workers, "before": before }))
            }
            Err(reason) => Answer::json(409, &json!({ "reason": reason })),
        }
    }

    fn upgrade(&self, _question: &Question) -> Answer {
        match self.plane.upgrade() {
            Ok(Some(pid)) => Answer::json(200, &json!({ "pid": pid })),
            Ok(None) => Answer::json(202, &json!({ "asked": "supervisor" })),
            Err(reason) => Answer::json(409, &json!({ "reason": reason })),
        }
    }
}

#[cfg(test)]
mod tests;
