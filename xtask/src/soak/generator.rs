//! The load generator's connections: which protocols, how many, and how long each lives.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_load::{
    Arrivals, Class, Load, LoadOptions, LoadReport, Process, Protocol, Schedule, TargetOptions,
    Upgrade,
};

use super::certificates::Certificates;
use super::clients::Outcome;
use super::configuration::{Ports, STEADY};
use super::options::Options;
use super::storm::Storm;
use super::wire::PATIENCE;
use super::workload::{KINDS, Mixed, Way};

/// Every way, in the order of the targets.
const WAYS: [Way; 7] = [
    Way::Http1,
    Way::Http2,
    Way::Https1,
    Way::Https2,
    Way::WebSocket,
    Way::SecureWebSocket,
    Way::Relay,
];

/// Begins the load, which goes on until it is stopped. Nothing is sent twice.
pub(super) fn start(options: &Options, ports: &Ports, certificates: &Certificates) -> Result<Load> {
    let targets = WAYS.iter().map(|&way| target(way, ports, certificates));
    let place_of = |way| WAYS.iter().position(|&other| other == way).unwrap_or_default();
    let classes =
        KINDS.iter().map(|kind| Class { name: kind.name.to_owned(), target: place_of(kind.way) });
    let schedule = Schedule::constant(options.rate, Process::Poisson, options.seed);
    let load = LoadOptions {
        targets: targets.collect::<Result<_>>()?,
        classes: classes.collect(),
        timeout: PATIENCE,
        ..LoadOptions::new(
            TargetOptions::new(SocketAddr::from(([127, 0, 0, 1], ports.plain)), Protocol::Http1),
            Arrivals::Open(schedule),
            options.duration + PATIENCE,
        )
    };
    let seed = options.seed;
    Load::start(load, |_| Box::new(Mixed::new(seed))).context("start the load")
}

fn target(way: Way, ports: &Ports, certificates: &Certificates) -> Result<TargetOptions> {
    let (port, protocol) = match way {
        Way::Http1 => (ports.plain, Protocol::Http1),
        Way::Http2 => (ports.plain, Protocol::Http2),
        Way::Https1 => (ports.secure, Protocol::Http1),
        Way::Https2 => (ports.secure, Protocol::Http2),
        Way::WebSocket => (ports.plain, Protocol::WebSocket),
        Way::SecureWebSocket => (ports.secure, Protocol::WebSocket),
        Way::Relay => (ports.relay, Protocol::Http1),
    };
    let mut target = TargetOptions::new(SocketAddr::from(([127, 0, 0, 1], port)), protocol);
    match way {
        Way::Http1 => {
            target.connections = 16;
            target.connection_life = Some(Duration::from_secs(15));
        }
        Way::Http2 => {
            target.connections = 4;
            target.connection_life = Some(Duration::from_secs(20));
        }
        Way::Https1 => {
            target.connections = 4;
            target.connection_requests_max = Some(5);
            target.tls = Some(certificates.target(b"http/1.1", false)?);
        }
        Way::Https2 => {
            target.connections = 2;
            target.connection_requests_max = Some(25);
            target.tls = Some(certificates.target(b"h2", true)?);
        }
        // These live as long as the load: through all that is done.
        Way::WebSocket => target.connections = 6,
        Way::SecureWebSocket => {
            target.connections = 3;
            target.tls = Some(certificates.target(b"http/1.1", false)?);
        }
        Way::Relay => target.connections = 4,
    }
    target.websocket = Some(Upgrade::new("/ws", STEADY));
    target.streams_max = 20;
    Ok(target)
}

/// What came of it by kind; what must not be is told to the storm.
pub(super) fn outcomes(report: &LoadReport, storm: &Storm) -> Vec<Outcome> {
    for sample in &report.failure_samples {
        let (class, kind, detail) = (&sample.class, sample.kind, &sample.detail);
        storm.wrong(format_args!("{class} at {:.3} s: {kind}: {detail}", sample.at_s));
    }
    let connections = report.connections;
    for (what, count) in [
        ("connections of clients lost", connections.lost),
        ("connects of clients that failed", connections.connects_failed),
        ("handshakes of clients that failed", connections.tls_failed),
    ] {
        if count > 0 {
            storm.wrong(format_args!("{what}: {count}"));
        }
    }
    let outcome = |(class, kind): (&bulkhead_load::ClassReport, &super::workload::Kind)| Outcome {
        name: class.name.clone(),
        ok: class.ok,
        allowed: 0,
        wrong: class.failed,
        recorded: if kind.is_recorded() { class.sent } else { 0 },
    };
    report.classes.iter().zip(&KINDS).map(outcome).collect()
}
