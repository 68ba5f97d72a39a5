//! Two attempts at once: who wins, who loses, and what an evacuation, a panic, a drain and a client that
//! leaves make of them. An upstream that stalls never answers: only the other attempt can.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bulkhead_config::model::{
    Balance, Cluster, Config, Endpoint, EndpointAddress, Hedge, Protocol, RetryPolicy,
};
use bulkhead_gateway::{Fault, Gateway};
use bulkhead_testkit::RawClient;

use crate::http2::{connect, get, run};
use crate::scripted::{FINE, Reply, Scripted, UNAVAILABLE, await_until};
use crate::support::{address, client, config, read_response, start, value};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// One route that hedges, to these endpoints.
fn hedged(endpoints: &[SocketAddr], workers: usize) -> Config {
    let mut config = config(endpoints[0], Protocol::Http1, workers);
    let endpoints = endpoints.iter().map(|&at| Endpoint::new(EndpointAddress::Socket(at)));
    let cluster = Cluster {
        balance: Balance::RoundRobin,
        ..Cluster::new("origin", endpoints.collect(), Protocol::Http1)
    };
    config.clusters.insert("origin".to_owned(), cluster);
    config.routes[0].hedge = Some(Hedge { delay: Duration::from_millis(20) });
    config
}

/// Two upstreams, whichever of them is asked: the first request gets `first`, the second `second`.
fn pair(
    first: impl Fn() -> Reply + Send + Sync + 'static,
    second: impl Fn() -> Reply + Send + Sync + 'static,
) -> [Scripted; 2] {
    let asked = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => first(),
        1 => second(),
        _ => FINE,
    });
    let other = Arc::clone(&script);
    [Scripted::start(move |_, _| script()), Scripted::start(move |_, _| other())]
}

fn addresses(upstreams: &[Scripted; 2]) -> [SocketAddr; 2] {
    [upstreams[0].address, upstreams[1].address]
}

fn requests(upstreams: &[Scripted; 2]) -> usize {
    upstreams.iter().map(|upstream| upstream.seen().len()).sum()
}

