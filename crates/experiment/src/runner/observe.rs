//! What a gateway tells while faults are in force: how many requests ended and failed, and what became of
//! those of the two groups. It is asked directly, as the lab does it, and never through what a fault strikes.

use std::time::Duration;

use bulkhead_chaos::{FaultReport, metric_series};
use serde_json::Value;

use super::{CallId, Context};
use crate::call::{Call, HttpCall, HttpReply, Outcome};
use crate::journal::LabRecord;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(500);
/// A gateway that does not answer in time is asked again.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Requests by status, of all routes.
const REQUESTS: &str = "http_server_requests_total";
const STATUS: &str = "http_response_status_code=\"";

#[derive(Debug, Default)]
pub(super) struct Observer {
    budget: Option<Source>,
    groups: Vec<(String, Source)>,
}

#[derive(Debug)]
struct Source {
    url: String,
    asked: Option<CallId>,
    next_at: Duration,
    /// It was asked once more at the end.
    last: bool,
}

impl Source {
    const fn new(url: String) -> Self {
        Self { url, asked: None, next_at: Duration::ZERO, last: false }
    }

    /// What it answered, once it has. Asks when it is time to.
    fn advance(
        &mut self,
        interval: Duration,
        closing: bool,
        context: &mut Context,
    ) -> Option<HttpReply> {
        let mut heard = None;
        if let Some(asked) = self.asked {
            heard = Some(context.returned.remove(&asked)?);
            self.asked = None;
            self.next_at = context.now.saturating_add(interval);
        }
        if !self.last && (closing || !context.wait_until(self.next_at)) {
            self.last = closing;
            self.ask(context);
        }
        match heard? {
            Outcome::Http(reply) if reply.status == 200 => Some(reply),
            _ => None,
        }
    }

    fn ask(&mut self, context: &mut Context) {
        let call = Call::Http(HttpCall {
            method: "GET".to_owned(),
            url: self.url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            connect_timeout: TIMEOUT,
            read_timeout: TIMEOUT,
            verify_tls: true,
            max_retries: 0,
        });
        self.asked = Some(context.call(call, "observe"));
    }

    fn is_done(&self) -> bool {
        self.last && self.asked.is_none()
    }
}

impl Observer {
    /// Goes on; with `closing`, each source is asked once more and then no longer.
    pub(super) fn advance(&mut self, context: &mut Context, closing: bool) {
        if context.options.dry.is_some() {
            return;
        }
        self.find(context);
        let interval = INTERVAL.max(context.journal.samples.interval());
        if let Some(source) = &mut self.budget
            && let Some(reply) = source.advance(interval, closing, context)
        {
            let (requests, failures) = count(&reply);
            context.journal.samples.add(context.now, requests, failures);
        }
        for (id, source) in &mut self.groups {
            let reply = source.advance(INTERVAL, closing, context);
            let report =
                reply.and_then(|reply| serde_json::from_slice::<FaultReport>(&reply.body).ok());
            if let Some(groups) = report.and_then(|report| report.groups) {
                context.journal.groups.insert(id.clone(), groups);
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        let groups = self.groups.iter().map(|(_, source)| source);
        self.budget.iter().chain(groups).all(Source::is_done)
    }

    /// Sources that there are by now: a fault has its groups when it was asked for.
    fn find(&mut self, context: &Context) {
        let extension = &context.experiment.extension;
        if let (None, Some(budget)) = (&self.budget, &extension.error_budget) {
            self.budget = Some(Source::new(url(&budget.gateway, "/metrics", context)));
        }
        for compare in &extension.compare {
            let records = context.journal.lab.iter().filter(|one| one.activity == compare.fault);
            for record in records {
                if self.groups.iter().any(|(id, _)| *id == record.id) {
                    continue;
                }
                let gateway = compare.gateway.as_deref().or_else(|| admin(record));
                let Some(gateway) = gateway else { continue };
                let url = url(gateway, &format!("/faults/{}", record.id), context);
                self.groups.push((record.id.clone(), Source::new(url)));
            }
        }
    }
}

/// Where the gateway of a fault is asked, as the lab says.
fn admin(record: &LabRecord) -> Option<&str> {
    record.target.as_ref()?.get("gateway")?.get("admin")?.as_str()
}

fn url(gateway: &str, path: &str, context: &Context) -> String {
    let gateway = context.variables.substitute(&Value::from(gateway));
    let gateway = crate::python::text(&gateway);
    let address = gateway.strip_prefix("http://").unwrap_or(&gateway).trim_end_matches('/');
    format!("http://{address}{path}")
}

/// Requests that ended, and those that failed: without an answer, or with one of 5xx.
fn count(reply: &HttpReply) -> (u64, u64) {
    let page = String::from_utf8_lossy(&reply.body);
    let (mut requests, mut failures) = (0, 0);
    for (labels, value) in metric_series(&page, REQUESTS) {
        let status = labels.iter().find_map(|label| label.strip_prefix(STATUS));
        let failed = status.is_some_and(|code| code.starts_with('5') || code == "none\"");
        requests += value as u64;
        failures += if failed { value as u64 } else { 0 };
    }
    (requests, failures)
}
