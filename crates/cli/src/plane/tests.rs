//! The control plane and the gateway together.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_control::{Applied, ConfigSource, Control, ControlOptions, Event};
use bulkhead_gateway::GatewayOptions;
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::{RawClient, Scratch};

use super::*;
use crate::config_file;

const PATIENCE: Duration = Duration::from_secs(30);

fn get(address: SocketAddr) -> String {
    let mut client = RawClient::connect(address, PATIENCE);
    client.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    String::from_utf8_lossy(&client.read_to_end()).into_owned()
}

#[test]
fn a_reload_while_names_do_not_resolve_takes_no_endpoint_away() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    // The system resolves no such name (RFC 6761 §6.4), and at the reload it is not to be asked.
    let text = "listeners:\n  - address: 127.0.0.1:0\nworkers: 1\n\
                clusters:\n  api:\n    endpoints: [\"api.invalid:80\"]\n\
                routes:\n  - backends: [api]\n"
        .to_owned();
    let scratch = Scratch::new();
    let path = scratch.write("gateway.yaml", &text);
    let config = config_file::check(&text, "gateway.yaml").unwrap().config;
    let gateway = Gateway::start(config.clone(), GatewayOptions::default()).unwrap();
    let web = gateway.addresses()[0].1.inet().unwrap();
    let source = ConfigSource { path, parse: config_file::parse };
    let applied = Applied {
        config,
        revision: 1,
        warnings: Vec::new(),
        origin: String::new(),
        source: Some((source, text)),
    };
    let answer = Arc::new(Mutex::new(Some(origin.addr())));
    let asked = Arc::clone(&answer);
    let options = ControlOptions {
        admin: None,
        admin_socket: None,
        lookup: Some(Arc::new(move |_, _| {
            let failure = || std::io::Error::other("no name server");
            asked.lock().unwrap().map(|address| vec![address]).ok_or_else(failure)
        })),
    };
    let (sender, events) = channel();
    let plane = Arc::new(GatewayPlane::new(gateway, None, || Ok(None)));
    let control = Control::start(options, applied, plane, move |event| {
        // The test may have seen enough.
        let _ = sender.send(event);
    })
    .unwrap();
    while !get(web).starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    *answer.lock().unwrap() = None;
    control.reload();
    loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::NameFailed { .. } => break,
            event => assert!(matches!(event, Event::ConfigApplied { .. }), "{event}"),
        }
    }
    for _ in 0..20 {
        let answer = get(web);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    control.stop();
    origin.stop();
}

#[test]
fn an_endpoint_whose_checks_fail_gets_no_requests() {
    let good = Origin::start(OriginOptions::default()).unwrap();
    let bad = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bad_address = bad.local_addr().unwrap();
    // Connections to it are refused from now on.
    drop(bad);
    let text = format!(
        "listeners: [{{address: '127.0.0.1:0'}}]\nworkers: 2\n\
         clusters:\n  api:\n    endpoints: ['{}', '{bad_address}']\n    balance: round_robin\n    \
         ejection: off\n    health_check: {{http: {{path: /status/200}}}}\n\
         routes: [{{backends: [api]}}]\n",
        good.addr()
    );
    let config = config_file::check(&text, "gateway.yaml").unwrap().config;
    let gateway = Gateway::start(config.clone(), GatewayOptions::default()).unwrap();
    let web = gateway.addresses()[0].1.inet().unwrap();
    let applied =
        Applied { config, revision: 1, warnings: Vec::new(), origin: String::new(), source: None };
    let plane = Arc::new(GatewayPlane::new(gateway, None, || Ok(None)));
    let (sender, events) = channel();
    let seen = Arc::<GatewayPlane>::clone(&plane);
    let control = Control::start(ControlOptions::default(), applied, seen, move |event| {
        // The test may have seen enough.
        let _ = sender.send(event);
    })
    .unwrap();
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&event, Event::EndpointUnhealthy { endpoint, .. } if *endpoint == bad_address.into()),
        "{event}"
    );
    // With the control plane gone the verdict stays.
    control.stop();
    let connects_failed = || {
        let metrics = plane.metrics();
        let sample = "bulkhead_upstream_connect_failures_total{cluster=\"api\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(sample)?.parse::<u64>().ok())
    };
    // Workers read the verdict between two turns: then requests meet the bad endpoint no more.
    let begun = std::time::Instant::now();
    loop {
        let before = connects_failed();
        for _ in 0..20 {
            assert!(get(web).starts_with("HTTP/1.1 200 "));
        }
        if connects_failed() == before {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "requests still go to it");
    }
    let healthy = "bulkhead_cluster_healthy_endpoints{cluster=\"api\"} 1\n";
    assert!(plane.metrics().contains(healthy), "{}", plane.metrics());
    good.stop();
}
