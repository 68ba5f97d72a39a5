//! How an endpoint is chosen: algorithms, affinity, zones, subsets.

use super::{
    BOOL, DAY, PATH, Rule, SECOND, Shape, TEXT, Table, default, duration, integer, optional,
    required,
};
use crate::scalar::Scalar;

/// Value of `balance`.
pub(super) const BALANCE: Shape = Shape::Either(
    &Shape::Scalar(Scalar::Choice(&[
        "least_request",
        "round_robin",
        "random",
        "peak_ewma",
        "ring_hash",
        "maglev",
    ])),
    &Shape::Table(&ALGORITHM),
);

/// Value of `hash_on`.
pub(super) const HASH_ON: Shape = Shape::List { item: &Shape::Table(&HASH_SOURCE), min: 1 };

/// Free labels of an endpoint, or those that a subset asks for.
pub(super) const LABELS: Shape = Shape::Map { key: Scalar::Name, value: &TEXT };

static ALGORITHM: Table = Table {
    name: "balance",
    about: "An algorithm by hash, with its settings.",
    keys: &[
        optional("ring_hash", Shape::Table(&RING_HASH), "A hash ring."),
        optional("maglev", Shape::Table(&MAGLEV), "A Maglev table."),
    ],
    rules: &[Rule::ExactlyOne(&["ring_hash", "maglev"])],
    hints: &[
        ("least_request", "it has no settings: write `balance: least_request`"),
        ("round_robin", "it has no settings: write `balance: round_robin`"),
        ("random", "it has no settings: write `balance: random`"),
        ("peak_ewma", "it has no settings: write `balance: peak_ewma`"),
    ],
};

const HASH_BALANCE_FACTOR: &str = "Bounded load: an endpoint takes at most this share of the average load, in requests in flight \
     per worker; further ones go to the next endpoint for their hash. Left out: no bound.";

static RING_HASH: Table = Table {
    name: "ring_hash",
    about: "Each endpoint has points on a ring by its weight; a request goes to the next point from \
            its hash. When an endpoint leaves, only its own requests move.",
    keys: &[
        default(
            "minimum_ring_size",
            integer(1, 8_388_608),
            "1024",
            "Points at least. More points make shares more even.",
        ),
        default(
            "maximum_ring_size",
            integer(1, 8_388_608),
            "8388608",
            "Points at most, of 16 bytes per worker; but each endpoint has one.",
        ),
        optional(
            "hash_balance_factor",
            Shape::Scalar(Scalar::Percent { min: 100, max: 10_000 }),
            HASH_BALANCE_FACTOR,
        ),
    ],
    rules: &[],
    hints: &[],
};

static MAGLEV: Table = Table {
    name: "maglev",
    about: "A table in which each endpoint has its exact share. When one leaves, a few requests of \
            others move as well.",
    keys: &[
        default(
            "table_size",
            integer(2, 5_000_011),
            "65537",
            "Entries, a prime number, of 4 bytes per worker; at least a hundred per endpoint.",
        ),
        optional(
            "hash_balance_factor",
            Shape::Scalar(Scalar::Percent { min: 100, max: 10_000 }),
            HASH_BALANCE_FACTOR,
        ),
    ],
    rules: &[],
    hints: &[],
};

static HASH_SOURCE: Table = Table {
    name: "hash_source",
    about: "Something of a request that is hashed. The first source that a request has is taken; \
            without any, the endpoint is chosen at random.",
    keys: &[
        optional("header", Shape::Scalar(Scalar::HeaderName), "Value of a request header."),
        optional(
            "cookie",
            Shape::Table(&AFFINITY_COOKIE),
            "Value of a cookie. A client that sends none is given one with a random value; so \
             nothing that stands after it in the list is ever looked at.",
        ),
        optional("source_ip", Shape::Scalar(Scalar::True), "IP address of the connection."),
        optional("query_param", TEXT, "Value of a query parameter, as it stands in the request."),
    ],
    rules: &[Rule::ExactlyOne(&["header", "cookie", "source_ip", "query_param"])],
    hints: &[
        ("query", "it is called `query_param`"),
        ("ip", "write `source_ip: true`"),
        ("client_ip", "write `source_ip: true`"),
    ],
};

static AFFINITY_COOKIE: Table = Table {
    name: "affinity_cookie",
    about: "A cookie for affinity. It is set with `HttpOnly`, `SameSite=Lax` and, towards clients \
            with TLS, `Secure`; its value is a random number and tells nothing of endpoints.",
    keys: &[
        required("name", Shape::Scalar(Scalar::CookieName), "Its name."),
        optional(
            "ttl",
            duration(SECOND, 3_650 * DAY),
            "How long clients keep it. Left out: until they close.",
        ),
        default("path", PATH, "/", "Path that it is for."),
    ],
    rules: &[],
    hints: &[("max_age", "it is called `ttl`")],
};

pub(super) static LOCALITY: Table = Table {
    name: "locality",
    about: "Zones and priorities. Endpoints of the lowest `priority` are used first, and among these, \
            with `prefer_local`, those in the gateway's own `zone`. What they cannot take goes to \
            the next.",
    keys: &[
        default(
            "prefer_local",
            BOOL,
            "false",
            "Whether endpoints in the gateway's own zone come first.",
        ),
        default(
            "local_endpoints_min",
            integer(1, 1_000_000),
            "1",
            "Only if so many endpoints are in it: a smaller zone could not carry the requests.",
        ),
        default(
            "overprovisioning_factor",
            Shape::Scalar(Scalar::Percent { min: 100, max: 10_000 }),
            "140%",
            "How much more than its share a zone or priority can carry: with 140% it takes all \
             requests while 72% of it (by weight) is available, and below a share that shrinks with it.",
        ),
        optional(
            "spill_over_requests",
            integer(1, 1_000_000),
            "Requests in flight at an endpoint, per worker, with which it is full: more go to the \
             next zone or priority that has room. Left out: never.",
        ),
    ],
    rules: &[],
    hints: &[
        (
            "zone",
            "the gateway's zone stands at the top of the file, an endpoint's beside its address",
        ),
        ("overprovisioning", "it is called `overprovisioning_factor`"),
    ],
};
