//! Faults of the lab as activities: the Python functions of the package `chaostoolkit-bulkhead`, which
//! Bulkhead carries out itself. So the same file runs here and under `chaos run` with that package.

use std::time::Duration;

use bulkhead_chaos::{Fault, NamedTarget, TIME_TO_LIVE_MAX};
use bulkhead_config::document::{Report, nearest, words};
use serde_json::{Map, Value, json};

use crate::document::{Data, Located};
use crate::duration;
use crate::extension::{self, Extension};

const ACTIONS: &str = "chaosbulkhead.actions";
const PROBES: &str = "chaosbulkhead.probes";

/// What the lab is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum LabCall {
    /// To inject a fault and to wait until it has been seen in force.
    Inject(Injection),
    /// To take these back, and to wait until they have been seen gone.
    Revert(Wanted),
    /// What has become of one.
    State(String),
    /// How many of these are in force.
    InForce(Wanted),
}

/// Which injections are meant, by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All that this run injected. Whoever runs the experiment fills them in.
    OfThisRun,
    /// These.
    These(Vec<String>),
}

/// A fault that is to be injected.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// Its id, given by the experiment or by whoever runs it, so that it is known before the fault is.
    pub id: Option<String>,
    /// How many of the targets it may strike, as the lab reads it.
    pub blast_radius: Option<Value>,
    /// What is to be broken.
    pub fault: Value,
    /// Where: one target, or several to choose from, as the lab reads it.
    pub target: Target,
    /// When it ends by itself.
    pub time_to_live: Duration,
}

impl Injection {
    /// What the lab is sent for it: the body of `POST /v1/inject`.
    pub fn order(&self) -> Value {
        let mut order = json!({
            "id": self.id,
            "fault": self.fault,
            "ttl_ms": u64::try_from(self.time_to_live.as_millis()).unwrap_or(u64::MAX),
        });
        match &self.target {
            Target::One(target) => order["target"] = target.clone(),
            Target::Some(targets) => {
                order["targets"] = json!(targets);
                order["blast_radius"] = json!(self.blast_radius);
            }
        }
        order
    }
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// There.
    One(Value),
    /// At some of these, as many as the blast radius says.
    Some(Vec<Value>),
}

struct Function {
    module: &'static str,
    name: &'static str,
    needed: &'static [&'static str],
    optional: &'static [&'static str],
}

const FUNCTIONS: [Function; 5] = [
    Function {
        module: ACTIONS,
        name: "inject",
        needed: &["fault"],
        optional: &["target", "targets", "blast_radius", "ttl", "id"],
    },
    Function { module: ACTIONS, name: "revert", needed: &["id"], optional: &[] },
    Function { module: ACTIONS, name: "revert_all", needed: &[], optional: &[] },
    Function { module: PROBES, name: "state", needed: &["id"], optional: &[] },
    Function { module: PROBES, name: "in_force", needed: &[], optional: &[] },
];

/// Checks a provider of the type `python`.
pub(crate) fn check(provider: &Located, module: &str, function: &str, report: &mut Report<'_>) {
    if module != ACTIONS && module != PROBES {
        report
            .error(
                provider.span,
                format!("the Python function `{module}.{function}` is not run here"),
            )
            .remedy(
                "use a provider of the type `http` or `process`, a fault of the lab \
                 (`chaosbulkhead.actions.inject`), or run the experiment with `chaos run`",
            );
        return;
    }
    let known = || FUNCTIONS.iter().filter(|known| known.module == module);
    let Some(called) = known().find(|known| known.name == function) else {
        let span = provider.get("func").map_or(provider.span, |item| item.span);
        let error = report.error(span, format!("`{module}` has no function `{function}`"));
        error.suggestion = nearest(function, known().map(|known| known.name)).map(str::to_owned);
        error.expected = Some(words(known().map(|known| known.name.to_owned())));
        return;
    };
    arguments(provider, called, report);
}

fn arguments(provider: &Located, called: &Function, report: &mut Report<'_>) {
    let given = provider.get("arguments");
    for needed in called.needed {
        if given.and_then(|given| given.get(needed)).is_none() {
            let span = given.map_or(provider.span, |given| given.span);
            report.error(span, format!("`{}` needs the argument `{needed}`", called.name));
        }
    }
    let place = |key: &str| given.and_then(|given| given.get(key));
    if called.name == "inject" && place("target").is_some() == place("targets").is_some() {
        let span = given.map_or(provider.span, |given| given.span);
        report
            .error(span, "a fault has either `target` or `targets`")
            .remedy("with `targets`, `blast_radius` says how many of them it strikes");
    }
    for member in given.into_iter().flat_map(Located::members) {
        let name = member.name.as_str();
        if !called.needed.contains(&name) && !called.optional.contains(&name) {
            report.error(member.span, format!("`{}` has no argument `{name}`", called.name));
        }
        let open = has_placeholder(&member.value);
        match name {
            "fault" if !open => fault(&member.value, report),
            "target" if !open => target(&member.value, report),
            "ttl" if !open => {
                extension::time_to_live(&member.value, report);
            }
            "blast_radius" if !open => {
                extension::blast_radius(&member.value, report);
            }
            _ => {}
        }
    }
}

