//! Mirroring.

use super::{NAME, Shape, Table, default, integer, optional, required, size};
use crate::scalar::Scalar;

pub(crate) static MIRROR: Table = Table {
    name: "request_mirror",
    about: "Sends a copy of the request to another cluster, with `x-bulkhead-mirror: true`, and throws \
            the response away. The request itself neither waits for it nor fails by it. At most one \
            for each route; it takes the request as it is after all filters. Not of CONNECT, \
            upgrades, or requests with `expect: 100-continue`.",
    keys: &[
        required("backend", NAME, "Name of one of `clusters`."),
        optional(
            "percent",
            Shape::Scalar(Scalar::Percent { min: 0, max: 100 }),
            "Share of the requests, drawn by chance. Left out: all of them, or `fraction`.",
        ),
        optional("fraction", Shape::Table(&FRACTION), "The same, for finer shares."),
        default(
            "buffer_bytes_max",
            size(0, 1 << 30),
            "64KiB",
            "Bytes of the request body that the copy may be behind; one that falls back further is \
             cut off.",
        ),
        default(
            "in_flight_max",
            integer(1, 1_000_000),
            "256",
            "Copies in flight per worker, of all routes; at that many there is no further one.",
        ),
    ],
    rules: &[],
    hints: &[
        ("cluster", "it is called `backend`"),
        ("backend_ref", "it is called `backend`"),
        ("runtime_fraction", "write `percent: 10%`, or `fraction`"),
    ],
};

static FRACTION: Table = Table {
    name: "fraction",
    about: "So many of so many.",
    keys: &[
        required("numerator", integer(0, 1_000_000_000), "So many; at most `denominator`."),
        default("denominator", integer(1, 1_000_000_000), "100", "Of so many."),
    ],
    rules: &[],
    hints: &[],
};
