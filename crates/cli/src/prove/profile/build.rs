//! A checked file → [`Profile`]: everything that looks at more than one value.

use std::time::Duration;

use bulkhead_chaos::{Fault, FaultRule};
use bulkhead_config::document::{Item, Report, TableValue};
use bulkhead_lab::LinkKind;

use super::{KillRounds, Limits, Profile, TimedFault, Traffic};
use crate::prove::weather::{Place, Weather};

/// Faults of a profile at most: as many as a gateway takes at a time.
const FAULTS_MAX: usize = 64;

/// Builds the profile. It means something only if `report` has no error afterwards.
pub(super) fn build(item: &Item, report: &mut Report<'_>) -> Profile {
    let empty = TableValue::default();
    let file = item.table().unwrap_or(&empty);
    let duration = file.duration("duration").unwrap_or_default();
    let traffic = traffic(file.table("traffic").unwrap_or(&empty), file, report);
    let faults = file.list("faults");
    if let Some(item) = faults.get(FAULTS_MAX) {
        report.error(item.span, format!("more than {FAULTS_MAX} faults"));
    }
    let workers = file.number("workers").unwrap_or(2);
    let timed = faults.iter().filter_map(|item| timed(item, duration, report));
    Profile {
        description: file.string("description").unwrap_or_default(),
        duration,
        workers,
        traffic,
        kills: file.table("kills").map(|table| KillRounds {
            every: table.duration("every").unwrap_or_default(),
            share: table.decimal("share_percent").unwrap_or(0.0) / 100.0,
        }),
        faults: timed.collect(),
        link: file.get("link").and_then(|item| link(item, report)),
        limits: limits(file.table("limits").unwrap_or(&empty)),
    }
}

fn traffic(table: &TableValue, file: &TableValue, report: &mut Report<'_>) -> Traffic {
    let (jwt, flood) = (table.flag("jwt"), table.flag("flood"));
    if let (Some(item), false, true) =
        (table.get("flood").or_else(|| file.get("traffic")), jwt, flood)
    {
        report.error(item.span, "a flood without tokens, where nobody has any").remedy(
            "leave `jwt: false` out: callers of the flood are told from others by their tokens",
        );
    }
    Traffic {
        rate: table.decimal("rate"),
        http2_share: table.decimal("http2_percent").unwrap_or(0.0) / 100.0,
        connections: table.number("connections").unwrap_or(1),
        connection_life: table.duration("connection_life"),
        timeout: table.duration("timeout"),
        jwt,
        flood,
    }
}

fn link(item: &Item, report: &mut Report<'_>) -> Option<Weather> {
    let table = item.table()?;
    let weather = Weather {
        place: match table.text("at")? {
            "client" => Place::Client,
            _ => Place::Upstream,
        },
        loss_percent: table.decimal("loss_percent")?,
        delay: table.duration("delay")?,
        jitter: table.duration("jitter")?,
        congestion_control: table.string("congestion_control"),
        kind: match table.text("kind")? {
            "veth" => LinkKind::Veth,
            _ => LinkKind::Tun,
        },
    };
    if let Err(reason) = weather.check() {
        let jitter = table.get("jitter").filter(|_| weather.jitter > weather.delay);
        report.error(jitter.unwrap_or(item).span, reason);
    }
    Some(weather)
}

/// A fault that ends before the storm does.
fn timed(item: &Item, duration: Duration, report: &mut Report<'_>) -> Option<TimedFault> {
    let table = item.table()?;
    let (at, lasts) = (table.duration("at")?, table.duration("lasts")?);
    let declared = table.get("fault")?;
    let fault = match serde_json::from_str::<Fault>(table.text("fault")?) {
        Ok(fault) => fault,
        Err(error) => {
            report.error(declared.span, format!("this is no fault: {error}")).remedy(
                "write it as `PUT /faults` takes it: `{gateway: {slow_log: {delay_ms: 500}}}`",
            );
            return None;
        }
    };
    if let Err(reason) = check(&fault, lasts) {
        report.error(declared.span, reason);
    }
    let timed = TimedFault { at, lasts, fault };
    if timed.ends() >= duration && !duration.is_zero() {
        let place = table.get("at").map_or(item.span, |at| at.span);
        report
            .error(place, "this fault would not be over before the storm is")
            .remedy("begin earlier, make `lasts` shorter, or `duration` longer");
    }
    Some(timed)
}

fn check(fault: &Fault, lasts: Duration) -> Result<(), String> {
    FaultRule::new(fault.clone(), lasts).check().map_err(|error| error.to_string())?;
    match fault {
        Fault::Gateway(fault) => fault.check().map_err(str::to_owned),
        Fault::Http(fault) => fault.check().map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

fn limits(table: &TableValue) -> Limits {
    Limits {
        rss_growth_bytes: table.number("rss_growth").unwrap_or(0),
        failed_percent: table.decimal("failed_percent").unwrap_or(0.0),
        connections_lost: table.number("connections_lost").unwrap_or(0),
        p99: table.duration("p99"),
    }
}
