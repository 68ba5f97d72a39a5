//! Checks against endpoints on loopback, with a data plane that notes what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use bulkhead_config::Config;
use bulkhead_config::model::{
    Cluster, Endpoint, EndpointAddress, HealthCheck, HealthProbe, Protocol, ProxyProtocolVersion,
    UpstreamTls,
};
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::{Authority, Scratch};
use bulkhead_transport::{CertificatePem, ServerTls, Ticketer, TlsVersion};

use super::*;
use crate::plane::CheckedEndpoint;
use crate::plane::fake::{FakePlane, Told};

const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint that answers each request with a status that a test may change.
struct Service {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Service {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (status, asked) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
        let (answers, counts) = (Arc::clone(&status), Arc::clone(&asked));
        // Ends with the process: it is blocked in `accept`, and owns nothing else.
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { continue };
                serve(socket, answers.load(Ordering::SeqCst));
                counts.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, status, asked }
    }

    /// Waits until it was asked so many times more.
    fn wait_asked(&self, times: usize) {
        let until = self.asked.load(Ordering::SeqCst) + times;
        let begun = std::time::Instant::now();
        while self.asked.load(Ordering::SeqCst) < until {
            assert!(begun.elapsed() < PATIENCE, "not asked any more");
            std::thread::yield_now();
        }
    }
}

fn serve(mut socket: impl Read + Write, status: u16) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|read| read > 0) {
        request.push(byte[0]);
    }
    // The check may have ended meanwhile.
    let _ = write!(socket, "HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n");
}

fn check(probe: HealthProbe) -> HealthCheck {
    HealthCheck {
        probe,
        interval: Duration::from_millis(2),
        timeout: PATIENCE,
        healthy_threshold: 2,
        unhealthy_threshold: 3,
        jitter_percent: 10,
        port: None,
        initially_healthy: true,
    }
}

fn http() -> HealthProbe {
    HealthProbe::Http {
        path: "/".to_owned(),
        host: None,
        method: "GET".to_owned(),
        expected_statuses: vec![200],
    }
}

fn cluster(name: &str, check: HealthCheck) -> Cluster {
    let address = EndpointAddress::Socket(([127, 0, 0, 1], 1).into());
    let endpoints = vec![Endpoint::new(address)];
    Cluster { health_check: Some(check), ..Cluster::new(name, endpoints, Protocol::Http1) }
}

fn checks(clusters: &[Cluster]) -> Arc<Checks> {
    let clusters = clusters.iter().map(|cluster| (cluster.name.clone(), cluster.clone()));
    Arc::new(Checks::of(&Config { clusters: clusters.collect(), ..Config::default() }))
}

fn endpoint(cluster: &str, address: impl Into<Address>) -> CheckedEndpoint {
    CheckedEndpoint { cluster: cluster.to_owned(), address: address.into(), host: None }
}

/// Checks that run until the fixture is dropped.
struct Fixture {
    plane: Arc<FakePlane>,
    told: Receiver<Told>,
    events: Receiver<Event>,
    checks: watch::Sender<Arc<Checks>>,
    stop: Arc<tokio::sync::Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.notify_one();
        let _ = self.thread.take().unwrap().join();
    }
}

impl Fixture {
    fn start(in_force: Arc<Checks>, endpoints: Vec<CheckedEndpoint>) -> Self {
        let (plane, told) = FakePlane::new();
        *plane.checked.lock().unwrap() = endpoints;
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        let (checks, seen) = watch::channel(in_force);
        let heard: Arc<Listen> = Arc::new(move |event| {
            // The test may have seen enough.
            let _ = sender.lock().unwrap().send(event);
        });
        let checking = check_for_ever(Arc::<FakePlane>::clone(&plane), heard, seen);
        let stop = Arc::new(tokio::sync::Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = checking => {}
                    () = stopped.notified() => {}
                }
            });
        });
        Self { plane, told, events, checks, stop, thread: Some(thread) }
    }

    #[track_caller]
    fn expect(&self, cluster: &str, verdicts: &[(SocketAddr, bool)]) {
        let told = self.told.recv_timeout(PATIENCE).unwrap();
        let verdicts = verdicts.iter().map(|(address, healthy)| ((*address).into(), *healthy));
        assert_eq!(told, Told::Health(cluster.to_owned(), verdicts.collect()));
    }
}

