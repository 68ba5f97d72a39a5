//! What is done when not everything can be served: pressure on the process, limits of clusters.

use super::{SECOND, Shape, Table, default, duration, integer, optional, size};
use crate::scalar::Scalar;

/// What a route's requests are worth when not all can be served.
pub(crate) const PRIORITY: Shape =
    Shape::Scalar(Scalar::Choice(&["sheddable", "default", "critical"]));

pub(crate) static OVERLOAD: Table = Table {
    name: "overload",
    about: "When the gateway itself is pressed for memory or time, it answers some requests at once \
            with 503 and `retry-after` (gRPC: `RESOURCE_EXHAUSTED`), by the `priority` of their \
            routes, so that the others are served well.",
    keys: &[
        optional(
            "memory_max",
            Shape::OrOff(&size(1 << 24, 1 << 50)),
            "Resident memory of the process. From 85 % of it on, sheddable requests are shed, from 92 % \
             on default ones too; from 97 % on nothing new is accepted or served. Left out: nine \
             tenths of the memory limit of the cgroup, if there is one.",
        ),
        default(
            "loop_delay_max",
            Shape::OrOff(&duration(1, 60 * SECOND)),
            "off",
            "How long one turn of a worker's loop may take on average: so long a request waits \
             before the worker sees it. From half of it on, sheddable requests are shed, from all of \
             it on default ones too.",
        ),
    ],
    rules: &[],
    hints: &[("memory", "the ceiling is called `memory_max`")],
};

pub(crate) static ADAPTIVE_CONCURRENCY: Table = Table {
    name: "adaptive_concurrency",
    about: "A limit on the requests that wait for an answer of the cluster, learnt from its latency: \
            it grows while answers stay as fast as they are at their best, and shrinks when they \
            queue. Requests beyond it are answered at once with 503 and `retry-after` (gRPC: \
            `RESOURCE_EXHAUSTED`): sheddable ones from four fifths of the limit on, critical ones \
            only a tenth above it. All numbers count per worker.",
    keys: &[
        default("initial", integer(1, 1_000_000), "100", "Limit to begin with."),
        default("min", integer(1, 1_000_000), "2", "The limit never goes below."),
        default("max", integer(1, 1_000_000), "1000", "The limit never goes above."),
        default(
            "tolerance",
            Shape::Scalar(Scalar::Percent { min: 1, max: 1_000 }),
            "25%",
            "By how much the median latency may exceed the best median before the limit shrinks.",
        ),
        default(
            "window",
            duration(10, 60 * SECOND),
            "100ms",
            "Time over which latencies are collected for one step, at least 20 of them.",
        ),
        default(
            "probe_interval",
            duration(SECOND, 3_600 * SECOND),
            "30s",
            "How often the best median is measured anew; under load this halves the limit for a few \
             windows.",
        ),
    ],
    rules: &[],
    hints: &[
        ("initial_limit", "it is called `initial`"),
        ("min_limit", "it is called `min`"),
        ("max_limit", "it is called `max`"),
    ],
};