/// Whether a fault is one that the lab knows, as far as it can be told before substitution.
fn fault(item: &Located, report: &mut Report<'_>) {
    if let Err(error) = read_fault(item.to_value()) {
        // What is unclear says itself what is missing.
        let is_unknown = matches!(error, FaultError::Unknown(_));
        let error = report.error(item.span, error.to_string());
        if is_unknown {
            error.remedy(
                "for instance `fault: {gateway: {kill_worker: {worker: 0}}}`; \
                 `bulkhead chaos kinds` lists all of them",
            );
        }
    }
}

/// Whether there may be such a target.
fn target(item: &Located, report: &mut Report<'_>) {
    let named = serde_json::from_value::<NamedTarget>(item.to_value());
    let wrong = match &named {
        Ok(NamedTarget::Process(name)) => name.check().err().map(str::to_owned),
        Ok(_) => None,
        Err(error) => Some(format!("there is no such target: {error}")),
    };
    if let Some(wrong) = wrong {
        report
            .error(item.span, wrong)
            .remedy("for instance `target: {gateway: {admin: \"127.0.0.1:9901\"}}`, `target: {process: {port: 80}}` or `target: host`");
    }
}

/// What is wrong with a fault.
#[derive(Debug, thiserror::Error)]
enum FaultError {
    #[error("there is no such fault: {0}")]
    Unknown(serde_json::Error),
    #[error("the fault is not clear: {0}")]
    Unclear(String),
}

/// A fault that is declared without ambiguity.
fn read_fault(fault: Value) -> Result<Fault, FaultError> {
    let fault: Fault = serde_json::from_value(fault).map_err(FaultError::Unknown)?;
    let checked = match &fault {
        Fault::Network(network) => network.check().map(drop).map_err(|error| error.to_string()),
        Fault::Gateway(gateway) => gateway.check().map_err(str::to_owned),
        Fault::Host(host) => host.check().map_err(|error| error.to_string()),
        // Those of exchanges have been checked while they were read; the others cannot be unclear.
        _ => Ok(()),
    };
    checked.map_err(FaultError::Unclear)?;
    Ok(fault)
}

fn has_placeholder(item: &Located) -> bool {
    match &item.data {
        Data::Scalar(Value::String(text)) => text.contains('$'),
        Data::Scalar(_) => false,
        Data::List(items) => items.iter().any(has_placeholder),
        Data::Map(members) => members.iter().any(|member| has_placeholder(&member.value)),
    }
}

/// The call that a substituted provider stands for; `None` if it is another's function.
pub(crate) fn call(provider: &Value, extension: &Extension) -> Option<Result<LabCall, String>> {
    let text = |key: &str| provider.get(key).and_then(Value::as_str).unwrap_or_default();
    let empty = Map::new();
    let arguments = provider.get("arguments").and_then(Value::as_object).unwrap_or(&empty);
    let id = || match arguments.get("id").and_then(Value::as_str) {
        Some(id) => Ok(id.to_owned()),
        None => Err("the argument `id` is no text".to_owned()),
    };
    Some(match (text("module"), text("func")) {
        (ACTIONS, "inject") => injection(arguments, extension).map(LabCall::Inject),
        (ACTIONS, "revert") => id().map(|id| LabCall::Revert(Wanted::These(vec![id]))),
        (ACTIONS, "revert_all") => Ok(LabCall::Revert(Wanted::OfThisRun)),
        (PROBES, "state") => id().map(LabCall::State),
        (PROBES, "in_force") => Ok(LabCall::InForce(Wanted::OfThisRun)),
        _ => return None,
    })
}

fn injection(arguments: &Map<String, Value>, extension: &Extension) -> Result<Injection, String> {
    let get = |key: &str| arguments.get(key).cloned().unwrap_or(Value::Null);
    let fault = get("fault");
    read_fault(fault.clone()).map_err(|error| error.to_string())?;
    let time_to_live = match get("ttl") {
        Value::Null => Some(extension.time_to_live),
        Value::String(text) => duration::parse(&text),
        other => other.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let fits = |life: &Duration| !life.is_zero() && *life <= TIME_TO_LIVE_MAX;
    let time_to_live =
        time_to_live.filter(fits).ok_or("the time to live is over 0 and at most 15 minutes")?;
    let id = get("id").as_str().map(str::to_owned);
    let target = match arguments.get("targets") {
        Some(Value::Array(targets)) => Target::Some(targets.clone()),
        Some(_) => return Err("`targets` are a list".to_owned()),
        None => Target::One(get("target")),
    };
    let given = arguments.get("blast_radius").filter(|radius| !radius.is_null());
    let blast_radius = given.or(extension.blast_radius.as_ref()).cloned();
    if matches!(target, Target::Some(_)) && blast_radius.is_none() {
        return Err("`targets` need a `blast_radius`".to_owned());
    }
    Ok(Injection { id, blast_radius, fault, target, time_to_live })
}