#[test]
fn an_endpoint_fails_and_recovers() {
    let service = Service::start(200);
    let address = service.address;
    let fixture =
        Fixture::start(checks(&[cluster("api", check(http()))]), vec![endpoint("api", address)]);
    fixture.expect("api", &[(address, true)]);
    service.status.store(503, Ordering::SeqCst);
    fixture.expect("api", &[(address, false)]);
    assert_eq!(
        fixture.events.recv_timeout(PATIENCE),
        Ok(Event::EndpointUnhealthy {
            cluster: "api".to_owned(),
            endpoint: address.into(),
            reason: "it answered 503".to_owned(),
        })
    );
    service.status.store(200, Ordering::SeqCst);
    fixture.expect("api", &[(address, true)]);
    let healthy = Event::EndpointHealthy { cluster: "api".to_owned(), endpoint: address.into() };
    assert_eq!(fixture.events.recv_timeout(PATIENCE), Ok(healthy));
}

#[test]
fn endpoints_that_leave_are_forgotten_and_new_ones_checked_at_once() {
    let (one, other) = (Service::start(200), Service::start(500));
    // So that the first check is the only one.
    let rare = HealthCheck { interval: PATIENCE * 10, ..check(http()) };
    let fixture =
        Fixture::start(checks(&[cluster("api", rare)]), vec![endpoint("api", one.address)]);
    fixture.expect("api", &[(one.address, true)]);
    *fixture.plane.checked.lock().unwrap() = vec![endpoint("api", other.address)];
    fixture.expect("api", &[]);
    fixture.expect("api", &[(other.address, false)]);
    let unhealthy = fixture.events.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(unhealthy, Event::EndpointUnhealthy { .. }), "{unhealthy}");
}

#[test]
fn a_check_that_did_not_change_keeps_its_state_over_a_reload() {
    let (one, other) = (Service::start(200), Service::start(200));
    let patient = HealthCheck { unhealthy_threshold: u32::MAX, ..check(http()) };
    let first = cluster("one", patient.clone());
    let endpoints = vec![endpoint("one", one.address), endpoint("other", other.address)];
    let fixture = Fixture::start(checks(std::slice::from_ref(&first)), endpoints);
    fixture.expect("one", &[(one.address, true)]);
    one.status.store(503, Ordering::SeqCst);
    one.wait_asked(2);
    // Begun anew, its first failure would decide.
    let second = cluster("other", check(http()));
    fixture.checks.send_replace(checks(&[first, second.clone()]));
    fixture.expect("other", &[(other.address, true)]);
    one.wait_asked(3);
    assert!(fixture.told.try_recv().is_err());
    let changed = HealthCheck { healthy_threshold: 1, ..patient };
    fixture.checks.send_replace(checks(&[cluster("one", changed), second]));
    fixture.expect("one", &[(one.address, false)]);
}

/// What one check of a cluster's endpoint at `address` comes to.
fn once(cluster: &Cluster, address: impl Into<Address>) -> Result<(), String> {
    let checks = checks(std::slice::from_ref(cluster));
    let target = checks.target(endpoint(&cluster.name, address)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (plane, _told) = FakePlane::new();
        let shared = Shared {
            plane,
            events: Arc::new(|_| {}),
            checks: watch::channel(checks).1,
            permits: Semaphore::new(1),
            verdicts: Mutex::default(),
        };
        shared.check_once(&target).await
    })
}

