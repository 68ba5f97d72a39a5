//! Faults by way of the admin server: put in force, looked at, taken back. Only where faults are allowed.

use bulkhead_chaos::{FaultRefusal, FaultReport, FaultRule, Placed};
use serde_json::{Value, json};

use super::pages::{Answer, Pages, Question};
use crate::event::Event;

/// Where all faults are.
const ALL: &str = "/faults";
/// Not the name of a fault, but where one is held against what there is.
const CHECK: &str = "check";
/// Bytes of a fault as it is declared.
pub(super) const FAULT_BYTES_MAX: usize = 64 * 1024;

/// Whether a request is for faults: those alone may have a body.
pub(super) fn is_for_faults(path: &str) -> bool {
    path == ALL || name(path).is_some()
}

fn name(path: &str) -> Option<&str> {
    path.strip_prefix("/faults/")
}

impl Pages {
    /// The answer to a request for faults; `None`: the path names none.
    pub(super) fn inject(&self, question: &Question) -> Option<Answer> {
        if !is_for_faults(&question.path) {
            return None;
        }
        if !self.faults {
            let text = "Faults are not allowed here; start with `--allow-faults`.\n";
            return Some(Answer::text(404, text));
        }
        // A page in a browser may send requests to loopback without being asked.
        if question.from_browser {
            return Some(Answer::text(403, "Faults are not for browsers.\n"));
        }
        Some(match (question.method.as_str(), name(&question.path)) {
            ("GET" | "HEAD", None) => self.list_faults(),
            ("DELETE", None) => self.remove_faults(),
            (_, None) => Answer::not_allowed("GET, HEAD, DELETE"),
            ("GET" | "HEAD", Some(id)) => match self.plane.fault(id) {
                Some(report) => report_of(200, &report),
                None => Answer::json(404, &json!({ "id": id, "reason": "there is no such fault" })),
            },
            ("PUT", Some(id)) => self.put_fault(id, &question.body),
            ("POST", Some(CHECK)) => self.check_fault(&question.body),
            ("DELETE", Some(id)) => self.remove_fault(id),
            (_, Some(_)) => Answer::not_allowed("GET, HEAD, PUT, DELETE"),
        })
    }

    fn list_faults(&self) -> Answer {
        let reports = self.plane.faults();
        let reports: Vec<Value> = reports.iter().map(to_json).collect();
        Answer::json(200, &json!({ "faults": reports }))
    }

    fn remove_faults(&self) -> Answer {
        let removed = self.plane.remove_faults();
        (self.events)(Event::FaultsRemoved { count: removed });
        Answer::json(200, &json!({ "removed": removed }))
    }

    fn put_fault(&self, id: &str, body: &[u8]) -> Answer {
        let rule: FaultRule = match serde_json::from_slice(body) {
            Ok(rule) => rule,
            Err(error) => return refused(id, 400, &error.to_string()),
        };
        let (kind, ttl) = (rule.fault.kind(), rule.ttl());
        match self.plane.put_fault(id, rule) {
            Ok(Placed::Created(report)) => {
                (self.events)(Event::FaultPut { id: id.to_owned(), kind, ttl });
                report_of(201, &report)
            }
            Ok(Placed::Unchanged(report)) => report_of(200, &report),
            Err(error) => refused(id, status_of(&error), &error.to_string()),
        }
    }

    fn check_fault(&self, body: &[u8]) -> Answer {
        let checked = match serde_json::from_slice::<FaultRule>(body) {
            Ok(rule) => self.plane.check_fault(&rule),
            Err(error) => Err(FaultRefusal::Invalid(error.to_string())),
        };
        match checked {
            Ok(()) => Answer::json(200, &json!({ "possible": true })),
            Err(error) => {
                let reason = error.to_string();
                Answer::json(status_of(&error), &json!({ "possible": false, "reason": reason }))
            }
        }
    }

    fn remove_fault(&self, id: &str) -> Answer {
        match self.plane.remove_fault(id) {
            Ok(report) => {
                (self.events)(Event::FaultRemoved { id: id.to_owned(), hits: report.hits });
                report_of(200, &report)
            }
            Err(error) => refused(id, status_of(&error), &error.to_string()),
        }
    }
}

const fn status_of(refusal: &FaultRefusal) -> u16 {
    match refusal {
        FaultRefusal::Invalid(_) => 400,
        FaultRefusal::Full(_) => 429,
        _ => 409,
    }
}

fn refused(id: &str, status: u16, reason: &str) -> Answer {
    Answer::json(status, &json!({ "id": id, "reason": reason }))
}

fn report_of(status: u16, report: &FaultReport) -> Answer {
    Answer::json(status, &to_json(report))
}

/// A report is plain data: nothing of it cannot be written.
fn to_json(report: &FaultReport) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}

#[cfg(test)]
mod tests;
