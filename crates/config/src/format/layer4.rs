//! What is passed on as bytes: raw TCP, TLS by its server name, and the PROXY protocol.

use super::routes::BACKEND;
use super::{DAY, NAME, Shape, Table, default, duration, integer, optional};
use crate::scalar::Scalar;

const LISTENERS: Shape = Shape::List { item: &NAME, min: 1 };
const BACKENDS: Shape =
    Shape::List { item: &Shape::Either(&NAME, &Shape::Table(&BACKEND)), min: 1 };
const BACKENDS_ABOUT: &str = "Clusters by weight. A plain name is a cluster with weight 1.";
const IDLE_TIMEOUT_ABOUT: &str = "A connection on which no byte moves either way is closed after.";
const ATTEMPTS_ABOUT: &str = "Endpoints that are tried, one after the other, until a connection is up. \
                              Beyond the first they are charged to the cluster's `retry_budget`.";

pub(crate) static TCP_ROUTE: Table = Table {
    name: "tcp_route",
    about: "Where the bytes of connections go that listeners with `protocol: tcp` accept. A listener \
            has one such route.",
    keys: &[
        optional("name", NAME, "Unique name. Left out: `tcp-route-N`, N being its place from 1."),
        optional("listeners", LISTENERS, "Names of listeners. Left out: all with `protocol: tcp`."),
        super::required("backends", BACKENDS, BACKENDS_ABOUT),
        default("idle_timeout", duration(100, 7 * DAY), "1h", IDLE_TIMEOUT_ABOUT),
        default("connect_attempts", integer(1, 10), "3", ATTEMPTS_ABOUT),
    ],
    rules: &[],
    hints: &[("hostnames", "only `tls_routes` have hostnames: raw TCP tells none")],
};

pub(crate) static TLS_ROUTE: Table = Table {
    name: "tls_route",
    about: "Where TLS connections go, by the server name that their client asks for (SNI). They are \
            passed on as they are: the endpoints have the certificates. The most specific hostname \
            wins: exact, then longest wildcard, then a route without hostnames.",
    keys: &[
        optional("name", NAME, "Unique name. Left out: `tls-route-N`, N being its place from 1."),
        optional(
            "listeners",
            LISTENERS,
            "Names of listeners with `protocol: tls`, or with `protocol: http` and `tls`, which \
             terminate all other names. Left out: all with `protocol: tls`.",
        ),
        default(
            "hostnames",
            Shape::List { item: &Shape::Scalar(Scalar::Hostname), min: 0 },
            "[]",
            "Server names, exact or with a wildcard in front (`*.example.com`). Empty: any, also none.",
        ),
        super::required("backends", BACKENDS, BACKENDS_ABOUT),
        default("idle_timeout", duration(100, 7 * DAY), "1h", IDLE_TIMEOUT_ABOUT),
        default("connect_attempts", integer(1, 10), "3", ATTEMPTS_ABOUT),
    ],
    rules: &[],
    hints: &[("sni", "server names are called `hostnames`")],
};

pub(crate) static PROXY_PROTOCOL: Table = Table {
    name: "proxy_protocol",
    about: "The PROXY protocol (version 1 or 2) in front of what clients say: the client's address \
            is the one that it tells.",
    keys: &[
        default(
            "accept",
            Shape::Scalar(Scalar::Choice(&["required", "optional"])),
            "required",
            "`required`: connections without it, or from other sources, are closed. `optional`: they \
             are served as what they are; a header from other sources is not looked for.",
        ),
        default(
            "trusted_sources",
            Shape::List { item: &Shape::Scalar(Scalar::Network), min: 0 },
            "[]",
            "Networks whose word is taken: `10.0.0.0/8`, `::1`. Needed, but for a Unix socket, whose \
             permissions say who may connect.",
        ),
    ],
    rules: &[],
    hints: &[("trusted_ips", "they are called `trusted_sources`")],
};
