//! A gateway behind a link with the losses and delays of a bad day.

use std::time::{Duration, Instant};

use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Listener, Protocol, Route,
};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_lab::LinkOptions;
use bulkhead_load::{
    Answer, Arrivals, Load, LoadOptions, Mismatch, Process, Request, Schedule, TargetOptions,
    Workload,
};
use bulkhead_origin::{Origin, OriginOptions, feed};

use crate::support::{deadline, fault, link};

struct Feeds;

impl Workload for Feeds {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.key = number;
        request.head.set_authority(b"feed.example");
        let mut path = Vec::new();
        feed::push_json_path(number, &mut path);
        request.head.set_target(&path);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let mut body = Vec::new();
        feed::push_json(answer.key, &mut body);
        if answer.body == body { Ok(()) } else { Err(Mismatch::Body) }
    }
}

const LOSS: &str = r#"{"loss": {"direction": "both", "per": "direction",
    "model": {"bernoulli": {"percent": 12}}}}"#;
const JITTER: &str = r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
    "distribution": "uniform", "reorder": "preserve", "hold_ms": 10}}"#;

#[test]
fn requests_of_http2_get_through_loss_and_jitter() {
    let options =
        LinkOptions { congestion_control: Some("cubic".to_owned()), ..LinkOptions::default() };
    let Some(link) = link("storm", &options) else { return };
    let server = link.server();
    // Whatever starts threads is started inside, and its threads stay there: gateway and origin at
    // one end, the clients at the other.
    let (origin, gateway) = server
        .namespace
        .enter(|| {
            let origin = Origin::start(OriginOptions::default()).expect("start the origin");
            let endpoint = Endpoint::new(EndpointAddress::Socket(origin.addr()));
            let cluster = Cluster::new("origin", vec![endpoint], Protocol::Http1);
            let config = Config {
                workers: Some(1),
                listeners: vec![Listener::new("main", (server.v4.octets(), 0))],
                routes: vec![Route::new("all", vec![Backend::new("origin", 1)])],
                clusters: [("origin".to_owned(), cluster)].into(),
                ..Config::default()
            };
            let options = GatewayOptions { seed: Some(7), ..GatewayOptions::default() };
            (origin, Gateway::start(config, options).expect("start the gateway"))
        })
        .unwrap();
    let expires = Instant::now() + Duration::from_secs(60);
    link.impose(1, &fault(LOSS), 42, expires, deadline()).unwrap();
    link.impose(2, &fault(JITTER), 43, expires, deadline()).unwrap();

    let address = gateway.addresses()[0].1.inet().expect("an IP address");
    let target = TargetOptions {
        connections: 4,
        ..TargetOptions::new(address, bulkhead_load::Protocol::Http2)
    };
    let schedule = Schedule::constant(100.0, Process::Constant, 1);
    let run = LoadOptions {
        timeout: Duration::from_secs(30),
        ..LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_secs(2))
    };
    let load = link.client().namespace.enter(|| Load::start(run, |_| Box::new(Feeds))).unwrap();
    let told = load.expect("start the load").finish();
    assert_eq!((told.scheduled, told.ok), (200, 200), "{told:?}");
    // Every request and its answer cross the link, with a delay of 40 ms in the middle.
    assert!(told.latency_ms.p50 > 10.0, "{:?}", told.latency_ms);

    let report = link.report(deadline()).unwrap();
    for lane in [&report.upstream, &report.downstream] {
        assert!(lane.counts.lost > 0 && lane.refused == 0, "{lane:?}");
    }
    assert_eq!(link.device_drops().unwrap(), [0, 0]);
    origin.stop();
}