#[test]
fn each_protocol_with_and_without_tls() {
    let authority = Authority::new();
    let leaf = authority.issue(&["api.test"]);
    let scratch = Scratch::new();
    let (own, foreign) = (
        scratch.write("ca.pem", authority.certificate_pem()),
        scratch.write("foreign.pem", Authority::new().certificate_pem()),
    );
    for (protocol, alpn) in [(Protocol::Http1, &b"http/1.1"[..]), (Protocol::Http2, b"h2")] {
        let pem = CertificatePem {
            chain_pem: leaf.chain_pem.clone().into_bytes(),
            key_pem: leaf.key_pem.clone().into_bytes(),
        };
        let ticketer = Ticketer::new().unwrap();
        let tls = ServerTls::new(vec![pem], TlsVersion::Tls12, &[alpn], &ticketer).unwrap();
        let secure =
            Origin::start(OriginOptions { tls: Some(tls), ..OriginOptions::default() }).unwrap();
        let plain = Origin::start(OriginOptions::default()).unwrap();
        let probe = |status: u16| HealthProbe::Http {
            path: format!("/status/{status}"),
            host: None,
            method: "GET".to_owned(),
            expected_statuses: vec![204],
        };
        let cluster = |status, ca: Option<&std::path::PathBuf>| Cluster {
            protocol,
            tls: ca.map(|ca| UpstreamTls {
                server_name: Some("api.test".to_owned()),
                ca_file: Some(ca.clone()),
                ..UpstreamTls::default()
            }),
            ..cluster("api", check(probe(status)))
        };
        let failed = |status: u16| Err(format!("it answered {status}"));
        assert_eq!(once(&cluster(204, None), plain.addr()), Ok(()), "{protocol:?}");
        assert_eq!(once(&cluster(500, None), plain.addr()), failed(500), "{protocol:?}");
        assert_eq!(once(&cluster(204, Some(&own)), secure.addr()), Ok(()), "{protocol:?}");
        assert_eq!(once(&cluster(500, Some(&own)), secure.addr()), failed(500), "{protocol:?}");
        let distrusted = once(&cluster(204, Some(&foreign)), secure.addr()).unwrap_err();
        assert!(distrusted.starts_with("TLS handshake: "), "{protocol:?}: {distrusted}");
    }
}

#[test]
fn connections_are_made_where_the_check_says_and_are_bounded_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let tcp = cluster("api", check(HealthProbe::Tcp));
    assert_eq!(once(&tcp, address), Ok(()));
    let elsewhere = HealthCheck { port: Some(address.port()), ..check(HealthProbe::Tcp) };
    assert_eq!(once(&cluster("api", elsewhere), ([127, 0, 0, 1], 1)), Ok(()));
    let short = HealthCheck { timeout: Duration::from_millis(20), ..check(http()) };
    let reason = once(&cluster("api", short), address);
    assert_eq!(reason, Err("no answer within 20 ms".to_owned()));
    drop(silent);
    let refused = once(&tcp, address).unwrap_err();
    assert!(refused.starts_with("connect: "), "{refused}");
}

#[test]
fn an_endpoint_behind_the_proxy_protocol_gets_its_header_first() {
    for (version, header) in [
        (ProxyProtocolVersion::V1, &b"PROXY UNKNOWN\r\n"[..]),
        (ProxyProtocolVersion::V2, b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxied = Cluster { proxy_protocol: Some(version), ..cluster("api", check(http())) };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut came = vec![0; header.len()];
                socket.read_exact(&mut came).unwrap();
                assert_eq!(came, header, "{version:?}");
                serve(socket, 200);
            });
            assert_eq!(once(&proxied, listener.local_addr().unwrap()), Ok(()), "{version:?}");
        });
    }
}

#[test]
fn a_unix_socket_is_checked_by_its_path_or_its_abstract_name() {
    let scratch = Scratch::new();
    let path = scratch.write("api.sock", "");
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(listener.accept().unwrap().0, 200));
        assert_eq!(once(&cluster("api", check(http())), address.clone()), Ok(()));
    });
    drop(listener);
    let refused = once(&cluster("api", check(HealthProbe::Tcp)), address).unwrap_err();
    assert!(refused.starts_with("connect: "), "{refused}");

    let name = format!("bulkhead-check-{}", std::process::id());
    let abstract_name =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
            &name,
        );
    let _listener = UnixListener::bind_addr(&abstract_name.unwrap()).unwrap();
    let address: Address = format!("unix:@{name}").parse().unwrap();
    // Another port is not for it.
    let elsewhere = HealthCheck { port: Some(1), ..check(HealthProbe::Tcp) };
    assert_eq!(once(&cluster("api", elsewhere), address), Ok(()));
}
