//! The file itself, its listeners, limits, admin server and access log.

use super::backends::{CLUSTER, JWT_PROVIDER};
use super::discovery::DNS;
use super::edge::{FORWARDING, PATH_NORMALIZATION, REQUEST_ID};
use super::keep_alive;
use super::overload::OVERLOAD;
use super::routes::ROUTE;
use super::{
    ADDRESS, BOOL, DAY, ENVIRONMENT, FILE_NAME, NAME, Rule, SECOND, Shape, Table, default,
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
             gives some, on which nothing is in flight, to the one that has least.",
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
        required(
            "routes",
            Shape::List { item: &Shape::Table(&ROUTE), min: 1 },
            "Which request goes where. The most specific match wins, not the first.",
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
    rules: &[],
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
        required("address", ADDRESS, "IP address and port, e.g. `0.0.0.0:8080` or `[::]:8080`."),
        optional("tls", Shape::Table(&LISTENER_TLS), "TLS. Left out: cleartext."),
        default(
            "protocols",
            Shape::List { item: &Shape::Scalar(Scalar::Choice(&["http1", "http2"])), min: 1 },
            "[http1, http2]",
            "Protocols offered, by ALPN with TLS and by the first bytes without.",
        ),
    ],
    rules: &[],
    hints: &[
        ("listen", "the address to listen on is called `address`"),
        ("bind", "the address to listen on is called `address`"),
        ("host", "write host and port together: `address: 0.0.0.0:8080`"),
        ("port", "write host and port together: `address: 0.0.0.0:8080`"),
        ("protocol", "a listener may offer several: `protocols: [http1, http2]`"),
    ],
};

static LISTENER_TLS: Table = Table {
    name: "listener_tls",
    about: "TLS of a listener.",
    keys: &[
        required(
            "certificates",
            Shape::List { item: &Shape::Table(&CERTIFICATE), min: 1 },
            "Certificates, chosen by the name that the client asks for; the first is the default.",
        ),
        default(
            "min_version",
            Shape::Scalar(Scalar::Choice(&["1.2", "1.3"])),
            "1.2",
            "Lowest version of TLS.",
        ),
        default(
            "require_sni_match",
            BOOL,
            "false",
            "Answer 421 to a request for another host than the one that the client named in its \
             handshake. Without a name there, only an IP address may be asked for.",
        ),
    ],
    rules: &[],
    hints: &[
        ("certificate_file", "it stands in an item of `certificates`"),
        ("private_key_file", "it stands in an item of `certificates`"),
    ],
};

static CERTIFICATE: Table = Table {
    name: "certificate",
    about: "A certificate chain and its private key.",
    keys: &[
        required("certificate_file", FILE_NAME, "PEM file with the chain, leaf first."),
        optional("private_key_file", FILE_NAME, "PEM file with the private key."),
        optional(
            "private_key_env",
            ENVIRONMENT,
            "Name of the environment variable that holds the private key as PEM.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["private_key_file", "private_key_env"])],
    hints: &[
        ("private_key", PRIVATE_KEY_HINT),
        ("key", PRIVATE_KEY_HINT),
        ("key_file", "the file with the private key is called `private_key_file`"),
        ("certificate", "name the PEM file in `certificate_file`"),
        ("cert", "name the PEM file in `certificate_file`"),
        ("cert_file", "the file with the chain is called `certificate_file`"),
    ],
};

const PRIVATE_KEY_HINT: &str = "a private key must not stand in the configuration: put it in a file and name it in \
     `private_key_file`, or in an environment variable and name that in `private_key_env`";

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
    keys: &[required("file", FILE_NAME, "File that lines are appended to.")],
    rules: &[],
    hints: &[("path", "the file is called `file`")],
};