fn count(gateway: &Gateway, name: &str) -> f64 {
    let sample = format!("{name}{{cluster=\"origin\"}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

/// Exchanges with this status.
fn recorded(gateway: &Gateway, status: &str) -> f64 {
    let sample = format!(
        "http_server_requests_total{{http_route=\"all\",cluster=\"origin\",\
         http_response_status_code=\"{status}\"}}"
    );
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

fn status(client: &mut RawClient) -> String {
    read_response(client).0["HTTP/1.1 ".len()..][..3].to_owned()
}

#[test]
fn a_request_whose_upstream_stalls_is_answered_by_the_other() {
    let upstreams = pair(|| Reply::Stall, || FINE);
    let gateway = start(hedged(&addresses(&upstreams), 1));
    let mut client = client(&gateway);
    client.send(GET);
    assert_eq!(status(&mut client), "200");
    // One to each.
    assert!(upstreams.iter().all(|upstream| upstream.seen().len() == 1));
    assert_eq!(count(&gateway, "bulkhead_hedges_total"), 1.0);
    assert_eq!(count(&gateway, "bulkhead_hedges_won_total"), 1.0);
    assert_eq!(count(&gateway, "bulkhead_hedge_connections_closed_total"), 1.0);
    await_until(|| upstreams.iter().map(Scripted::closed).sum::<usize>() == 1);
    await_until(|| recorded(&gateway, "200") == 1.0);
    // The client's connection goes on, and so does that of the winner.
    client.send(GET);
    assert_eq!(status(&mut client), "200");
    await_until(|| recorded(&gateway, "200") == 2.0);
    assert_eq!(count(&gateway, "bulkhead_ejections_total"), 0.0);
}

#[test]
fn losing_says_nothing_about_an_endpoint() {
    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(|_, _| FINE)];
    let mut config = hedged(&addresses(&upstreams), 1);
    if let Some(ejection) =
        config.clusters.get_mut("origin").and_then(|cluster| cluster.ejection.as_mut())
    {
        ejection.consecutive_failures = 1;
    }
    let gateway = start(config);
    let mut client = client(&gateway);
    for _ in 0..6 {
        client.send(GET);
        assert_eq!(status(&mut client), "200");
    }
    assert!(upstreams[0].seen().len() >= 3);
    assert_eq!(count(&gateway, "bulkhead_ejections_total"), 0.0);
}

#[test]
fn both_attempts_give_back_what_they_hold() {
    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(|_, _| FINE)];
    let mut config = hedged(&addresses(&upstreams), 1);
    // Room for both attempts of one request.
    config.routes[0].protection.requests_max = Some(1);
    if let Some(cluster) = config.clusters.get_mut("origin") {
        cluster.protection.requests_max = Some(2);
    }
    let gateway = start(config);
    let mut client = client(&gateway);
    for _ in 0..8 {
        client.send(GET);
        assert_eq!(status(&mut client), "200");
    }
    assert!(count(&gateway, "bulkhead_hedges_total") >= 4.0);
}

#[test]
fn an_answer_that_is_no_use_does_not_win() {
    // The second attempt is refused; the first goes on, and runs out of time.
    let upstreams = pair(|| Reply::Stall, || UNAVAILABLE);
    let mut config = hedged(&addresses(&upstreams), 1);
    config.routes[0].timeouts.request = Some(Duration::from_millis(200));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send(GET);
    assert_eq!(status(&mut client), "504");
    assert_eq!(requests(&upstreams), 2);
    assert_eq!(count(&gateway, "bulkhead_hedges_won_total"), 0.0);
}

#[test]
fn requests_that_may_not_be_repeated_are_not_hedged() {
    let upstreams = pair(|| Reply::Stall, || FINE);
    let mut config = hedged(&addresses(&upstreams), 1);
    config.routes[0].timeouts.request = Some(Duration::from_millis(100));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(status(&mut client), "504");
    assert_eq!(requests(&upstreams), 1);
    assert_eq!(count(&gateway, "bulkhead_hedges_total"), 0.0);
}

#[test]
fn a_body_goes_to_both() {
    let upstreams = pair(|| Reply::Stall, || FINE);
    let gateway = start(hedged(&addresses(&upstreams), 1));
    let mut client = client(&gateway);
    client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(status(&mut client), "200");
    for upstream in &upstreams {
        assert!(upstream.seen()[0].ends_with("\r\n\r\nhi"), "{:?}", upstream.seen());
    }
}

#[test]
fn there_is_no_second_attempt_at_the_same_endpoint_nor_beyond_the_budget() {
    let upstream = Scripted::start(|_, _| Reply::Stall);
    let mut config = hedged(&[upstream.address], 1);
    config.routes[0].timeouts.request = Some(Duration::from_millis(100));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send(GET);
    assert_eq!(status(&mut client), "504");
    assert_eq!(upstream.seen().len(), 1);

    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(|_, _| Reply::Stall)];
    let mut config = hedged(&addresses(&upstreams), 1);
    config.routes[0].timeouts.request = Some(Duration::from_millis(300));
    if let Some(cluster) = config.clusters.get_mut("origin") {
        cluster.retry_budget_percent = 0;
        cluster.ejection = None;
    }
    let gateway = start(config);
    let mut clients: Vec<_> = (0..35).map(|_| crate::support::client(&gateway)).collect();
    clients.iter_mut().for_each(|client| client.send(GET));
    for client in &mut clients {
        assert_eq!(status(client), "504");
    }
    // The allowance of a quiet cluster.
    assert_eq!(count(&gateway, "bulkhead_hedges_total"), 30.0);
    assert_eq!(count(&gateway, "bulkhead_retries_refused_total"), 5.0);
    assert_eq!(recorded(&gateway, "504"), 35.0);
}

#[test]
fn when_the_first_attempt_fails_the_second_is_the_only_one() {
    // The first attempt runs into its own limit; the second, begun later, has time left.
    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(|_, _| Reply::Stall)];
    let mut config = hedged(&addresses(&upstreams), 1);
    config.routes[0].timeouts.backend_request = Some(Duration::from_millis(150));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send(GET);
    assert_eq!(status(&mut client), "504");
    assert_eq!(requests(&upstreams), 2);
    assert_eq!(recorded(&gateway, "504"), 1.0);
    assert_eq!(gateway.registry().totals().exchanges_active(), 0);
}

