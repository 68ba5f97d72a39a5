//! Workers die; what they served goes on.

use bulkhead_config::model::Protocol;
use bulkhead_gateway::KillError;

use crate::support::{client, config, feed, origin, read_response, start};

#[test]
fn connections_and_requests_in_flight_survive_their_worker() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let gateway = start(config(origin.addr(), protocol, 4));
        let mut clients: Vec<_> = (0..40).map(|_| client(&gateway)).collect();
        for round in 0..6u64 {
            // Half of the requests are answered late: they are in flight when the worker dies.
            for (user, client) in clients.iter_mut().enumerate() {
                let path = if user % 2 == 0 {
                    format!("/api/v1/{user}/feed")
                } else {
                    "/delay/60".to_owned()
                };
                client.send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
            }
            gateway.kill_worker(round as usize % 4).expect("kill a worker");
            for (user, client) in clients.iter_mut().enumerate() {
                let (head, body) = read_response(client);
                assert!(head.starts_with("HTTP/1.1 200"), "{protocol:?} {head}");
                if user % 2 == 0 {
                    assert_eq!(body, feed(user as u64));
                }
            }
        }
        let totals = gateway.evacuation_totals();
        assert_eq!((totals.killed, totals.lost_connections), (6, 0));
        assert!(totals.evacuated_connections > 0);
        let workers = gateway.workers();
        assert_eq!(workers.iter().map(|worker| worker.generation).sum::<u64>(), 6);
    }
}

#[test]
fn the_only_worker_is_its_own_heir() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    for _ in 0..3 {
        client.send("GET /delay/30 HTTP/1.1\r\nhost: a.example\r\n\r\n");
        gateway.kill_worker(0).expect("kill the worker");
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    assert_eq!(gateway.kill_worker(9), Err(KillError::Unknown(9)));
    gateway.drain(std::time::Duration::ZERO);
    assert_eq!(gateway.kill_worker(0), Err(KillError::Draining(0)));
}

#[test]
fn a_panic_in_an_exchange_costs_only_that_exchange() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    gateway.panic_exchanges(1);
    client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 500"));
    client.send("GET /api/v1/2/feed HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(2));
    assert_eq!(gateway.evacuation_totals().killed, 0);
}

#[test]
fn a_panic_in_a_connection_costs_only_that_connection() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut bystander = client(&gateway);
    bystander.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut bystander).1, feed(1));
    let mut victim = client(&gateway);
    gateway.panic_connections(1);
    victim.send("GET /api/v1/2/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(victim.read_to_end().is_empty());
    bystander.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut bystander).1, feed(3));
    assert_eq!(gateway.evacuation_totals().killed, 0);
    assert!(gateway.registry().render().contains("bulkhead_worker_panics_total{worker=\"0\"} 1"));
}
