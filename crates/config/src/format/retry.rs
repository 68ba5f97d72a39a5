//! Retries and hedging.

use super::{BOOL, SECOND, Shape, Table, default, duration, integer, required};
use crate::scalar::Scalar;

pub(crate) static RETRY: Table = Table {
    name: "retry",
    about: "When and how often to try again, within the cluster's `retry_budget`. Another endpoint \
            is tried each time, as far as there are any. See `docs/retries.md`.",
    keys: &[
        default("attempts", integer(0, 10), "2", "Attempts beyond the first."),
        default(
            "on",
            Shape::List { item: &CONDITION, min: 1 },
            "[connect_failure, refused_stream, reset, per_try_timeout, retriable_status]",
            "What is tried again. Before a response head: `connect_failure`, `refused_stream`, \
             `reset` (or closed, or not HTTP), `per_try_timeout` (`timeouts.backend_request`). By \
             the response's status: `gateway_error` (502, 503, 504), `5xx`, `retriable_status` (see \
             `codes`). By the status of a gRPC response of trailers only: `cancelled`, \
             `deadline_exceeded`, `internal`, `resource_exhausted`, `unavailable`.",
        ),
        default(
            "codes",
            Shape::List { item: &integer(400, 599), min: 0 },
            "[]",
            "Statuses that `retriable_status` means.",
        ),
        default(
            "methods",
            Shape::Either(
                &Shape::Scalar(Scalar::Choice(&["idempotent", "any"])),
                &Shape::List { item: &Shape::Scalar(Scalar::Method), min: 1 },
            ),
            "idempotent",
            "Requests that are repeated though they may have been processed: `idempotent` ones, \
             `any`, or those with the methods of a list. What surely was not processed is tried \
             again whatever its method, and gRPC calls by their status.",
        ),
        default(
            "backoff",
            duration(0, 60 * SECOND),
            "25ms",
            "Pause before the first retry, doubled with each, with full jitter.",
        ),
        default(
            "backoff_max",
            duration(0, 300 * SECOND),
            "10s",
            "Longest pause. `retry-after` and `grpc-retry-pushback-ms` are honoured up to it; where \
             they ask for more, the response is passed on.",
        ),
        default(
            "attempt_count_header",
            BOOL,
            "false",
            "Send `x-bulkhead-attempt-count` upstream: 1 for the first attempt.",
        ),
    ],
    rules: &[],
    hints: &[
        ("retries", "it is called `attempts`"),
        ("num_retries", "it is called `attempts`"),
        ("statuses", "they are called `codes`"),
        ("retriable_status_codes", "they are called `codes`"),
        ("retry_on", "it is called `on`, a list"),
        ("per_try_timeout", "it is the route's `timeouts: {backend_request: …}`"),
    ],
};

const CONDITION: Shape = Shape::Scalar(Scalar::Choice(&[
    "connect_failure",
    "refused_stream",
    "reset",
    "per_try_timeout",
    "gateway_error",
    "5xx",
    "retriable_status",
    "cancelled",
    "deadline_exceeded",
    "internal",
    "resource_exhausted",
    "unavailable",
]));

pub(crate) static HEDGE: Table = Table {
    name: "hedge",
    about: "Sends an idempotent request, whose body is whole and kept, to a second endpoint if the \
            first one has not answered in time. The first acceptable response wins; the other \
            attempt is given up. Charged to the `retry_budget`.",
    keys: &[required(
        "delay",
        duration(1, 3_600 * SECOND),
        "How long to wait for the first response head: about the 95th percentile of what it \
         usually takes.",
    )],
    rules: &[],
    hints: &[("after", "it is called `delay`"), ("max", "there is one hedge at most")],
};
