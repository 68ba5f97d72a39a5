//! Connections that always carry requests are spread among the workers as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;
use bulkhead_origin::Origin;
use bytes::Bytes;
use http::Request;

use crate::http2::{Client, connect, exchange, get, run};
use crate::support::{address, config, origin, start};

/// Clients that ask all the time, each with requests that overlap.
struct Busy {
    done: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Busy {
    fn new() -> Self {
        Self { done: Arc::default(), answered: Arc::default(), tasks: Vec::new() }
    }

    /// Asks for this over and over until [`Self::end`].
    fn ask(&mut self, client: &Client, path: &'static str) {
        let (client, done, answered) = (client.clone(), self.done.clone(), self.answered.clone());
        self.tasks.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let (head, ..) = exchange(&client, get(path), None).await.expect("an answer");
                assert_eq!(head.status(), 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }

    async fn end(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no request failed");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// One worker, which gives connections away when there is another one.
fn rebalancing(origin: &Origin) -> Gateway {
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.rebalance = true;
    start(config)
}

/// Eight clients of one worker, each with requests in flight at any time, and then two workers, until
/// both have their share.
async fn spread(gateway: &Gateway, busy: &mut Busy, also: impl AsyncFn(&Client)) {
    let mut clients = Vec::new();
    for _ in 0..8 {
        let client = connect(address(gateway)).await;
        also(&client).await;
        for path in ["/delay/20", "/delay/25", "/delay/30"] {
            busy.ask(&client, path);
        }
        clients.push(client);
    }
    while busy.answered.load(Ordering::Relaxed) < 24 {
        tokio::task::yield_now().await;
    }
    gateway.resize(2).expect("resize");
    while !gateway.workers().iter().all(|worker| worker.connections >= 3) {
        tokio::task::yield_now().await;
    }
}

#[test]
fn busy_connections_that_gathered_at_one_worker_spread_and_lose_nothing() {
    let origin = origin();
    let gateway = rebalancing(&origin);
    run(async {
        let mut busy = Busy::new();
        spread(&gateway, &mut busy, async |_| {}).await;
        let before = busy.answered.load(Ordering::Relaxed);
        while busy.answered.load(Ordering::Relaxed) < before + 100 {
            tokio::task::yield_now().await;
        }
        assert!(busy.end().await > 124);
    });
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}

#[test]
fn an_upload_under_way_keeps_its_connection_where_it_is() {
    let origin = origin();
    let gateway = rebalancing(&origin);
    run(async {
        let mut busy = Busy::new();
        let (uploads, at) = (std::cell::RefCell::new(Vec::new()), std::cell::Cell::new(0));
        spread(&gateway, &mut busy, async |client: &Client| {
            at.set(at.get() + 1);
            if at.get() > 2 {
                return;
            }
            let upload = Request::post("http://a.example/echo").body(()).expect("a request");
            let mut client = client.clone().ready().await.expect("ready");
            uploads.borrow_mut().push(client.send_request(upload, false).expect("sent"));
        })
        .await;
        for (response, mut body) in uploads.take() {
            body.send_data(Bytes::from_static(b"late"), true).expect("sent");
            let mut echoed = response.await.expect("an answer").into_body();
            assert_eq!(echoed.data().await.expect("a body").expect("bytes"), "late");
        }
        busy.end().await;
    });
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}
