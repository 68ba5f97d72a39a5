//! The filter that injects faults, in the terms of Envoy's `HTTPFault`.

use super::{DAY, Key, NAME, Rule, Shape, TEXT, Table, decimal, default, duration, integer};
use super::{optional, required, size};
use crate::scalar::Scalar;

pub(crate) static FAULT: Table = Table {
    name: "fault",
    about: "Injects faults on purpose, to see what others make of them. They befall a request when all \
            other filters have passed it on and its backend is chosen, and are marked in metrics and \
            access log. At most one for each route. Faults for a time, at run time: docs/faults.md.",
    keys: &[
        optional("delay", Shape::Table(&DELAY), "Requests go on after a while."),
        optional("abort", Shape::Table(&ABORT), "Requests are answered, and go nowhere."),
        optional(
            "response_rate_limit",
            Shape::Table(&RATE),
            "Response bodies are passed on slowly.",
        ),
        optional(
            "upstream_cluster",
            NAME,
            "Only requests that are sent to this one of `clusters`.",
        ),
        default(
            "headers",
            Shape::List { item: &Shape::Table(&HEADER), min: 0 },
            "[]",
            "Only requests that have all these headers; at most 16.",
        ),
        optional(
            "max_active_faults",
            integer(1, 1_000_000),
            "Requests that each of the faults befalls at a time; more are spared. Left out: any number.",
        ),
    ],
    rules: &[Rule::AtLeastOne(&["delay", "abort", "response_rate_limit"])],
    hints: &[
        ("response_rate", "it is called `response_rate_limit`"),
        ("max_active", "it is called `max_active_faults`"),
        ("percentage", "each of `delay`, `abort` and `response_rate_limit` has its own"),
    ],
};

const PERCENTAGE: Key = required(
    "percentage",
    decimal(0.0, 100.0),
    "Share of the requests in percent, such as 0.1. With the headers: the most that one may ask for.",
);

static DELAY: Table = Table {
    name: "fault_delay",
    about: "The time counts to the route's time-outs.",
    keys: &[
        optional("fixed_delay", duration(1, DAY / 96), "The while."),
        optional(
            "header_delay",
            Shape::Scalar(Scalar::True),
            "The while is what the request says: `x-envoy-fault-delay-request`, in milliseconds, and if it \
             likes `x-envoy-fault-delay-request-percentage`.",
        ),
        PERCENTAGE,
    ],
    rules: &[Rule::ExactlyOne(&["fixed_delay", "header_delay"])],
    hints: &[("percent", "it is called `percentage`"), ("delay", "it is called `fixed_delay`")],
};

static ABORT: Table = Table {
    name: "fault_abort",
    about: "A gRPC call is answered in terms of gRPC, and what is none in terms of HTTP.",
    keys: &[
        optional("http_status", integer(200, 599), "Status of HTTP."),
        optional("grpc_status", integer(1, 16), "Status of gRPC."),
        optional(
            "header_abort",
            Shape::Scalar(Scalar::True),
            "The status is what the request says: `x-envoy-fault-abort-request` or \
             `x-envoy-fault-abort-grpc-request`, and if it likes \
             `x-envoy-fault-abort-request-percentage`.",
        ),
        PERCENTAGE,
    ],
    rules: &[Rule::ExactlyOne(&["http_status", "grpc_status", "header_abort"])],
    hints: &[("percent", "it is called `percentage`"), ("status", "it is called `http_status`")],
};

static RATE: Table = Table {
    name: "fault_response_rate_limit",
    about: "Bodies of responses that come from an upstream, each for itself.",
    keys: &[
        optional("fixed_limit", size(1, 1 << 40), "Bytes in a second: `100KiB`."),
        optional(
            "header_limit",
            Shape::Scalar(Scalar::True),
            "KiB in a second are what the request says: `x-envoy-fault-throughput-response`, and if it \
             likes `x-envoy-fault-throughput-response-percentage`.",
        ),
        PERCENTAGE,
    ],
    rules: &[Rule::ExactlyOne(&["fixed_limit", "header_limit"])],
    hints: &[
        ("percent", "it is called `percentage`"),
        ("limit_kbps", "write `fixed_limit: 100KiB`"),
    ],
};

static HEADER: Table = Table {
    name: "fault_header",
    about: "A request header that must be there.",
    keys: &[
        required("name", Shape::Scalar(Scalar::HeaderName), "Name, in any case."),
        optional("value", TEXT, "Equal to this text. Left out: any value."),
    ],
    rules: &[],
    hints: &[("exact", "it is called `value`")],
};
