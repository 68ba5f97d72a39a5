//! What the admin server answers, without the server: a question in, an answer out.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::event::{Event, Listen};
use crate::plane::{ClusterStatus, Plane};
use crate::status::Status;

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// What Prometheus asks for by this name.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A request, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What follows the question mark, as it came.
    pub(crate) query: String,
    /// It carries a field that only browsers send.
    pub(crate) from_browser: bool,
    /// Its body, where it may have one.
    pub(crate) body: Vec<u8>,
}

impl Question {
    /// `target`: path and query.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Self { method, path, query, from_browser: false, body: Vec::new() }
    }

    /// Whether answering may take longer than a moment.
    pub(crate) fn may_block(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD") || self.path == "/endpoints"
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// Methods that are allowed, with 405.
    pub(crate) allow: Option<&'static str>,
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, allow: None }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, PLAIN, body.to_owned())
    }

    pub(super) fn json(status: u16, document: &Value) -> Self {
        Self::new(status, JSON, format!("{document:#}\n"))
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let allowed = Self::text(405, &format!("This path takes {allow}.\n"));
        Self { allow: Some(allow), ..allowed }
    }
}

/// Everything that answers are made of.
pub(crate) struct Pages {
    pub(crate) plane: Arc<dyn Plane>,
    pub(crate) status: Arc<Status>,
    pub(crate) events: Arc<Listen>,
    pub(crate) faults: bool,
    pub(crate) readiness_clusters: Vec<String>,
}

impl Pages {
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        if let Some(worker) = kill_target(&question.path) {
            return self.kill(question, worker);
        }
        if let Some(answer) = self.operate(question).or_else(|| self.inject(question)) {
            return answer;
        }
        let page: fn(&Self) -> Answer = match question.path.as_str() {
            "/" => Self::index,
            "/metrics" => Self::metrics,
            "/livez" => Self::live,
            "/readyz" => Self::ready,
            "/config" => Self::config,
            "/workers" => Self::workers,
            "/listeners" => Self::listeners,
            "/endpoints" => Self::endpoints,
            _ => return Answer::text(404, "There is nothing here; `/` lists what there is.\n"),
        };
        match question.method.as_str() {
            "GET" | "HEAD" => page(self),
            _ => Answer::not_allowed("GET, HEAD"),
        }
    }

    fn index(&self) -> Answer {
        let mut text = "Bulkhead\n\n\
            /metrics   all metrics, for Prometheus\n\
            /livez     200 while the process answers\n\
            /readyz    200 while requests can be served, else 503 with the reasons\n\
            /config    which configuration is in force, and what was wrong with the last one\n\
            /workers   the workers and what they carry\n\
            /listeners where it listens\n\
            /endpoints the clusters' endpoints: healthy, ejected, in flight\n\
            /workers/resize?count=N   POST makes it N workers; nothing is lost\n\
            /upgrade   POST starts the executable anew in place of this process; nothing is lost\n"
            .to_owned();
        if self.faults {
            text.push_str(
                "/workers/{index}/kill   POST kills a worker; its connections move\n\
                 /faults    faults in force, and those that have ended; DELETE takes all back\n\
                 /faults/{id}   PUT puts a fault in force for a time, DELETE takes it back\n",
            );
        }
        Answer::new(200, PLAIN, text)
    }

    fn metrics(&self) -> Answer {
        Answer::new(200, EXPOSITION, self.plane.metrics())
    }

    fn live(&self) -> Answer {
        Answer::text(200, "ok\n")
    }

    /// A cluster without a healthy endpoint is a reason only if it was named as one: otherwise an
    /// upstream that is down would take all gateways with it, and with them all other upstreams.
    fn ready(&self) -> Answer {
        let mut reasons = self.plane.unready();
        if self.status.draining() {
            reasons.push("the gateway is draining".to_owned());
        }
        let down: Vec<String> = self
            .plane
            .availability()
            .into_iter()
            .filter(|cluster| cluster.healthy == 0)
            .map(|cluster| cluster.cluster)
            .collect();
        for cluster in self.readiness_clusters.iter().filter(|name| down.contains(name)) {
            reasons.push(format!("cluster `{cluster}` has no healthy endpoint"));
        }
        let status = if reasons.is_empty() { 200 } else { 503 };
        Answer::json(
            status,
            &json!({ "ready": reasons.is_empty(), "reasons": reasons, "degraded": down }),
        )
    }

    fn config(&self) -> Answer {
        Answer::json(200, &self.status.to_json())
    }

    fn workers(&self) -> Answer {
        let workers: Vec<_> = self
            .plane
            .workers()
            .into_iter()
            .map(|worker| {
                json!({
                    "index": worker.index,
                    "generation": worker.generation,
                    "alive": worker.alive,
                    "connections": worker.connections,
                    "exchanges": worker.exchanges,
                    "cpu_seconds": worker.cpu_time.as_secs_f64(),
                })
            })
            .collect();
        Answer::json(200, &json!({ "workers": workers }))
    }

    fn listeners(&self) -> Answer {
        let listeners = self.plane.listeners().into_iter().map(|listener| {
            let address = listener.address.to_string();
            json!({ "name": listener.name, "address": address, "tls": listener.tls })
        });
        Answer::json(200, &json!({ "listeners": listeners.collect::<Vec<_>>() }))
    }

    fn endpoints(&self) -> Answer {
        let clusters: Vec<_> = self.plane.endpoints().iter().map(cluster).collect();
        Answer::json(200, &json!({ "clusters": clusters }))
    }

    fn kill(&self, question: &Question, worker: &str) -> Answer {
        if !self.faults {
            return Answer::text(
                404,
                "Faults are not allowed here; start with `--allow-faults`.\n",
            );
        }
        if question.method != "POST" {
            return Answer::not_allowed("POST");
        }
        // A page in a browser may send a POST to loopback without being asked.
        if question.from_browser {
            return Answer::text(403, "Faults are not for browsers.\n");
        }
        let Ok(worker) = worker.parse::<usize>() else {
            return Answer::text(404, "A worker's index is a number.\n");
        };
        match self.plane.kill_worker(worker) {
            Ok(killed) => {
                (self.events)(Event::WorkerKilled {
                    worker,
                    connections_moved: killed.connections_moved,
                    connections_lost: killed.connections_lost,
                });
                Answer::json(
                    200,
                    &json!({
                        "worker": worker,
                        "connections_moved": killed.connections_moved,
                        "exchanges_moved": killed.exchanges_moved,
                        "connections_lost": killed.connections_lost,
                        "duration_ms": killed.duration.as_secs_f64() * 1e3,
                    }),
                )
            }
            Err(reason) => Answer::json(409, &json!({ "worker": worker, "reason": reason })),
        }
    }
}

fn cluster(cluster: &ClusterStatus) -> Value {
    let endpoints = cluster.endpoints.iter().map(|endpoint| {
        json!({
            "address": endpoint.address.to_string(),
            "healthy": endpoint.healthy,
            "ejected_by_workers": endpoint.ejected_by,
            "in_flight": endpoint.in_flight,
            "connections": endpoint.connections,
        })
    });
    json!({ "name": cluster.cluster, "endpoints": endpoints.collect::<Vec<_>>() })
}

/// `x` of `/workers/x/kill`.
fn kill_target(path: &str) -> Option<&str> {
    path.strip_prefix("/workers/")?.strip_suffix("/kill").filter(|index| !index.contains('/'))
}

#[cfg(test)]
pub(super) mod tests;
