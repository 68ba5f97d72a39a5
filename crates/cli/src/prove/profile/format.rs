//! The format of a profile as data; parsing, schema and reference follow from it.

use bulkhead_config::document::{
    BOOL, DAY, NAME, Rule, SECOND, Scalar, Shape, TEXT, Table, decimal, default, duration, integer,
    optional, required, size,
};

/// Longest time to live of a fault that the gateway is given, in milliseconds.
const FAULT_MS_MAX: u64 = bulkhead_chaos::TIME_TO_LIVE_MAX.as_millis() as u64;

/// A whole profile.
pub(super) static PROFILE: Table = Table {
    name: "profile",
    about: "A storm of `bulkhead prove`.",
    keys: &[
        optional("description", TEXT, "What it is for; goes into the reports."),
        required("duration", duration(1, DAY), "How long requests are sent."),
        default("workers", integer(2, 1_024), "8", "Workers of the gateway."),
        default("traffic", Shape::Table(&TRAFFIC), "{}", "What clients do."),
        optional("kills", Shape::Table(&KILLS), "Workers that are killed. Left out: none."),
        optional(
            "link",
            Shape::Table(&LINK),
            "Where packets are lost and delayed. Left out: all over loopback.",
        ),
        default(
            "faults",
            Shape::List { item: &Shape::Table(&FAULT), min: 0 },
            "[]",
            "What else befalls the gateway, and what it passes on; at most 64.",
        ),
        default("limits", Shape::Table(&LIMITS), "{}", "What the storm may cost."),
    ],
    rules: &[Rule::AtLeastOne(&["kills", "link", "faults"])],
    hints: &[
        ("rate", "a rate is one of `traffic`: `traffic: {rate: 10000}`"),
        ("connections", "connections stand in `traffic`"),
        ("jwt", "whether tokens are used stands in `traffic`"),
        ("kill_interval", "write `kills: {every: 10s}`"),
        (
            "loss",
            "what happens to packets stands in `link`: `link: {at: client, loss_percent: 12}`",
        ),
        ("network", "what happens to packets stands in `link`"),
        ("seed", "a seed is given with `--seed`: the same profile is run with many"),
    ],
};

static TRAFFIC: Table = Table {
    name: "traffic",
    about: "Requests for feeds of random users: Poisson arrivals in an open loop.",
    keys: &[
        optional(
            "rate",
            decimal(1.0, 10_000_000.0),
            "Requests per second. Left out: calibration finds a rate that is sustained.",
        ),
        default(
            "http2_percent",
            decimal(0.0, 100.0),
            "72",
            "Share of the requests that are JSON over HTTP/2. The rest is gRPC.",
        ),
        default("connections", integer(1, 10_000), "32", "Client connections."),
        optional(
            "connection_life",
            duration(1, DAY),
            "Mean life of a connection. Left out: 5s, and 60s with a link, where they take seconds to come up.",
        ),
        optional(
            "timeout",
            duration(1, 3_600 * SECOND),
            "A request without its whole answer after so long is lost. Left out: 10s, and 60s with a link.",
        ),
        default("jwt", BOOL, "true", "An RS256 token on each request, checked by the gateway."),
        default(
            "flood",
            BOOL,
            "false",
            "Beside them as many requests without tokens, on connections that live 0.2 s: each must get its 401.",
        ),
    ],
    rules: &[],
    hints: &[
        ("http2", "the share of HTTP/2 is `http2_percent`"),
        ("grpc_percent", "the share of gRPC is what `http2_percent` leaves"),
        ("retries", "the client retries nothing: that is the point"),
    ],
};

static KILLS: Table = Table {
    name: "kills",
    about: "Rounds in which a share of the workers is killed: at least one, never all, rounded at random \
            so that the mean is the share.",
    keys: &[
        required("every", duration(1, DAY), "Time between rounds. The first comes after so long."),
        default(
            "share_percent",
            decimal(0.1, 99.9),
            "15",
            "Share of the workers that dies in each round.",
        ),
    ],
    rules: &[],
    hints: &[("interval", "write `every`"), ("share", "write `share_percent: 15`")],
};

static LINK: Table = Table {
    name: "link",
    about: "A link between network namespaces, with its faults in force throughout.",
    keys: &[
        required(
            "at",
            Shape::Scalar(Scalar::Choice(&["client", "upstream"])),
            "Between clients and gateway, or between gateway and upstreams.",
        ),
        default(
            "loss_percent",
            decimal(0.0, 50.0),
            "0",
            "Packets lost in each direction, independently: 12 is 22.6 % of round trips.",
        ),
        default(
            "delay",
            duration(0, 2 * SECOND),
            "0s",
            "Middle of the delays of packets towards the server; answers have none.",
        ),
        default(
            "jitter",
            duration(0, 2 * SECOND),
            "0s",
            "Delays are spread evenly by so much around their middle, at most the delay; order is kept.",
        ),
        default(
            "kind",
            Shape::Scalar(Scalar::Choice(&["tun", "veth"])),
            "tun",
            "What its ends are: TUN devices, or Ethernet interfaces (veth) whose other ends a packet socket has.",
        ),
        optional(
            "congestion_control",
            NAME,
            "TCP's congestion control on the link, one that the kernel has. Left out: the kernel's own choice.",
        ),
    ],
    rules: &[],
    hints: &[
        ("place", "write `at: client` or `at: upstream`"),
        ("loss", "write `loss_percent: 12`"),
        ("congestion", "write `congestion_control`"),
    ],
};

static FAULT: Table = Table {
    name: "fault",
    about: "A fault that the gateway carries out itself, and ends itself when its time is over.",
    keys: &[
        default("at", duration(0, DAY), "0s", "When it begins, from the first request."),
        default(
            "lasts",
            duration(1, FAULT_MS_MAX),
            "10s",
            "How long. What is over at once, such as `kill_worker`, pays no heed to it.",
        ),
        required(
            "fault",
            Shape::Json,
            "As `PUT /faults` takes it (see [Faults on purpose](faults.md)): \
             `{gateway: {slow_log: {delay_ms: 500}}}`.",
        ),
    ],
    rules: &[],
    hints: &[
        ("ttl", "write `lasts`"),
        ("ttl_ms", "write `lasts: 10s`"),
        ("gateway", "the family stands in `fault`: `fault: {gateway: …}`"),
        ("http", "the family stands in `fault`: `fault: {http: …}`"),
    ],
};

static LIMITS: Table = Table {
    name: "limits",
    about: "The hypothesis: what the storm may cost. None of it depends on what is seen.",
    keys: &[
        default(
            "rss_growth",
            size(0, 1 << 40),
            "64MiB",
            "Growth of the whole process's resident memory, after the warm-up.",
        ),
        default(
            "failed_percent",
            decimal(0.0, 100.0),
            "0",
            "Requests without their right answer. Over 0 only makes sense with faults that break requests on purpose.",
        ),
        default(
            "connections_lost",
            integer(0, 1_000_000),
            "0",
            "Connections that end under the client.",
        ),
        optional(
            "p99",
            duration(1, 3_600 * SECOND),
            "Latency of 99 % of the requests. Left out: any.",
        ),
    ],
    rules: &[],
    hints: &[
        ("rss_growth_bytes", "write `rss_growth: 20MB`"),
        ("failed", "write `failed_percent`"),
        ("requests_failed", "write `failed_percent`"),
    ],
};

#[cfg(test)]
mod published;
