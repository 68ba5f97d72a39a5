use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use bulkhead_config::model::{Endpoint, Protocol};

use super::*;
use crate::plane::fake::{FakePlane, Told};

fn address(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 80).into()
}

fn cluster() -> Cluster {
    let name = |host: &str| EndpointAddress::Name { host: host.to_owned(), port: 80 };
    let endpoints =
        [EndpointAddress::Socket(address(1)), name("a.test"), name("b.test")].map(Endpoint::new);
    Cluster::new("api", endpoints.to_vec(), Protocol::Http2)
}

type Answers = Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>;

struct Fixture {
    resolver: Resolver,
    answers: Answers,
    told: Receiver<Told>,
    events: Arc<Mutex<Vec<Event>>>,
}

fn fixture() -> Fixture {
    let (plane, told) = FakePlane::new();
    let answers = Answers::default();
    let asked = Arc::clone(&answers);
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = Arc::clone(&events);
    let lookup: Lookup = Arc::new(move |host, port| {
        assert_eq!(port, 80);
        asked.lock().unwrap().get(host).cloned().ok_or_else(|| io::Error::other("no such name"))
    });
    let resolver = Resolver {
        plane,
        status: Arc::new(Status::new(String::new(), 1, &Config::default(), Vec::new())),
        events: Arc::new(move |event| heard.lock().unwrap().push(event)),
        dns: Dns::System(Arc::clone(&lookup)),
        asked: Some(lookup),
        known: Arc::default(),
    };
    Fixture { resolver, answers, told, events }
}

impl Fixture {
    fn answer(&self, host: &str, addresses: &[u8]) {
        let addresses = addresses.iter().copied().map(address).collect();
        self.answers.lock().unwrap().insert(host.to_owned(), addresses);
    }

    #[track_caller]
    fn check_told(&self, expected: &[(&str, &[u8])]) {
        for (host, addresses) in expected {
            let addresses = addresses.iter().copied().map(address).collect();
            assert_eq!(self.told.try_recv(), Ok(Told::Addresses(format!("{host}:80"), addresses)));
        }
        assert!(self.told.try_recv().is_err());
    }
}

#[tokio::test]
async fn answers_are_told_name_by_name_and_failures_keep_the_last() {
    let fixture = fixture();
    let cluster = cluster();
    fixture.answer("a.test", &[3, 2, 3]);
    fixture.answer("b.test", &[9]);
    assert_eq!(fixture.resolver.refresh(&cluster).await, Ok(None));
    fixture.check_told(&[("a.test", &[2, 3]), ("b.test", &[9])]);
    assert!(fixture.events.lock().unwrap().is_empty(), "the first answer is no change");

    // Another order is no change.
    fixture.answer("a.test", &[2, 3]);
    assert_eq!(fixture.resolver.refresh(&cluster).await, Ok(None));
    fixture.check_told(&[("a.test", &[2, 3]), ("b.test", &[9])]);
    assert!(fixture.events.lock().unwrap().is_empty());

    // A name that fails is not told, so that it keeps its addresses; the log hears of it once.
    fixture.answers.lock().unwrap().remove("a.test");
    fixture.answer("b.test", &[]);
    for _ in 0..2 {
        assert_eq!(fixture.resolver.refresh(&cluster).await, Err(()));
    }
    fixture.check_told(&[]);
    let reasons: Vec<String> =
        fixture.events.lock().unwrap().drain(..).map(|event| event.to_string()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].contains("`a.test`") && reasons[0].contains("no such name"), "{reasons:?}");
    assert!(reasons[1].contains("`b.test`") && reasons[1].contains("no address"), "{reasons:?}");
    assert_eq!(fixture.resolver.status.to_json()["unresolved"][0]["host"], "a.test");

    // What changed is told to the log, also after a reload.
    fixture.resolver.watch(&config(cluster.clone())).abort_all();
    fixture.answer("a.test", &[4]);
    fixture.answer("b.test", &[9]);
    assert_eq!(fixture.resolver.refresh(&cluster).await, Ok(None));
    fixture.check_told(&[("a.test", &[4]), ("b.test", &[9])]);
    let events: Vec<String> =
        fixture.events.lock().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(events, ["cluster `api`: name `a.test` now resolves to 10.0.0.4:80"]);
    assert_eq!(fixture.resolver.status.to_json()["unresolved"], serde_json::json!([]));
}

#[tokio::test]
async fn a_name_that_left_the_configuration_is_new_when_it_comes_back() {
    let fixture = fixture();
    fixture.answer("a.test", &[2]);
    fixture.answer("b.test", &[3]);
    let _ = fixture.resolver.refresh(&cluster()).await;
    fixture.resolver.watch(&Config::default()).abort_all();
    fixture.answer("a.test", &[4]);
    let _ = fixture.resolver.refresh(&cluster()).await;
    assert!(fixture.events.lock().unwrap().is_empty());
}

fn config(cluster: Cluster) -> Config {
    Config { clusters: [(cluster.name.clone(), cluster)].into(), ..Config::default() }
}

#[tokio::test]
async fn watching_looks_up_names_only_and_ends_with_its_set() {
    let fixture = fixture();
    let endpoint = Endpoint::new(EndpointAddress::Socket(address(1)));
    let fixed = Cluster::new("fixed", vec![endpoint], Protocol::Http1);
    let mut config = Config::default();
    config.clusters.insert("fixed".to_owned(), fixed);
    assert!(fixture.resolver.watch(&config).is_empty());
    config.clusters.insert("api".to_owned(), cluster());
    assert_eq!(fixture.resolver.watch(&config).len(), 1);
}

#[tokio::test]
async fn refreshes_again_and_again() {
    let fixture = fixture();
    let (sender, receiver) = channel();
    let resolver = Resolver {
        asked: Some(Arc::new(move |host, _| {
            // The test has seen enough.
            let _ = sender.send(host.to_owned());
            Ok(vec![address(5)])
        })),
        ..fixture.resolver.clone()
    };
    let mut config = Config::default();
    config.clusters.insert("api".to_owned(), Cluster { dns_refresh: Duration::ZERO, ..cluster() });
    let tasks = resolver.watch(&config);
    let asked = tokio::task::spawn_blocking(move || {
        (0..6).map(|_| receiver.recv_timeout(Duration::from_secs(30)).unwrap()).collect::<Vec<_>>()
    })
    .await
    .unwrap();
    assert_eq!(asked, ["a.test", "b.test"].repeat(3));
    drop(tasks);
}
