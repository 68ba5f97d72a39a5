//! What records and files come to, and what stays when they fail.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use bulkhead_config::Config;
use bulkhead_config::model::Protocol;
use bulkhead_testkit::Scratch;

use super::*;
use crate::dns::tests::NameServer;
use crate::plane::fake::{FakePlane, Told};
use crate::resolver::Known;
use crate::status::Status;

const SERVICE: &str = "_http._tcp.test";

fn found(address: [u8; 4], port: u16, weight: u32, priority: u8) -> Endpoint {
    let address = EndpointAddress::Socket((address, port).into());
    Endpoint { weight, priority, ..Endpoint::new(address) }
}

#[tokio::test]
async fn records_become_endpoints_and_a_lost_target_keeps_its_addresses() {
    let server = NameServer::start();
    let dns = Dns::of(&server.config());
    let mut targets = Targets::default();
    server.set_services(
        SERVICE,
        300,
        &[(20, 65_535, 80, "a.test"), (20, 0, 81, "b.test"), (5, 10, 82, "b.test")],
    );
    server.set_addresses("a.test", 30, &[1, 2]);
    server.set_addresses("b.test", 600, &[3]);
    let expected = vec![
        found([10, 0, 0, 3], 82, 1, 0),
        found([10, 0, 0, 1], 80, 1_000, 1),
        found([10, 0, 0, 2], 80, 1_000, 1),
        found([10, 0, 0, 3], 81, 1, 1),
    ];
    let answer = targets.look_up(&dns, SERVICE).await.unwrap();
    assert_eq!(answer.items, expected);
    let ttl = answer.ttl.unwrap();
    assert!(ttl <= Duration::from_secs(30), "the shortest counts: {ttl:?}");

    server.forget("a.test");
    assert_eq!(targets.look_up(&dns, SERVICE).await.unwrap().items, expected);
    server.set_addresses("b.test", 600, &[4]);
    let news = targets.look_up(&dns, SERVICE).await.unwrap().items;
    assert_eq!(news.len(), 4);
    assert_eq!(news[0], found([10, 0, 0, 4], 82, 1, 0));

    // A target that never resolved, alone.
    server.set_services(SERVICE, 300, &[(0, 1, 80, "c.test")]);
    let error = targets.look_up(&dns, SERVICE).await.unwrap_err().to_string();
    assert!(error.contains("c.test"), "{error}");
}

struct Fixture {
    resolver: Resolver,
    told: Receiver<Told>,
    events: Arc<Mutex<Vec<String>>>,
}

fn fixture(dns: Dns) -> Fixture {
    let (plane, told) = FakePlane::new();
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&events);
    let resolver = Resolver {
        plane,
        status: Arc::new(Status::new(String::new(), 1, &Config::default(), Vec::new())),
        events: Arc::new(move |event| heard.lock().unwrap().push(event.to_string())),
        asked: None,
        dns,
        known: Arc::new(Known::default()),
    };
    Fixture { resolver, told, events }
}

fn cluster(source: &Discovery) -> Cluster {
    let discovery = Some(source.clone());
    Cluster { discovery, ..Cluster::new("api", Vec::new(), Protocol::Http1) }
}

#[tokio::test]
async fn a_watch_follows_the_records_of_the_configured_servers() {
    let server = NameServer::start();
    server.set_services(SERVICE, 0, &[(0, 1, 80, "a.test")]);
    server.set_addresses("a.test", 0, &[1]);
    let Fixture { resolver, told, .. } = fixture(Dns::of(&server.config()));
    let source = Discovery::DnsSrv(SERVICE.to_owned());
    let mut config = Config { dns: server.config(), ..Config::default() };
    config.clusters.insert("api".to_owned(), cluster(&source));
    let tasks = resolver.watch(&config);
    // A record with no time to live is asked for again after a second.
    let seen = tokio::task::spawn_blocking(move || {
        let first = told.recv_timeout(Duration::from_secs(30)).unwrap();
        server.set_addresses("a.test", 0, &[2]);
        let next = std::iter::from_fn(|| told.recv_timeout(Duration::from_secs(30)).ok())
            .find(|told| *told != first);
        (first, next)
    })
    .await
    .unwrap();
    let expect = |last| Told::Discovered(source.clone(), vec![found([10, 0, 0, last], 80, 1, 0)]);
    assert_eq!(seen, (expect(1), Some(expect(2))));
    drop(tasks);
}

#[test]
fn a_file_is_taken_when_it_is_whole_and_right() {
    let scratch = Scratch::new();
    let path = scratch.write("endpoints.yaml", "endpoints: ['10.0.0.1:80']");
    let source = Discovery::File(path.clone());
    let Fixture { resolver, told, events } = fixture(Dns::System(Arc::new(|_, _| Ok(vec![]))));
    let cluster = cluster(&source);
    let mut teller = Teller { resolver, cluster, source: source.clone(), last: Vec::new() };
    let mut file = WatchedFile::new(path.clone());
    let at_start = file.poll();
    assert_eq!(at_start, Some(Ok(vec![found([10, 0, 0, 1], 80, 1, 0)])), "taken at once");
    teller.found(at_start.unwrap().unwrap());
    assert!(told.try_recv().is_ok());
    let mut step = |text: Option<&str>| {
        match text {
            Some(text) => drop(scratch.write("endpoints.yaml", text)),
            None => std::fs::remove_file(&path).unwrap(),
        }
        for poll in 0..3 {
            let news = file.poll();
            assert!(poll == 1 || news.is_none(), "a change is handled when it has settled");
            match news {
                None => {}
                Some(Ok(endpoints)) => teller.found(endpoints),
                Some(Err(reason)) => teller.failed(&reason),
            }
        }
        told.try_recv().ok()
    };
    let told = |endpoints| Some(Told::Discovered(source.clone(), endpoints));
    let text = "endpoints: [{address: '10.0.0.2:80', weight: 5, zone: a, labels: {version: v2}}]";
    let two = Endpoint {
        zone: Some("a".to_owned()),
        labels: [("version".to_owned(), "v2".to_owned())].into(),
        ..found([10, 0, 0, 2], 80, 5, 0)
    };
    assert_eq!(step(Some(text)), told(vec![two]));
    for wrong in [
        Some("endpoints: [name:80]"),
        Some("endpoints: []"),
        Some("endpoints:\n  - {address: '10.0.0.2:80', wieght: 2}"),
        None,
    ] {
        assert_eq!(step(wrong), None, "{wrong:?} takes nothing away");
    }
    assert_eq!(
        step(Some("endpoints: ['10.0.0.9:80']")),
        told(vec![found([10, 0, 0, 9], 80, 1, 0)])
    );
    let events = events.lock().unwrap();
    assert_eq!(events.len(), 6, "each change is told: {events:?}");
    assert!(events[1].contains("endpoints.yaml:1:13"), "with line and column: {events:?}");
    assert!(events.last().unwrap().contains("now has 1 endpoints"), "{events:?}");
}
