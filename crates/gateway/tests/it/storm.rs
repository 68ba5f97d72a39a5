//! Many kills under mixed traffic: the races of evacuation, looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use http::Request;

use crate::http2::{connect, exchange, get, grpc, run};
use crate::support::{PATIENCE, address, client, config, feed, origin, read_response, start};

#[test]
fn a_hundred_kills_under_mixed_traffic_cost_nothing() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let gateway = Arc::new(start(config(origin.addr(), protocol, 4)));
        let traffic = Arc::new(Traffic::default());
        std::thread::scope(|scope| {
            for user in 0..3u64 {
                let (gateway, traffic) = (gateway.clone(), traffic.clone());
                scope.spawn(move || {
                    let mut client = client(&gateway);
                    while traffic.goes_on() {
                        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
                        assert_eq!(read_response(&mut client).1, feed(user));
                    }
                });
            }
            let (killer, killed) = (gateway.clone(), traffic.clone());
            scope.spawn(move || {
                for kill in 0..100usize {
                    killed.wait_for_answers(20);
                    killer.kill_worker(kill * 7 % 4).expect("kill a worker");
                }
                killed.done.store(true, Ordering::Relaxed);
            });
            run(mixed(&gateway, &traffic));
        });
        let totals = gateway.evacuation_totals();
        assert_eq!((totals.killed, totals.lost_connections), (100, 0), "{protocol:?}");
    }
}

/// What goes on while workers are killed.
#[derive(Default)]
struct Traffic {
    answers: AtomicU64,
    done: AtomicBool,
}

impl Traffic {
    /// Counts an answer; false: it is over.
    fn goes_on(&self) -> bool {
        self.answers.fetch_add(1, Ordering::Relaxed);
        !self.done.load(Ordering::Relaxed)
    }

    fn wait_for_answers(&self, count: u64) {
        let until = self.answers.load(Ordering::Relaxed) + count;
        let started = std::time::Instant::now();
        // Where traffic has ended in a failed check, that is what the test is to tell.
        while self.answers.load(Ordering::Relaxed) < until && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}

async fn mixed(gateway: &bulkhead_gateway::Gateway, traffic: &Arc<Traffic>) {
    let mut tasks = Vec::new();
    for number in 0..4u64 {
        let client = connect(address(gateway)).await;
        for stream in 0..6u64 {
            let (client, traffic) = (client.clone(), traffic.clone());
            tasks.push(tokio::spawn(async move {
                let mut round = number * 10 + stream;
                while traffic.goes_on() {
                    round += 1;
                    match round % 3 {
                        0 => {
                            let request = get(&format!("/api/v1/{round}/feed"));
                            let answer = exchange(&client, request, None).await.expect("answer");
                            assert_eq!(answer.0.status(), 200);
                            assert_eq!(answer.1, feed(round));
                        }
                        1 => {
                            let size = (round * 7_919 % 200_000) as usize;
                            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
                            let request = Request::post("http://a/echo").body(()).expect("valid");
                            let sent = Some(Bytes::from(body.clone()));
                            let answer = exchange(&client, request, sent).await.expect("answer");
                            let head = answer.0;
                            let text = String::from_utf8_lossy(&answer.1[..answer.1.len().min(80)]);
                            assert_eq!(head.status(), 200, "{text}");
                            assert!(answer.1 == body, "an echo of {size} bytes differs");
                        }
                        _ => {
                            let mut message = Vec::new();
                            bulkhead_origin::feed::push_grpc_request(round, &mut message);
                            let request = grpc("/feed.v1.Feed/Get");
                            let answer = exchange(&client, request, Some(message.into()))
                                .await
                                .expect("answer");
                            let headers = answer.0.headers().clone();
                            let trailers = answer.2.unwrap_or(headers);
                            assert_eq!(trailers["grpc-status"], "0", "{trailers:?}");
                        }
                    }
                }
            }));
        }
    }
    for task in tasks {
        task.await.expect("every answer is right");
    }
}

#[test]
fn two_workers_that_die_at_once_leave_nothing_behind() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 2));
    let mut client = client(&gateway);
    for user in 0..20 {
        client.send("GET /delay/10 HTTP/1.1\r\nhost: a\r\n\r\n");
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let gateway = &gateway;
                scope.spawn(move || gateway.kill_worker(worker).expect("kill a worker"));
            }
        });
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut client).1, feed(user));
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    assert_eq!(gateway.registry().totals().exchanges_active(), 0);
}
