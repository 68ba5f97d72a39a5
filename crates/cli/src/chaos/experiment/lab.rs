//! Faults that an experiment asks of the lab, over its HTTP API.

use std::time::Duration;

use bulkhead_experiment::{HttpCall, HttpReply, LabCall, Outcome, Wanted};
use serde_json::{Value, json};

use super::drive::Cancelled;
use super::http;

/// Until the lab is reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a lab can be told to take for an injection with all its attempts.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);

/// The lab, by its address.
#[derive(Clone, Debug)]
pub(super) struct Lab {
    url: Option<String>,
    /// What it knows us by, if it asks for that.
    token: Option<String>,
}

impl Lab {
    pub(super) fn new(url: Option<String>, token: Option<String>) -> Self {
        Self { url: url.map(|url| url.trim_end_matches('/').to_owned()), token }
    }

    /// Whether there is a lab, and we may speak to it. Whatever else it answers is an answer.
    pub(super) fn reach(&self) -> Result<(), String> {
        let reply = self.send("GET", "/v1/status", &Value::Null, &Cancelled::default())?;
        if matches!(reply.status, 401 | 403) { read(&reply).map(drop) } else { Ok(()) }
    }

    pub(super) fn call(&self, call: &LabCall, cancelled: &Cancelled) -> Result<Outcome, String> {
        let answer = match call {
            LabCall::Inject(injection) => {
                let reply = self.send("POST", "/v1/inject", &injection.order(), cancelled)?;
                let turned_away = (400..500).contains(&reply.status);
                match read(&reply) {
                    // The lab remembers nothing of it: there is nothing to take back.
                    Err(reason) if turned_away => {
                        json!({ "id": injection.id, "state": "refused", "reason": reason })
                    }
                    answer => answer?,
                }
            }
            LabCall::Revert(wanted) => self.each("DELETE", wanted, cancelled)?,
            LabCall::State(id) => self.one("GET", id, cancelled)?,
            LabCall::InForce(wanted) => {
                let states = self.each("GET", wanted, cancelled)?;
                let active = states.as_array().into_iter().flatten();
                json!(active.filter(|state| state["state"] == "active").count())
            }
        };
        Ok(Outcome::Lab(answer))
    }

    fn one(&self, method: &str, id: &str, cancelled: &Cancelled) -> Result<Value, String> {
        self.ask(method, &format!("/v1/injections/{id}"), &Value::Null, cancelled)
    }

    /// The same of several. One that the lab does not know or cannot say anything of does not keep the
    /// others from being asked for: what is to be taken back is taken back.
    fn each(&self, method: &str, wanted: &Wanted, cancelled: &Cancelled) -> Result<Value, String> {
        let Wanted::These(ids) = wanted else { return Ok(json!([])) };
        let state = |id: &String| match self.one(method, id, cancelled) {
            Ok(answer) => answer,
            Err(reason) => json!({ "id": id, "state": "unknown", "reason": reason }),
        };
        Ok(ids.iter().map(state).collect())
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        cancelled: &Cancelled,
    ) -> Result<Value, String> {
        read(&self.send(method, path, body, cancelled)?)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        cancelled: &Cancelled,
    ) -> Result<HttpReply, String> {
        let Some(url) = &self.url else {
            return Err(
                "no lab was named: start one with `bulkhead chaos serve` and give its address with \
                 `--lab`"
                    .to_owned(),
            );
        };
        let socket = url.strip_prefix("unix:");
        let base = if socket.is_some() { "http://lab" } else { url };
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(
            self.token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))),
        );
        let call = HttpCall {
            method: method.to_owned(),
            url: format!("{base}{path}"),
            headers,
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: ANSWER_TIMEOUT,
            verify_tls: true,
            max_retries: 0,
        };
        match socket {
            Some(socket) => http::call_socket(&call, socket, cancelled),
            None => http::call_network(&call, cancelled),
        }
    }
}

/// The lab's answer. One with a state is an answer, whatever the status says.
fn read(reply: &HttpReply) -> Result<Value, String> {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    if answer.get("state").is_some() {
        return Ok(answer);
    }
    let reason = ["error", "reason", "message"].iter().find_map(|key| answer.get(*key)?.as_str());
    let text = String::from_utf8_lossy(&reply.body);
    let reason = reason.unwrap_or_else(|| text.trim());
    Err(format!("the lab answered {}: {reason}", reply.status))
}
