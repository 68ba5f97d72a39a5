//! Faults that cost one exchange, and that one only.

use bulkhead_config::model::Protocol;
use http::StatusCode;

use crate::http2::{connect, exchange, get, run};
use crate::support::{address, config, feed, origin, start};

#[test]
fn a_panic_on_one_stream_leaves_the_others_of_its_connection() {
    run(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            let client = connect(address(&gateway)).await;
            let slow: Vec<_> = (0..5)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { exchange(&client, get("/delay/100"), None).await })
                })
                .collect();
            // In flight once the origin has them all: the panic must hit none of these.
            while origin.stats().requests_total() < 5 {
                tokio::task::yield_now().await;
            }
            gateway.panic_exchanges(1);
            if let Ok((head, ..)) = exchange(&client, get("/api/v1/1/feed"), None).await {
                assert_eq!(head.status(), StatusCode::INTERNAL_SERVER_ERROR, "{protocol:?}");
            }
            for slow in slow {
                let (head, ..) = slow.await.expect("no panic").expect("an answer");
                assert_eq!(head.status(), StatusCode::OK, "{protocol:?}");
            }
            let (_, body, _) =
                exchange(&client, get("/api/v1/2/feed"), None).await.expect("an answer");
            assert_eq!(body, feed(2));
            let metrics = gateway.registry().render();
            assert!(metrics.contains("bulkhead_worker_panics_total{worker=\"0\"} 1"), "{metrics}");
            assert!(metrics.contains("http_server_active_requests 0"), "{metrics}");
            assert_eq!(gateway.evacuation_totals().killed, 0);
        }
    });
}
