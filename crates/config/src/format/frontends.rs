//! The file itself, its listeners, limits, admin server and access log.

use super::backends::{CLUSTER, JWT_PROVIDER};
use super::discovery::DNS;
use super::edge::{FORWARDING, PATH_NORMALIZATION, REQUEST_ID};
use super::keep_alive;
use super::layer4::{PROXY_PROTOCOL, TCP_ROUTE, TLS_ROUTE};
use super::overload::OVERLOAD;
use super::routes::ROUTE;
use super::tls::{ACME, LISTENER_TLS};
use super::{
    ADDRESS, BOOL, DAY, FILE_NAME, LISTEN_ADDRESS, NAME, Rule, SECOND, Shape, Table, default,
    duration, integer, optional, required, size,
};
use crate::scalar::Scalar;

pub(crate) static FILE: Table = Table {
    name: "file",
    about: "The keys at the top of the file.",
    keys: &[
        optional(
            "workers",
            integer(1, 1_024),
            "Number of workers. Left out: as many as the machine or its cgroup grants CPUs.",
        ),
        default(
            "worker_affinity",
            Shape::Either(
                &Shape::Scalar(Scalar::Choice(&["off", "auto"])),
                &Shape::List { item: &integer(0, 1_023), min: 1 },
            ),
            "off",
            "CPUs that workers are pinned to: `auto` takes those that the process may use, a list \
             these, one worker each in turn. Read at start.",
        ),
        default(
            "numa",
            Shape::Scalar(Scalar::Choice(&["off", "auto"])),
            "off",
            "`auto`: on machines with several memory nodes workers are spread over them and stay \
             there, with the memory that they use. Read at start.",
        ),
        default(
            "rebalance",
            Shape::Scalar(Scalar::Choice(&["off", "auto"])),
            "off",
            "`auto`: a worker that has had half as many connections again as the mean for seconds \
             gives some to the one that has least, between two of their requests.",
        ),
        optional(
            "zone",
            NAME,
            "The zone that the gateway runs in. Left out: what the environment variable \
             `BULKHEAD_ZONE` says, if it is set.",
        ),
        required(
            "listeners",
            Shape::List { item: &Shape::Table(&LISTENER), min: 1 },
            "Where connections are accepted.",
        ),
        optional(
            "routes",
            Shape::List { item: &Shape::Table(&ROUTE), min: 1 },
            "Which request goes where. The most specific match wins, not the first.",
        ),
        optional(
            "tcp_routes",
            Shape::List { item: &Shape::Table(&TCP_ROUTE), min: 1 },
            "Where the bytes of listeners with `protocol: tcp` go.",
        ),
        optional(
            "tls_routes",
            Shape::List { item: &Shape::Table(&TLS_ROUTE), min: 1 },
            "Where TLS connections that are passed on go, by server name.",
        ),
        default(
            "clusters",
            Shape::Map { key: Scalar::Name, value: &Shape::Table(&CLUSTER) },
            "{}",
            "Sets of endpoints that answer the same requests, by name.",
        ),
        default("dns", Shape::Table(&DNS), "{}", "How names of endpoints are looked up."),
        default(
            "jwt_providers",
            Shape::Map { key: Scalar::Name, value: &Shape::Table(&JWT_PROVIDER) },
            "{}",
            "Issuers of tokens, by name.",
        ),
        optional(
            "acme",
            Shape::Table(&ACME),
            "Certificates obtained by ACME (RFC 8555), e.g. from Let's Encrypt. Left out: none.",
        ),
        default("limits", Shape::Table(&LIMITS), "{}", "Limits of connections and exchanges."),
        default("forwarding", Shape::Table(&FORWARDING), "{}", "Who asked."),
        optional("request_id", Shape::Table(&REQUEST_ID), "Ids of requests. Left out: none."),
        default(
            "path_normalization",
            Shape::OrOff(&Shape::Table(&PATH_NORMALIZATION)),
            "{}",
            "Spelling of paths; `off`: they are matched and sent as they come.",
        ),
        default(
            "overload",
            Shape::Table(&OVERLOAD),
            "{}",
            "What is done when the gateway itself is pressed.",
        ),
        optional("admin", Shape::Table(&ADMIN), "The admin server. Left out: none."),
        optional(
            "access_log",
            Shape::Either(&Shape::Scalar(Scalar::Choice(&["stdout"])), &Shape::Table(&ACCESS_LOG)),
            "JSON access log, one line per exchange: `stdout`, or a file. Left out: none.",
        ),
    ],
    rules: &[Rule::AtLeastOne(&["routes", "tcp_routes", "tls_routes"])],
    hints: &[
        ("upstreams", "sets of endpoints are called `clusters` here"),
        ("services", "sets of endpoints are called `clusters` here"),
        ("servers", "write `listeners` for where to accept, `clusters` for where to send to"),
        ("http", "the keys of the file stand at its top, without `http` around them"),
        ("version", "the format has no version key: remove it"),
        ("apiVersion", "this is no Kubernetes manifest: the keys stand at the top of the file"),
        ("kind", "this is no Kubernetes manifest: the keys stand at the top of the file"),
    ],
};

