//! Metrics of exchanges: how many, with what status, how large and how long.

use std::collections::BTreeMap;

use super::{Exposition, Kind, View, histogram, sum};
use crate::counter::Counter;
use crate::histogram::ExportedSum;
use crate::series::{ExchangeCells, STATUS_CLASSES, VERSIONS};

pub(super) fn exchanges(out: &mut Exposition, view: &View<'_>) {
    out.family("http_server_requests_total", Kind::Counter, "Exchanges finished, by exact status.");
    for (id, name) in view.exchanges.iter().enumerate() {
        let mut statuses = BTreeMap::new();
        for cells in view.exchange_cells(id) {
            cells.statuses.add_to(&mut statuses);
        }
        for (status, count) in statuses {
            let code = match status {
                None => "other".to_owned(),
                Some(0) => "none".to_owned(),
                Some(code) => code.to_string(),
            };
            let labels = [
                ("http_route", name.0.as_str()),
                ("cluster", name.1.as_str()),
                ("http_response_status_code", &code),
            ];
            out.sample(&labels, count);
        }
    }
    out.family("http_server_active_requests", Kind::Gauge, "Exchanges in flight.");
    // Finished ones are read first: an exchange that ends meanwhile must not make this negative.
    let finished = view.sum(|shard| &shard.exchanges_finished);
    let started = view.sum(|shard| &shard.exchanges_started);
    out.sample(&[], started.saturating_sub(finished));

    bytes(
        out,
        view,
        "http_server_request_body_bytes_total",
        "Request body bytes received.",
        |cells| &cells.request_bytes,
    );
    bytes(
        out,
        view,
        "http_server_response_body_bytes_total",
        "Response body bytes sent.",
        |cells| &cells.response_bytes,
    );
}

fn bytes(
    out: &mut Exposition,
    view: &View<'_>,
    family: &'static str,
    help: &str,
    counter: impl Fn(&ExchangeCells) -> &Counter,
) {
    out.family(family, Kind::Counter, help);
    for (id, name) in view.exchanges.iter().enumerate() {
        let bytes = sum(view.exchange_cells(id), |cells| counter(cells).get());
        if let Some(sum) = bytes {
            out.sample(&[("http_route", &name.0), ("cluster", &name.1)], sum);
        }
    }
}

pub(super) fn durations(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "http_server_request_duration_seconds",
        Kind::Histogram,
        "From the request head decoded to the end of the exchange.",
    );
    for (id, name) in view.exchanges.iter().enumerate() {
        for (class, class_name) in STATUS_CLASSES.iter().enumerate() {
            for (version, version_name) in VERSIONS.iter().enumerate() {
                let mut sum = ExportedSum::default();
                for cells in view.exchange_cells(id) {
                    cells.add_duration_to(class, version, &mut sum);
                }
                let labels = [
                    ("http_route", name.0.as_str()),
                    ("http_response_status_class", class_name),
                    ("network_protocol_version", version_name.as_str()),
                    ("cluster", name.1.as_str()),
                ];
                histogram(out, &labels, &sum);
            }
        }
    }
}
