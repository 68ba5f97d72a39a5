//! What the API answers, without the server. These calls may block until an injection has settled.

mod links;

use std::time::Duration;

use bulkhead_chaos::{Caller, ChaosId, InjectRequest, InjectionReport, NamedTarget, Role, State};
use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::answer::Answer;
use crate::{Denied, Lab, Until};

/// How long a client waits for an injection to settle, beyond the overall time; and for an end.
const SETTLE_SLACK: Duration = Duration::from_secs(1);
const END_PATIENCE: Duration = Duration::from_secs(5);
/// Injections in one list.
const LIST_MAX: usize = 1_000;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Bytes,
    pub(super) caller: Caller,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lever {
    engaged: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    order: InjectRequest<NamedTarget>,
    #[serde(default = "half_an_hour")]
    for_s: u64,
}

const fn half_an_hour() -> u64 {
    1_800
}

/// Answers everything but the stream of events.
pub(super) fn answer(lab: &Lab, asked: &Asked) -> Answer {
    let result = match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/v1/status") => Ok(Answer::new(200, &lab.status())),
        ("POST", "/v1/inject") => inject(lab, asked),
        ("POST", "/v1/dry-run") => dry_run(lab, asked),
        ("GET", "/v1/injections") => {
            let live_only = asked.query.split('&').any(|pair| pair == "state=live");
            Ok(Answer::new(200, &lab.injections(live_only, LIST_MAX)))
        }
        ("POST", "/v1/revert") => revert_all(lab, asked),
        ("GET", "/v1/lever") => {
            Ok(Answer::new(200, &json!({"engaged": lab.status().lever_engaged})))
        }
        ("PUT", "/v1/lever") => set_lever(lab, asked),
        ("POST", "/v1/approvals") => approve(lab, asked),
        ("GET", "/v1/links") => Ok(links::all(lab)),
        (method, path) => {
            if let Some(id) = path.strip_prefix("/v1/injections/") {
                one(lab, asked, method, id)
            } else if let Some(name) = path.strip_prefix("/v1/links/") {
                links::one(lab, asked, method, name)
            } else {
                Ok(no_such_path(path))
            }
        }
    };
    result.unwrap_or_else(Answer::from)
}

fn no_such_path(path: &str) -> Answer {
    match path {
        "/v1/inject" | "/v1/dry-run" | "/v1/revert" | "/v1/approvals" => {
            Answer::not_allowed("POST")
        }
        "/v1/status" | "/v1/injections" | "/v1/events" | "/v1/links" => Answer::not_allowed("GET"),
        "/v1/lever" => Answer::not_allowed("GET, PUT"),
        _ => Answer::error(404, "no such path; see docs/chaos.md"),
    }
}

/// The body as this document, or what is wrong with it and where.
fn document<T: DeserializeOwned>(asked: &Asked) -> Result<T, Answer> {
    let mut json = serde_json::Deserializer::from_slice(&asked.body);
    let document = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Answer::error(400, &error.to_string()))?;
    json.end().map_err(|error| Answer::error(400, &error.to_string()))?;
    Ok(document)
}

fn inject(lab: &Lab, asked: &Asked) -> Result<Answer, Denied> {
    let request = match document(asked) {
        Ok(request) => lab.resolve(&asked.caller, &request)?,
        Err(answer) => return Ok(answer),
    };
    let ordered = lab.order(&asked.caller, &request)?;
    let waits = !asked.query.split('&').any(|pair| pair == "wait=no");
    let patience = if waits { lab.overall() + SETTLE_SLACK } else { Duration::ZERO };
    let injections = lab.wait(&ordered.ids, Until::Settled, patience);
    let status = status_of(&injections);
    // The first that is not in force speaks for all of them.
    let telling =
        injections.iter().find(|it| it.state != State::Active).or_else(|| injections.first());
    let mut document = json!({
        "id": ordered.ids.first(), "state": telling.map(|it| it.state), "ids": ordered.ids, "seed": ordered.seed, "victims": ordered.victims,
        "injections": injections,
    });
    if status == 422 {
        let why =
            injections.iter().find(|it| it.state.is_terminal()).and_then(|it| it.detail.clone());
        document["error"] = json!(why);
    }
    Ok(Answer::new(status, &document))
}

/// 200 if all are in force (or were, and are over), 422 if one came to nothing, 202 while it is open.
fn status_of(injections: &[InjectionReport]) -> u16 {
    let came_to_nothing =
        |state: State| matches!(state, State::Refused | State::Failed | State::NotEffective);
    if injections.iter().any(|it| came_to_nothing(it.state)) {
        422
    } else if injections.iter().all(|it| it.state == State::Active || it.state.is_terminal()) {
        200
    } else {
        202
    }
}

fn dry_run(lab: &Lab, asked: &Asked) -> Result<Answer, Denied> {
    match document(asked) {
        Ok(request) => {
            let request = lab.resolve(&asked.caller, &request)?;
            Ok(Answer::new(200, &lab.dry_run(&asked.caller, &request)?))
        }
        Err(answer) => Ok(answer),
    }
}

fn one(lab: &Lab, asked: &Asked, method: &str, id: &str) -> Result<Answer, Denied> {
    let Ok(id) = id.parse::<ChaosId>() else { return Err(Denied::Unknown) };
    match method {
        "GET" => Ok(Answer::new(200, &lab.injection(id).ok_or(Denied::Unknown)?)),
        "DELETE" => {
            lab.stop(&asked.caller, id, &format!("{} wanted so", asked.caller.name))?;
            let ended = lab.wait(&[id], Until::Ended, END_PATIENCE).pop().ok_or(Denied::Unknown)?;
            let status = if ended.state.is_terminal() { 200 } else { 202 };
            Ok(Answer::new(status, &ended))
        }
        _ => Ok(Answer::not_allowed("GET, DELETE")),
    }
}

fn revert_all(lab: &Lab, asked: &Asked) -> Result<Answer, Denied> {
    let why = format!("{} reverted everything", asked.caller.name);
    let ids = lab.stop_all(&asked.caller, &why)?;
    let ended = lab.wait(&ids, Until::Ended, END_PATIENCE);
    let left: Vec<_> = ended.iter().filter(|it| !it.state.is_terminal()).collect();
    let status = if left.is_empty() { 200 } else { 500 };
    let reverted = ended.len() - left.len();
    Ok(Answer::new(status, &json!({"reverted": reverted, "left": left})))
}

fn set_lever(lab: &Lab, asked: &Asked) -> Result<Answer, Denied> {
    let lever: Lever = match document(asked) {
        Ok(lever) => lever,
        Err(answer) => return Ok(answer),
    };
    let file = lab.set_lever(&asked.caller, lever.engaged)?;
    Ok(match file {
        Ok(()) => Answer::new(200, &json!({"engaged": lever.engaged})),
        Err(error) => Answer::error(500, &error.to_string()),
    })
}

fn approve(lab: &Lab, asked: &Asked) -> Result<Answer, Denied> {
    asked.caller.require(Role::Approver)?;
    match document::<Approve>(asked) {
        Ok(approve) => {
            let time = Duration::from_secs(approve.for_s);
            let order = lab.resolve(&asked.caller, &approve.order)?;
            Ok(Answer::new(200, &lab.approve(&asked.caller, &order, time)?))
        }
        Err(answer) => Ok(answer),
    }
}