static LISTENER: Table = Table {
    name: "listener",
    about: "One address where connections are accepted. Without `tls` it takes HTTP/1.1 and \
            HTTP/2 with prior knowledge on the same port.",
    keys: &[
        optional("name", NAME, "Unique name. Left out: `listener-N`, N being its place from 1."),
        required(
            "address",
            LISTEN_ADDRESS,
            "IP address and port, e.g. `0.0.0.0:8080` or `[::]:8080`, or a Unix socket: a path \
             (`unix:/run/bulkhead.sock`) or an abstract name (`unix:@bulkhead`).",
        ),
        optional(
            "socket_mode",
            Shape::Scalar(Scalar::FileMode),
            "Permissions of the Unix socket's file: `0660`. Left out: what the umask leaves of 0777.",
        ),
        default(
            "protocol",
            Shape::Scalar(Scalar::Choice(&["http", "tcp", "tls"])),
            "http",
            "`http`: requests, for `routes`. `tcp`: bytes, for `tcp_routes`. `tls`: TLS that is passed \
             on by its server name, for `tls_routes`.",
        ),
        optional(
            "proxy_protocol",
            Shape::Table(&PROXY_PROTOCOL),
            "PROXY protocol in front of what clients say. Left out: the client is who connects.",
        ),
        optional("tls", Shape::Table(&LISTENER_TLS), "TLS. Left out: cleartext."),
        default(
            "protocols",
            Shape::List { item: &Shape::Scalar(Scalar::Choice(&["http1", "http2"])), min: 1 },
            "[http1, http2]",
            "Versions of HTTP offered, by ALPN with TLS and by the first bytes without.",
        ),
    ],
    rules: &[],
    hints: &[
        ("listen", "the address to listen on is called `address`"),
        ("bind", "the address to listen on is called `address`"),
        ("host", "write host and port together: `address: 0.0.0.0:8080`"),
        ("port", "write host and port together: `address: 0.0.0.0:8080`"),
    ],
};

static LIMITS: Table = Table {
    name: "limits",
    about: "Limits and time-outs of downstream connections and of exchanges.",
    keys: &[
        default(
            "connections_max",
            integer(1, 10_000_000),
            "65536",
            "Downstream connections over all workers.",
        ),
        default("head_bytes_max", size(1_024, 1 << 24), "64KiB", "Head of a request or response."),
        default("fields_max", integer(8, 4_096), "128", "Fields in a head or in trailers."),
        default(
            "body_bytes_max",
            Shape::OrOff(&size(0, 1 << 50)),
            "off",
            "Body of a request; a longer one is answered with 413.",
        ),
        default(
            "streams_max",
            integer(1, 65_536),
            "256",
            "Concurrent streams per HTTP/2 connection.",
        ),
        default(
            "buffer_bytes_max",
            size(16_384, 1 << 30),
            "256KiB",
            "Bytes kept per exchange and direction before the sender is made to wait.",
        ),
        default(
            "replay_bytes_max",
            size(0, 1 << 30),
            "64KiB",
            "Request body kept for another attempt; a longer one is not retried once it is sent.",
        ),
        optional(
            "http2_keep_alive",
            keep_alive::OPTIONAL,
            "Keep-alive of HTTP/2 clients. Left out: none.",
        ),
        default(
            "head_timeout",
            duration(10, 3_600 * SECOND),
            "10s",
            "TLS handshake and first request head.",
        ),
        default(
            "idle_timeout",
            duration(100, DAY),
            "5m",
            "Connection kept open without a request.",
        ),
        default(
            "write_timeout",
            duration(100, 3_600 * SECOND),
            "60s",
            "How long a peer may take nothing of what waits for it before its connection is closed.",
        ),
        default(
            "connection_requests_max",
            Shape::OrOff(&integer(1, 1_000_000_000)),
            "off",
            "Requests on one connection; the last one is told that it closes (`connection: close`, \
             GOAWAY).",
        ),
        default(
            "connection_age_max",
            Shape::OrOff(&duration(100, DAY)),
            "off",
            "Age at which a connection is closed in good order, give or take a tenth at random, so \
             that not all clients come again at once.",
        ),
        default(
            "connection_age_grace",
            Shape::OrOff(&duration(0, DAY)),
            "off",
            "What requests in flight get beyond that age before they are cut off; `off`: all that \
             they need.",
        ),
        default(
            "body_rate_min",
            Shape::OrOff(&size(1, 1 << 30)),
            "off",
            "Bytes per second that a client must send of a request body, on average over \
             `body_rate_window`; a slower one is answered with 408. Not for gRPC, not while the \
             upstream takes nothing, and not once the response has begun.",
        ),
        default(
            "body_rate_window",
            duration(100, 3_600 * SECOND),
            "5s",
            "Over how long that rate is averaged; also what a body gets before it is looked at.",
        ),
        default(
            "drain_timeout",
            duration(0, DAY),
            "30s",
            "What requests in flight get when the gateway drains.",
        ),
    ],
    rules: &[],
    hints: &[
        ("max_requests", "it is called `connection_requests_max`"),
        ("max_connection_age", "it is called `connection_age_max`"),
        ("max_connection_age_grace", "it is called `connection_age_grace`"),
        ("min_body_rate", "it is called `body_rate_min`"),
    ],
};

static ADMIN: Table = Table {
    name: "admin",
    about: "The admin server: `/metrics`, `/livez`, `/readyz`.",
    keys: &[
        required("address", ADDRESS, "IP address and port; loopback, unless you mean it."),
        default(
            "readiness_clusters",
            Shape::List { item: &NAME, min: 0 },
            "[]",
            "Clusters without which `/readyz` says 503: each must have an available endpoint. \
             Others are only reported as degraded.",
        ),
    ],
    rules: &[],
    hints: &[("port", "write host and port together: `address: 127.0.0.1:9901`")],
};

static ACCESS_LOG: Table = Table {
    name: "access_log",
    about: "Access log in a file.",
    keys: &[
        required("file", FILE_NAME, "File that lines are appended to."),
        default(
            "tls",
            BOOL,
            "false",
            "Whether lines tell version, cipher suite and server name of TLS, and the client's \
             certificate.",
        ),
    ],
    rules: &[],
    hints: &[("path", "the file is called `file`")],
};
