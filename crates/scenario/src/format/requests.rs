//! `requests`: what is sent and what is a right answer.

use bulkhead_config::document::{
    DAY, FILE_NAME, Key, Rule, Scalar, Shape, TEXT, Table, default, duration, integer, optional,
};

/// Methods that are keys, in lower case. `grpc` is a POST with one message.
pub(crate) const METHODS: [&str; 8] =
    ["get", "head", "post", "put", "patch", "delete", "options", "grpc"];

const FIELDS: Shape = Shape::Map { key: Scalar::HeaderName, value: &TEXT };

const NAME: Key =
    optional("name", TEXT, "What it is counted under. Left out: its method and path.");
const TARGET: Key =
    optional("target", Shape::Scalar(Scalar::Name), "Where to, if there are several targets.");
const GET: Key = optional("get", TEXT, "Path of a GET request.");
const HEAD: Key = optional("head", TEXT, "Path of a HEAD request.");
const POST: Key = optional("post", TEXT, "Path of a POST request.");
const PUT: Key = optional("put", TEXT, "Path of a PUT request.");
const PATCH: Key = optional("patch", TEXT, "Path of a PATCH request.");
const DELETE: Key = optional("delete", TEXT, "Path of a DELETE request.");
const OPTIONS: Key = optional("options", TEXT, "Path of an OPTIONS request.");
const GRPC: Key = optional(
    "grpc",
    TEXT,
    "Path of a gRPC call, such as `/feed.v1.Feed/Get`; the body is its one message, without prefix.",
);
const HEADERS: Key = default("headers", FIELDS, "{}", "Header fields. `host` is the authority.");
const BODY: Key = optional("body", TEXT, "Body, with placeholders.");
const BODY_FILE: Key = optional("body_file", FILE_NAME, "File whose content is the body as it is.");
const BODY_HEX: Key = optional("body_hex", TEXT, "Body as hexadecimal digits.");
const MESSAGE: Key = optional(
    "message",
    Shape::Json,
    "Message of a gRPC call, encoded by the descriptors that are given beside the scenario; without \
     placeholders.",
);
const EXPECT: Key = default("expect", Shape::Table(&EXPECTATION), "{}", "What is a right answer.");

/// A request on its own, or a journey.
pub(super) static REQUEST: Table = Table {
    name: "request",
    about: "A request, or a journey with steps.",
    keys: &[
        NAME,
        default("weight", integer(1, 1_000_000), "1", "Share among all requests."),
        TARGET,
        GET,
        HEAD,
        POST,
        PUT,
        PATCH,
        DELETE,
        OPTIONS,
        GRPC,
        HEADERS,
        BODY,
        BODY_FILE,
        BODY_HEX,
        MESSAGE,
        EXPECT,
        optional(
            "steps",
            super::list(&Shape::Table(&STEP), 1),
            "A journey: each step waits for the answer to the one before. At most 256.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&[
        "get", "head", "post", "put", "patch", "delete", "options", "grpc", "steps",
    ])],
    hints: HINTS,
};

static STEP: Table = Table {
    name: "step",
    about: "A step of a journey: a request, or time to think.",
    keys: &[
        NAME,
        TARGET,
        GET,
        HEAD,
        POST,
        PUT,
        PATCH,
        DELETE,
        OPTIONS,
        GRPC,
        HEADERS,
        BODY,
        BODY_FILE,
        BODY_HEX,
        MESSAGE,
        EXPECT,
        default(
            "extract",
            super::named(&Shape::Table(&EXTRACT)),
            "{}",
            "Values of the answer for later steps, by name; a value that is not there makes the answer \
             wrong.",
        ),
        optional("think", duration(1, DAY), "Time before the next step; stands alone."),
    ],
    rules: &[Rule::ExactlyOne(&[
        "get", "head", "post", "put", "patch", "delete", "options", "grpc", "think",
    ])],
    hints: HINTS,
};

const HINTS: &[(&str, &str)] = &[
    ("url", "write the method with the path, such as `get: /path`; the host is that of the target"),
    ("path", "write the method with the path, such as `get: /path`"),
    ("method", "write the method with the path, such as `get: /path`"),
    ("status", "write `expect: {status: 200}`"),
    ("extract", "values are extracted in the `steps` of a journey"),
];

static EXTRACT: Table = Table {
    name: "extract",
    about: "Where in an answer a value stands.",
    keys: &[
        optional("json", TEXT, "Path to a value of the JSON body, such as `$.items[0].id`."),
        optional("header", Shape::Scalar(Scalar::HeaderName), "Name of a header field."),
        optional(
            "cookie",
            TEXT,
            "Name of a cookie that the answer sets (RFC 6265); send it as `headers: {cookie: 'NAME={x}'}`.",
        ),
        optional(
            "regex",
            Shape::Scalar(Scalar::Regex),
            "Regular expression for the body: its first group, or without groups all that it matches.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["json", "header", "cookie", "regex"])],
    hints: &[("body", "write `json: $.PATH` or `regex: PATTERN`")],
};

const STATUS: Shape = Shape::Scalar(Scalar::Integer { min: 200, max: 599 });

static EXPECTATION: Table = Table {
    name: "expect",
    about: "What a right answer is. Everything that is given must hold.",
    keys: &[
        optional(
            "status",
            Shape::Either(&STATUS, &Shape::List { item: &STATUS, min: 1 }),
            "Right status, or a list of them. Left out: 200 to 299.",
        ),
        optional("grpc_status", integer(0, 16), "Right status of a gRPC call. Left out: 0."),
        default("headers", FIELDS, "{}", "Values of header fields."),
        default(
            "json",
            Shape::Map { key: Scalar::Text, value: &TEXT },
            "{}",
            "Values in the JSON body, by their path.",
        ),
        optional("body", TEXT, "The whole body."),
        optional(
            "body_contains",
            Shape::Either(&TEXT, &Shape::List { item: &TEXT, min: 1 }),
            "Text that stands in the body, or a list of such.",
        ),
        optional("body_sha256", TEXT, "SHA-256 of the body, as 64 hexadecimal digits."),
    ],
    rules: &[],
    hints: &[
        ("contains", "this is called `body_contains` here"),
        ("content_type", "write `headers: {content-type: application/json}`"),
    ],
};
