//! Faults that a gateway carries out itself, in the exchanges that it passes on and in its own process.
//!
//! The gateway holds the time after which a fault ends, so it ends although nobody comes back. It is asked by
//! its admin server, over a connection of its own for each question: no path that a fault may strike.

mod certificates;

use std::net::SocketAddr;

use bulkhead_chaos::{
    Effect, Fault, FaultReport, FaultRule, FaultState, GatewayFault, Order, Target,
};
use serde_json::{Value, json};

use crate::admin::{Admin, AdminError, Reply};
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Carries out faults of the families `http` and `gateway`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatewayInjector;

impl Injector for GatewayInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Http(_) | Fault::Gateway(_))
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let address = address(order).map_err(|reason| {
            Refusal::new(reason, "name a gateway by the address of its admin server")
        })?;
        let admin = Admin::new(address, around.deadline);
        let unreachable = |error: AdminError| {
            Refusal::new(
                format!("the gateway's admin server at {address} does not answer: {error}"),
                "start it with `admin` in its configuration, or with `--admin`",
            )
        };
        // Not the list of all: it may hold a thousand that have ended.
        let asked = admin.ask("GET", &path(order), None).map_err(unreachable)?;
        if !allows_faults(&asked) {
            return Err(Refusal::new(
                format!("the gateway at {address} allows no faults"),
                "start it with `--allow-faults`",
            ));
        }
        let impossible = |reason: String| {
            Refusal::new(
                format!("the gateway at {address} cannot do that: {reason}"),
                "name what is in the configuration in force",
            )
        };
        let rule = rule(order, around).map_err(impossible)?;
        let checked = admin.ask("POST", "/faults/check", Some(&rule)).map_err(unreachable)?;
        // One that knows no such question says so when it is asked to inject.
        if matches!(checked.status, 400 | 409) {
            return Err(impossible(checked.reason()));
        }
        if let Some(host) = certificates::asked_for(&order.fault) {
            let certificates = certificates::before(order, host, around)?;
            return Ok(json!({ "admin": address, "certificates": certificates }));
        }
        let Some(index) = worker_of(&order.fault) else { return Ok(json!({ "admin": address })) };
        let workers = admin.ask("GET", "/workers", None).map_err(unreachable)?;
        let Some(worker) = worker(&workers, index) else {
            return Err(Refusal::new(
                format!("the gateway at {address} has no worker {index}"),
                "its workers are numbered from 0",
            ));
        };
        Ok(json!({ "admin": address, "generation": worker["generation"] }))
    }

    fn inject(&self, order: &Order, _: &Handle, around: Surroundings) -> Result<(), InjectError> {
        let body = rule(order, around).map_err(InjectError::Permanent)?;
        let reply = admin(order, around)?.ask("PUT", &path(order), Some(&body))?;
        match reply.status {
            200 | 201 => Ok(()),
            429 => Err(InjectError::Transient(reply.reason())),
            400..=499 => Err(InjectError::Permanent(reply.reason())),
            _ => Err(InjectError::Unknown(reply.reason())),
        }
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let admin = admin(order, around)?;
        if let Fault::Gateway(
            GatewayFault::KillWorker { worker: index }
            | GatewayFault::CrashWorker { worker: index },
        ) = order.fault
        {
            let workers = admin.ask("GET", "/workers", None)?;
            let now = worker(&workers, index).and_then(|worker| worker["generation"].as_u64());
            let before = handle["generation"].as_u64();
            let told =
                |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |it| it.to_string());
            let (is, was) = (told(now), told(before));
            let seen = format!("worker {index} is of generation {is}, and was of {was}");
            return Ok(Evidence { holds: now > before, seen });
        }
        let Some(report) = report(&admin, order)? else {
            return Ok(no("the gateway does not know the fault"));
        };
        let told = Evidence { holds: report.took_hold(), seen: tell(&report) };
        match certificates::asked_for(&order.fault) {
            Some(host) if told.holds => Ok(told.and(certificates::during(order, host, around)?)),
            _ => Ok(told),
        }
    }

    fn revert(&self, order: &Order, _: &Handle, around: Surroundings) -> Result<(), InjectError> {
        let admin = admin(order, around)?;
        if is_over(order, around) && admin.refuses() {
            return Ok(());
        }
        let reply = admin.ask("DELETE", &path(order), None)?;
        match reply.status {
            200 | 404 => Ok(()),
            _ => Err(InjectError::Unknown(reply.reason())),
        }
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let admin = admin(order, around)?;
        if is_over(order, around) && admin.refuses() {
            let seen = "nobody listens there any more, and its time to live is over".to_owned();
            return Ok(Evidence { holds: true, seen });
        }
        if let Some(report) = report(&admin, order)?
            && !report.is_over()
        {
            return Ok(no(&tell(&report)));
        }
        let not_in_force = Evidence { holds: true, seen: "the fault is not in force".to_owned() };
        if let Some(host) = certificates::asked_for(&order.fault) {
            return Ok(not_in_force.and(certificates::after(order, host, handle, around)?));
        }
        let Some(index) = worker_of(&order.fault) else { return Ok(not_in_force) };
        let workers = admin.ask("GET", "/workers", None)?;
        let alive = worker(&workers, index).is_some_and(|worker| worker["alive"] == json!(true));
        let seen = format!("worker {index} is {}alive", if alive { "" } else { "not " });
        Ok(Evidence { holds: alive, seen })
    }

    fn effect(&self, order: &Order, _: &Handle, around: Surroundings) -> Option<Effect> {
        if !counts(&order.fault) {
            return None;
        }
        let report = report(&admin(order, around).ok()?, order).ok()??;
        // Taken back before it came: it was never in force.
        report.rule.as_ref()?;
        // What befalls the gateway itself strikes all that it meets.
        Some(Effect { hits: report.hits, seen: report.seen.max(report.hits) })
    }
}

