//! `load`: when requests are sent.

use bulkhead_config::document::{
    DAY, Rule, SECOND, Scalar, Shape, Table, decimal, default, duration, integer, optional,
    required,
};

/// Most requests per second.
const RATE_MAX: f64 = 10_000_000.0;

pub(super) static LOAD: Table = Table {
    name: "load",
    about: "When requests are sent, and how long answers may take.",
    keys: &[
        optional(
            "phases",
            super::list(&Shape::Table(&PHASE), 1),
            "Open loop: rates, one after the other, come what may. Together the measured part.",
        ),
        optional(
            "closed",
            Shape::Table(&CLOSED),
            "Closed loop: clients that wait for their answers.",
        ),
        default(
            "arrivals",
            Shape::Scalar(Scalar::Choice(&["poisson", "constant"])),
            "poisson",
            "Gaps between requests in an open loop: as from many independent clients, or all the same.",
        ),
        default("warmup", duration(0, DAY), "1s", "Load before the measured part, not counted."),
        default("cooldown", duration(0, DAY), "0s", "Load after the measured part, not counted."),
        default(
            "timeout",
            duration(1, 3_600 * SECOND),
            "10s",
            "A request without its whole answer so long after its intended time has failed.",
        ),
        default(
            "retries",
            integer(0, 10),
            "0",
            "How often a request is sent again whose answer never came whole.",
        ),
        default("threads", integer(1, 256), "1", "Threads of the generator."),
        optional("seed", integer(0, u64::MAX), "Everything random is drawn from it."),
    ],
    rules: &[Rule::ExactlyOne(&["phases", "closed"])],
    hints: &[
        ("rate", "write `phases: [{rate: 1000, duration: 10s}]`"),
        ("duration", "a duration is that of a phase: `phases: [{rate: 1000, duration: 10s}]`"),
        ("stages", "stages are called `phases` here"),
        ("clients", "write `closed: {clients: 10, duration: 10s}`"),
        ("vus", "write `closed: {clients: 10, duration: 10s}`, or better, a rate with `phases`"),
    ],
};

static PHASE: Table = Table {
    name: "phase",
    about: "A stretch of the load in which the rate is the same or changes evenly.",
    keys: &[
        optional("rate", decimal(0.0, RATE_MAX), "Requests per second."),
        optional("from", decimal(0.0, RATE_MAX), "Requests per second at its beginning."),
        optional("to", decimal(0.0, RATE_MAX), "Requests per second at its end; goes with `from`."),
        required("duration", duration(1, DAY), "How long."),
    ],
    rules: &[Rule::ExactlyOne(&["rate", "from"])],
    hints: &[],
};

static CLOSED: Table = Table {
    name: "closed",
    about: "Clients of which each sends its next request when its last one is answered. Their latency \
            leaves out what they waited for.",
    keys: &[
        required("clients", integer(1, 1_000_000), "How many."),
        required("duration", duration(1, DAY), "The measured part."),
        default("think", duration(0, DAY), "0s", "Time from an answer to the next request."),
    ],
    rules: &[],
    hints: &[],
};
