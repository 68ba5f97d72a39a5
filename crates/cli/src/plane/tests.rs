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
        lookup: Some(Arc::new(move |_, _| {
            let failure = || std::io::Error::other("no name server");
            asked.lock().unwrap().map(|address| vec![address]).ok_or_else(failure)
        })),
    };
    let (sender, events) = channel();
    let plane = Arc::new(GatewayPlane { gateway });
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
