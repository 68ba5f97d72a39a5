//! Health checks, ejection, slow start, circuit breakers.

use super::{DAY, HOST, Key, Rule, SECOND, Shape, TEXT, Table, decimal, default, duration};
use super::{integer, optional};
use crate::scalar::Scalar;

/// A share of 0 to 100 %.
const SHARE: Shape = Shape::Scalar(Scalar::Percent { min: 0, max: 100 });
/// A share that is not none.
const SOME_SHARE: Shape = Shape::Scalar(Scalar::Percent { min: 1, max: 100 });

/// Of clusters and of routes.
pub(super) const REQUESTS_MAX: Key = default(
    "requests_max",
    Shape::OrOff(&integer(1, 10_000_000)),
    "off",
    "Requests in flight per worker; more are answered with 503.",
);

/// Of clusters and of routes.
pub(super) const CIRCUIT_BREAKER_KEY: Key = optional(
    "circuit_breaker",
    Shape::Table(&CIRCUIT_BREAKER),
    "Turn requests away for a while when too many fail. Left out: off.",
);

pub(super) static HEALTH_CHECK: Table = Table {
    name: "health_check",
    about: "Active checks: each endpoint is asked once per process, over a connection of its own. \
            The first result decides; then rows of results do.",
    keys: &[
        optional("http", Shape::Table(&HTTP_CHECK), "A request in the cluster's protocol."),
        optional(
            "grpc",
            Shape::Table(&GRPC_CHECK),
            "A call of `grpc.health.v1.Health/Check`; the cluster's `protocol` must be `http2`.",
        ),
        optional("tcp", Shape::Table(&TCP_CHECK), "A connection, with TLS if the cluster has it."),
        default("interval", duration(100, DAY), "5s", "Pause between two checks of an endpoint."),
        default(
            "timeout",
            duration(10, 300 * SECOND),
            "1s",
            "Until a check, its connection included, must have passed.",
        ),
        default(
            "healthy_threshold",
            integer(1, 1_000),
            "2",
            "Passed checks in a row that make an unhealthy endpoint healthy.",
        ),
        default(
            "unhealthy_threshold",
            integer(1, 1_000),
            "3",
            "Failed checks in a row that make a healthy endpoint unhealthy.",
        ),
        default("jitter", SHARE, "10%", "Random part of the pause that is added to it."),
        optional(
            "port",
            integer(1, 65_535),
            "Port that is checked, but for Unix sockets. Left out: the endpoint's.",
        ),
        default(
            "initial",
            Shape::Scalar(Scalar::Choice(&["healthy", "unhealthy"])),
            "healthy",
            "What a new endpoint counts as until its first check is done.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["http", "grpc", "tcp"])],
    hints: &[
        ("path", "write `http: {path: /…}`"),
        ("http_health_check", "it is called `http`"),
        ("grpc_health_check", "it is called `grpc`"),
        ("tcp_health_check", "it is called `tcp`"),
        ("interval_jitter_percent", "it is called `jitter`"),
        ("type", "write the kind as the key: `http: {…}`, `grpc: {…}` or `tcp: {}`"),
    ],
};

static HTTP_CHECK: Table = Table {
    name: "http_check",
    about: "Passes if the answer's status is an expected one.",
    keys: &[
        default("path", TEXT, "/", "Path, with query if any; begins with `/`."),
        optional("host", HOST, "Host. Left out: the endpoint's name, or its address."),
        default(
            "method",
            Shape::Scalar(Scalar::Choice(&["GET", "HEAD", "OPTIONS", "POST"])),
            "GET",
            "Method; no body is sent.",
        ),
        default(
            "expected_statuses",
            Shape::List { item: &integer(200, 599), min: 1 },
            "[200]",
            "Statuses that pass.",
        ),
    ],
    rules: &[],
    hints: &[("statuses", "they are called `expected_statuses`")],
};

static GRPC_CHECK: Table = Table {
    name: "grpc_check",
    about: "Passes if the answer is SERVING.",
    keys: &[
        optional("service", TEXT, "Service that is asked for. Left out: the server as a whole."),
        optional("host", HOST, "`:authority`. Left out: the endpoint's name, or its address."),
    ],
    rules: &[],
    hints: &[("service_name", "it is called `service`"), ("authority", "it is called `host`")],
};

static TCP_CHECK: Table = Table {
    name: "tcp_check",
    about: "Passes if the connection can be made. Write `tcp: {}`.",
    keys: &[],
    rules: &[],
    hints: &[],
};

pub(super) static EJECTION: Table = Table {
    name: "ejection",
    about: "Passive ejection: no probes, only what requests meet. Counts are per worker.",
    keys: &[
        default(
            "consecutive_failures",
            integer(1, 10_000),
            "5",
            "Failures in a row that eject an endpoint: no connection, no whole answer, or one of \
             `codes`.",
        ),
        default(
            "codes",
            Shape::List { item: &integer(500, 599), min: 0 },
            "[502, 503, 504]",
            "Statuses that count as failures in a row.",
        ),
        default("interval", duration(SECOND, DAY), "10s", "How often rates are looked at."),
        default(
            "success_rate",
            Shape::OrOff(&Shape::Table(&SUCCESS_RATE)),
            "off",
            "Eject whose success rate is far below that of the others.",
        ),
        default(
            "failure_percentage",
            Shape::OrOff(&Shape::Table(&FAILURE_PERCENTAGE)),
            "off",
            "Eject who fails too large a share of its requests.",
        ),
        default(
            "duration",
            duration(100, DAY),
            "30s",
            "First ejection; each further one is as much longer.",
        ),
        default("duration_max", duration(100, DAY), "5m", "The longest ejection."),
        default("max_percent", SHARE, "50%", "Never eject more than this share of the endpoints."),
    ],
    rules: &[],
    hints: &[
        ("consecutive_5xx", "write `consecutive_failures`, and all statuses that count in `codes`"),
        ("statuses", "they are called `codes`"),
        ("base_ejection_time", "it is called `duration`"),
        ("max_ejection_time", "it is called `duration_max`"),
        ("max_ejection_percent", "it is called `max_percent`"),
    ],
};

static SUCCESS_RATE: Table = Table {
    name: "success_rate",
    about: "Once per `interval`: ejects endpoints whose success rate is below the mean of all by \
            more than `stdev_factor` standard deviations, and by more than chance explains. Every \
            5xx, and no answer, is no success.",
    keys: &[
        MINIMUM_ENDPOINTS,
        default("minimum_requests", integer(1, 10_000_000), "100", MINIMUM_REQUESTS),
        default("stdev_factor", decimal(0.0, 100.0), "1.9", "Standard deviations below the mean."),
    ],
    rules: &[],
    hints: &[
        ("minimum_hosts", "it is called `minimum_endpoints`"),
        ("request_volume", "it is called `minimum_requests`"),
    ],
};

static FAILURE_PERCENTAGE: Table = Table {
    name: "failure_percentage",
    about: "Once per `interval`: ejects endpoints that fail so large a share of their requests. \
            Every 5xx, and no answer, is a failure.",
    keys: &[
        default("threshold", SOME_SHARE, "85%", "Share of failures that ejects."),
        MINIMUM_ENDPOINTS,
        default("minimum_requests", integer(1, 10_000_000), "50", MINIMUM_REQUESTS),
    ],
    rules: &[],
    hints: &[
        ("minimum_hosts", "it is called `minimum_endpoints`"),
        ("request_volume", "it is called `minimum_requests`"),
    ],
};

const MINIMUM_ENDPOINTS: Key = default(
    "minimum_endpoints",
    integer(1, 100_000),
    "5",
    "With fewer endpoints that count none is ejected so.",
);
const MINIMUM_REQUESTS: &str = "Requests in the interval for an endpoint to count.";

pub(super) static SLOW_START: Table = Table {
    name: "slow_start",
    about: "An endpoint that is new, or back from being unhealthy or ejected, gets the share \
            `weight × max(min_weight, (time / window) ^ (1 / aggression))`.",
    keys: &[
        default("window", duration(SECOND, DAY), "30s", "Until the whole share is reached."),
        default(
            "aggression",
            decimal(0.01, 100.0),
            "1.0",
            "1: in proportion to time; above 1 faster at first, below slower.",
        ),
        default("min_weight", SHARE, "10%", "Share to begin with."),
    ],
    rules: &[],
    hints: &[
        ("slow_start_window", "it is called `window`"),
        ("min_weight_percent", "it is called `min_weight`"),
    ],
};

static CIRCUIT_BREAKER: Table = Table {
    name: "circuit_breaker",
    about: "Opens when too many requests of a window fail (every 5xx, and no answer); then they are \
            answered with 503 and `retry-after`, gRPC calls with UNAVAILABLE. After `open_duration` \
            a few are tried. Counts are per worker; a route counts exchanges, a cluster attempts.",
    keys: &[
        default("failure_percentage", SOME_SHARE, "50%", "Share of failures that opens it."),
        default(
            "minimum_requests",
            integer(1, 10_000_000),
            "20",
            "With fewer requests in the window it stays closed.",
        ),
        default("window", duration(SECOND, 3_600 * SECOND), "10s", "How far back is counted."),
        default(
            "open_duration",
            duration(100, DAY),
            "10s",
            "How long it stays open before requests are tried.",
        ),
        default(
            "half_open_requests",
            integer(1, 1_000),
            "5",
            "Requests that are tried; when all succeed it closes, when one fails it opens.",
        ),
    ],
    rules: &[],
    hints: &[
        ("max_requests", "it is called `requests_max`, beside `circuit_breaker`"),
        ("max_connections", "it is called `connections_max`, in the cluster"),
        ("max_pending_requests", "it is called `pending_max`, in the cluster"),
        ("max_retries", "retries have a budget: `retry_budget`, in the cluster"),
    ],
};