/// Whether it strikes something that can be counted: exchanges, handshakes, tokens, workers, descriptors.
const fn counts(fault: &Fault) -> bool {
    match fault {
        Fault::Http(_) => true,
        Fault::Gateway(fault) => {
            !matches!(fault, GatewayFault::ShrinkPools { .. } | GatewayFault::ClockOffset { .. })
        }
        _ => false,
    }
}

/// The gateway itself held that time: whatever has become of it, the fault is gone.
fn is_over(order: &Order, around: Surroundings) -> bool {
    around.left(order).is_zero()
}

fn no(seen: &str) -> Evidence {
    Evidence { holds: false, seen: seen.to_owned() }
}

/// `in force at all workers; struck 3 of 40 exchanges, 1 of them at present`.
fn tell(report: &FaultReport) -> String {
    let state = match report.state {
        FaultState::Active if report.in_force => "in force at all workers",
        FaultState::Active => "not yet in force at all workers",
        FaultState::Done => "done",
        FaultState::Expired => "its time is over",
        FaultState::Removed => "taken back",
    };
    let mut told = state.to_owned();
    if matches!(report.rule.as_ref().map(|rule| &rule.fault), Some(Fault::Http(_))) {
        told += &format!("; struck {} of {} exchanges", report.hits, report.seen);
    }
    if report.active > 0 {
        told += &format!("; befalls {} at present", report.active);
    }
    if let Some(done) = &report.done {
        told += &format!("; {done}");
    }
    told
}

fn address(order: &Order) -> Result<SocketAddr, String> {
    match &order.target {
        Target::Gateway { admin } => Ok(*admin),
        other => Err(format!("{other:?} is no gateway")),
    }
}

fn admin(order: &Order, around: Surroundings) -> Result<Admin, InjectError> {
    let address = address(order).map_err(InjectError::Permanent)?;
    Ok(Admin::new(address, around.deadline))
}

/// What the gateway is asked for.
fn rule(order: &Order, around: Surroundings) -> Result<Vec<u8>, String> {
    let fault = order.fault.clone();
    let rule = FaultRule { seed: order.seed, ..FaultRule::new(fault, around.left(order)) };
    rule.check().map_err(|error| error.to_string())?;
    serde_json::to_vec(&rule).map_err(|error| error.to_string())
}

fn path(order: &Order) -> String {
    format!("/faults/{}", order.id)
}

/// `None`: the gateway does not know it.
fn report(admin: &Admin, order: &Order) -> Result<Option<FaultReport>, InjectError> {
    let reply = admin.ask("GET", &path(order), None)?;
    match reply.status {
        404 => Ok(None),
        200 => serde_json::from_slice(&reply.body)
            .map(Some)
            .map_err(|error| InjectError::Transient(error.to_string())),
        _ => Err(InjectError::Transient(reply.reason())),
    }
}

const fn worker_of(fault: &Fault) -> Option<usize> {
    match fault {
        Fault::Gateway(
            GatewayFault::KillWorker { worker }
            | GatewayFault::CrashWorker { worker }
            | GatewayFault::StallWorker { worker },
        ) => Some(*worker),
        _ => None,
    }
}

/// It knows the fault, or says of it that it does not; without faults there is no such page.
fn allows_faults(asked: &Reply) -> bool {
    let names_it = |it: Value| it["id"].is_string();
    asked.status == 200
        || (asked.status == 404 && serde_json::from_slice(&asked.body).is_ok_and(names_it))
}

/// What `/workers` says of one of them.
fn worker(reply: &Reply, index: usize) -> Option<Value> {
    let document: Value = serde_json::from_slice(&reply.body).ok()?;
    let workers = document["workers"].as_array()?;
    workers.iter().find(|worker| worker["index"] == json!(index)).cloned()
}

impl From<AdminError> for InjectError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Unsent(_) => Self::Transient(error.to_string()),
            AdminError::Lost(_) => Self::Unknown(error.to_string()),
        }
    }
}
