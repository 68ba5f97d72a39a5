//! What one exchange costs in the metrics and in the access log, and what a scrape costs.
#![allow(missing_docs, reason = "criterion's macros define undocumented items")]

use std::hint::black_box;
use std::time::Duration;

use bulkhead_message::{ExchangeRecord, Outcome, Version};
use bulkhead_telemetry::{AccessLog, AccessLogOptions, AccessLogTarget, Registry};
use criterion::{Criterion, criterion_group, criterion_main};

fn exchange() -> ExchangeRecord<'static> {
    ExchangeRecord {
        client: Some([127, 0, 0, 1].into()),
        method: b"GET",
        authority: b"api.example.test",
        target: b"/api/v1/48151623/feed?limit=20",
        version: Version::Http2,
        route: "feed",
        cluster: "api",
        endpoint: "127.0.0.1:9000",
        status: 200,
        grpc_status: None,
        tunnel: None,
        outcome: Outcome::Complete,
        attempts: 1,
        request_bytes: 0,
        response_bytes: 1_024,
        duration: Duration::from_micros(830),
        revision: 1,
        request_id: None,
        fault: None,
        fault_group: None,
        tls: None,
    }
}

fn record(criterion: &mut Criterion) {
    let registry = Registry::new();
    let (shard, series) = (registry.shard(0), registry.series("feed", "api"));
    let exchange = exchange();
    criterion.bench_function("record", |bencher| {
        bencher.iter(|| shard.record(&series, black_box(&exchange)));
    });
}

fn access_log(criterion: &mut Criterion) {
    let options = AccessLogOptions {
        target: AccessLogTarget::File("/dev/null".into()),
        ..AccessLogOptions::default()
    };
    let Ok(log) = AccessLog::start(options) else { return };
    let (mut writer, exchange) = (log.writer(), exchange());
    let now = Duration::from_millis(1_700_000_000_123);
    criterion.bench_function("access_log_line", |bencher| {
        bencher.iter(|| writer.write(black_box(&exchange), now));
    });
}

fn scrape(criterion: &mut Criterion) {
    let registry = Registry::new();
    for worker in 0..8 {
        let shard = registry.shard(worker);
        for route in 0..200 {
            let series = registry.series(&format!("route-{route}"), "api");
            shard.record(&series, &exchange());
        }
    }
    criterion.bench_function("scrape_200_routes_8_workers", |bencher| {
        bencher.iter(|| registry.render().len());
    });
}

criterion_group!(benches, record, access_log, scrape);
criterion_main!(benches);