#[test]
fn a_refused_answer_is_followed_by_a_retry_where_the_hedge_fails_too() {
    let upstreams = pair(|| Reply::Stall, || Reply::Close);
    let mut config = hedged(&addresses(&upstreams), 1);
    config.routes[0].timeouts.backend_request = Some(Duration::from_millis(100));
    config.routes[0].retry =
        Some(RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() });
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send(GET);
    assert_eq!(status(&mut client), "200");
    assert_eq!(requests(&upstreams), 3);
    await_until(|| recorded(&gateway, "200") == 1.0);
}

#[test]
fn a_client_that_leaves_ends_both() {
    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(|_, _| Reply::Stall)];
    let gateway = start(hedged(&addresses(&upstreams), 1));
    run(async {
        // An HTTP/1 client that is gone cannot be told from one that has only said all it has to say.
        let client = connect(address(&gateway)).await;
        let mut client = client.ready().await.expect("a ready connection");
        let (response, _) = client.send_request(get("/"), true).expect("a stream");
        while requests(&upstreams) < 2 {
            tokio::task::yield_now().await;
        }
        drop(response);
        while upstreams.iter().map(Scripted::closed).sum::<usize>() < 2 {
            tokio::task::yield_now().await;
        }
    });
    await_until(|| recorded(&gateway, "none") == 1.0);
    assert_eq!(gateway.registry().totals().exchanges_active(), 0);
}

#[test]
fn both_attempts_move_with_their_client() {
    for workers in [1, 3] {
        let release = Arc::new(AtomicUsize::new(0));
        // Answers come only after the workers were killed: each upstream answers late.
        let told = Arc::clone(&release);
        let late = move |_: usize, _: &str| {
            while told.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            FINE
        };
        let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(late)];
        let gateway = start(hedged(&addresses(&upstreams), workers));
        let mut client = client(&gateway);
        client.send(GET);
        await_until(|| requests(&upstreams) == 2);
        for worker in 0..workers {
            gateway.kill_worker(worker).expect("kill the worker");
        }
        release.store(1, Ordering::SeqCst);
        assert_eq!(status(&mut client), "200");
        await_until(|| recorded(&gateway, "200") == 1.0);
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
        assert_eq!(requests(&upstreams), 2);
        await_until(|| upstreams[0].closed() == 1);
    }
}

#[test]
fn a_panic_over_the_second_attempt_costs_only_that() {
    let release = Arc::new(AtomicUsize::new(0));
    let asked = Arc::new(AtomicUsize::new(0));
    let script = {
        let (release, asked) = (Arc::clone(&release), Arc::clone(&asked));
        Arc::new(move || {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                while release.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                FINE
            } else {
                // Not acceptable: stays the second attempt's own.
                UNAVAILABLE
            }
        })
    };
    let other = Arc::clone(&script);
    let upstreams = [Scripted::start(move |_, _| script()), Scripted::start(move |_, _| other())];
    let gateway = start(hedged(&addresses(&upstreams), 1));
    let mut client = client(&gateway);
    gateway.inject(Fault::HedgePanic, 1);
    client.send(GET);
    await_until(|| gateway.registry().totals().panics == 1);
    release.store(1, Ordering::SeqCst);
    assert_eq!(status(&mut client), "200");
    await_until(|| recorded(&gateway, "200") == 1.0);
}

#[test]
fn a_drain_waits_for_the_winner() {
    let release = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&release);
    let late = move |_: usize, _: &str| {
        while told.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        FINE
    };
    let upstreams = [Scripted::start(|_, _| Reply::Stall), Scripted::start(late)];
    let gateway = start(hedged(&addresses(&upstreams), 1));
    let mut client = client(&gateway);
    client.send(GET);
    await_until(|| requests(&upstreams) == 2);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| gateway.drain(crate::support::PATIENCE));
        release.store(1, Ordering::SeqCst);
        assert_eq!(status(&mut client), "200");
        drained.join().expect("a drain");
    });
    assert_eq!(recorded(&gateway, "200"), 1.0);
}
