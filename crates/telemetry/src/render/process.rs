//! Metrics of the workers, of the gateway as a whole, and of its process.

use super::{CounterOf, Exposition, Kind, View, single};
use crate::process::ProcessFacts;
use crate::shard::Shard;

pub(super) fn workers(out: &mut Exposition, view: &View<'_>) {
    let counters: [CounterOf<Shard>; 6] = [
        ("bulkhead_worker_exchanges_total", "Exchanges finished, by worker.", |shard| {
            &shard.exchanges_finished
        }),
        ("bulkhead_worker_loop_turns_total", "Turns of the event loop.", |shard| &shard.loop_turns),
        ("bulkhead_worker_loop_events_total", "Events handled.", |shard| &shard.loop_events),
        ("bulkhead_worker_evacuated_out_total", "Connections handed over.", |shard| {
            &shard.evacuated_out
        }),
        ("bulkhead_worker_evacuated_in_total", "Connections taken over.", |shard| {
            &shard.evacuated_in
        }),
        ("bulkhead_worker_panics_total", "Panics that cost one exchange or connection.", |shard| {
            &shard.panics
        }),
    ];
    for (family, help, counter) in counters {
        out.family(family, Kind::Counter, help);
        for (worker, shard) in &view.shards {
            out.sample(&[("worker", &worker.to_string())], counter(shard).get());
        }
    }
    out.family("bulkhead_worker_cpu_seconds_total", Kind::Counter, "CPU time of the thread.");
    for (worker, shard) in &view.shards {
        out.sample(&[("worker", &worker.to_string())], shard.cpu().as_secs_f64());
    }
    single(out, view, "bulkhead_jwt_cache_hits_total", "Tokens found in the cache.", |shard| {
        &shard.jwt_hits
    });
    single(out, view, "bulkhead_jwt_cache_misses_total", "Tokens verified.", |shard| {
        &shard.jwt_misses
    });
    out.family("bulkhead_jwt_cache_entries", Kind::Gauge, "Tokens in the caches.");
    out.sample(&[], view.sum(|shard| &shard.jwt_entries));
    single(out, view, "bulkhead_access_log_dropped_total", "Access log lines dropped.", |shard| {
        &shard.access_log_dropped
    });
}

pub(super) fn gateway(out: &mut Exposition, view: &View<'_>) {
    let shared = &view.registry.shared;
    for (family, help, value) in [
        (
            "bulkhead_workers_killed_total",
            "Workers killed on purpose.",
            shared.workers_killed.get(),
        ),
        (
            "bulkhead_workers_retired_total",
            "Workers ended because the pool has shrunk.",
            shared.workers_retired.get(),
        ),
        ("bulkhead_workers_started_total", "Workers started.", shared.workers_started.get()),
        (
            "bulkhead_workers_panicked_total",
            "Workers ended by a panic.",
            shared.workers_panicked.get(),
        ),
        (
            "bulkhead_connections_lost_total",
            "Connections that could not be evacuated.",
            shared.connections_lost.get(),
        ),
        ("bulkhead_configs_applied_total", "Configurations applied.", shared.configs_applied.get()),
        (
            "bulkhead_configs_rejected_total",
            "Configurations refused.",
            shared.configs_rejected.get(),
        ),
    ] {
        out.family(family, Kind::Counter, help);
        out.sample(&[], value);
    }
    out.family("bulkhead_config_revision", Kind::Gauge, "Revision in force.");
    out.sample(&[], shared.revision.get());
    out.family(
        "bulkhead_build_info",
        Kind::Gauge,
        "Version of the gateway; the value is always 1.",
    );
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

pub(super) fn process(out: &mut Exposition) {
    let facts = ProcessFacts::read();
    if let Some(seconds) = facts.cpu_seconds {
        out.family("process_cpu_seconds_total", Kind::Counter, "User and system CPU time.");
        out.sample(&[], seconds);
    }
    for (family, help, value) in [
        ("process_resident_memory_bytes", "Resident memory.", facts.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory.", facts.virtual_bytes),
        ("process_threads", "Threads.", facts.threads),
        ("process_open_fds", "Open file descriptors.", facts.open_files),
        ("process_max_fds", "Limit of open file descriptors.", facts.open_files_max),
    ] {
        if let Some(value) = value {
            out.family(family, Kind::Gauge, help);
            out.sample(&[], value);
        }
    }
}
