//! Routes: matches, filters, backends.

use super::balance::{HASH_ON, LABELS};
use super::browsers::{CORS, GRPC_WEB};
use super::fault::FAULT;
use super::mirror::MIRROR;
use super::overload::PRIORITY;
use super::resilience::{CIRCUIT_BREAKER_KEY, REQUESTS_MAX};
use super::retry::{HEDGE, RETRY};
use super::{
    BOOL, DAY, HOST, Key, NAME, PATH, Rule, Shape, TEXT, Table, default, duration, integer,
    optional, required,
};
use crate::scalar::Scalar;

pub(crate) static ROUTE: Table = Table {
    name: "route",
    about: "Requests that match are taken through the filters in order and sent to one of the \
            backends. Of several routes that match, the most specific one is taken: by hostname \
            (exact, then longest wildcard), path (exact, then template, then expression, then \
            longest prefix, to which templates with `{rest*}` count), method, number of headers, \
            number of query parameters; then the first. Patterns work on bytes and must match the \
            whole text.",
    keys: &[
        optional("name", NAME, "Unique name. Left out: `route-N`, N being its place from 1."),
        default(
            "hostnames",
            Shape::List { item: &Shape::Scalar(Scalar::Hostname), min: 0 },
            "[]",
            "Hostnames, exact or with a wildcard in front (`*.example.com`). Empty: any.",
        ),
        default(
            "matches",
            Shape::List { item: &Shape::Table(&MATCH), min: 1 },
            "[{}]",
            "Conditions, any of which must hold. Left out: every path.",
        ),
        default(
            "filters",
            Shape::List { item: &Shape::Table(&FILTER), min: 0 },
            "[]",
            "Steps, in order.",
        ),
        default(
            "backends",
            Shape::List { item: &Shape::Either(&NAME, &Shape::Table(&BACKEND)), min: 0 },
            "[]",
            "Clusters by weight; needed unless a filter always answers. A plain name is a \
             cluster with weight 1.",
        ),
        default(
            "upgrades",
            Shape::List { item: &Shape::Scalar(Scalar::Upgrade), min: 0 },
            "[]",
            "Protocols that a request may switch to (`connection: upgrade`): `websocket` between \
             HTTP/1.1 and HTTP/2 in any combination, others between HTTP/1.1 connections. A request \
             that asks for another one is passed on without its `upgrade`.",
        ),
        default(
            "connect",
            BOOL,
            "false",
            "Pass CONNECT on to the backends, which decide what becomes of it. The gateway itself \
             never connects to the host that a CONNECT names.",
        ),
        optional(
            "hash_on",
            HASH_ON,
            "What of a request is hashed for affinity. Left out: as the cluster says.",
        ),
        default("timeouts", Shape::Table(&TIMEOUTS), "{}", "Time-outs."),
        default(
            "priority",
            PRIORITY,
            "default",
            "Which requests are given up first when not all can be served: `sheddable` ones, and \
             `critical` ones last.",
        ),
        optional(
            "retry",
            Shape::Table(&RETRY),
            "Retries. Left out: only of requests that no endpoint can have seen.",
        ),
        optional("hedge", Shape::Table(&HEDGE), "Hedging. Left out: none."),
        REQUESTS_MAX,
        CIRCUIT_BREAKER_KEY,
    ],
    rules: &[],
    hints: &[
        ("backend_refs", "the clusters that a route sends to are called `backends`"),
        ("cluster", "name it in `backends: [{cluster: NAME}]`"),
        ("hosts", "they are called `hostnames`"),
        ("host", "they are called `hostnames`, a list"),
        ("path", "it stands in an item of `matches`"),
        ("prefix", "write `matches: [{path: {prefix: /…}}]`"),
        ("match", "conditions stand in the list `matches`"),
        ("rules", "each rule is a route of its own"),
        ("timeout", "write `timeouts: {request: …}`"),
        ("websocket", "write `upgrades: [websocket]`"),
        ("websockets", "write `upgrades: [websocket]`"),
        ("upgrade", "they are called `upgrades`, a list"),
        ("upgrade_configs", "write `upgrades: [websocket]`"),
    ],
};

static MATCH: Table = Table {
    name: "match",
    about: "All given conditions must hold.",
    keys: &[
        optional(
            "path",
            Shape::Either(&Shape::Scalar(Scalar::PathText), &Shape::Table(&PATH_MATCH)),
            "Condition on the path, without the query. A plain text is a template if it has a \
             `{`, else a prefix. Left out: every path.",
        ),
        optional("method", Shape::Scalar(Scalar::Method), "Method, in its own case: `GET`."),
        default(
            "headers",
            Shape::List { item: &Shape::Table(&HEADER_MATCH), min: 0 },
            "[]",
            "Conditions on request headers.",
        ),
        default(
            "query_params",
            Shape::List { item: &Shape::Table(&QUERY_MATCH), min: 0 },
            "[]",
            "Conditions on query parameters.",
        ),
    ],
    rules: &[],
    hints: &[
        ("prefix", "write `path: {prefix: /…}`"),
        ("exact", "write `path: {exact: /…}`"),
        ("query", "conditions on the query are called `query_params`"),
        ("methods", "write one item of `matches` for each method"),
    ],
};

static PATH_MATCH: Table = Table {
    name: "path_match",
    about: "One of the four ways to match a path.",
    keys: &[
        optional("exact", PATH, "The whole path."),
        optional(
            "prefix",
            Shape::Scalar(Scalar::Prefix),
            "Whole leading segments: `/a` matches `/a` and `/a/b`, not `/ab`.",
        ),
        optional(
            "template",
            Shape::Scalar(Scalar::Template),
            "Segments, some of them parameters: `/v1/users/{id}`, `/v1/users/{id:[0-9]+}/feed`; \
             `{rest*}` at the end takes what is left.",
        ),
        optional("regex", Shape::Scalar(Scalar::Regex), "Regular expression over the whole path."),
    ],
    rules: &[Rule::ExactlyOne(&["exact", "prefix", "template", "regex"])],
    hints: &[
        ("path_prefix", "it is called `prefix`"),
        ("regular_expression", "it is called `regex`"),
        ("type", "write the kind as the key: `path: {prefix: /…}`"),
        ("value", "write the kind as the key: `path: {prefix: /…}`"),
    ],
};

const VALUE_HINTS: &[(&str, &str)] = &[
    ("type", "write the kind as the key: `value`, `regex` or `present`"),
    ("exact", "text to compare with is called `value`"),
];

static HEADER_MATCH: Table = Table {
    name: "header_match",
    about: "A condition on a request header.",
    keys: &[
        required("name", Shape::Scalar(Scalar::HeaderName), "Name, in any case."),
        VALUE_KEYS[0],
        VALUE_KEYS[1],
        VALUE_KEYS[2],
    ],
    rules: &[Rule::ExactlyOne(&["value", "regex", "present"])],
    hints: VALUE_HINTS,
};

static QUERY_MATCH: Table = Table {
    name: "query_param_match",
    about: "A condition on a query parameter.",
    keys: &[
        required("name", TEXT, "Name, in its own case."),
        VALUE_KEYS[0],
        VALUE_KEYS[1],
        VALUE_KEYS[2],
    ],
    rules: &[Rule::ExactlyOne(&["value", "regex", "present"])],
    hints: VALUE_HINTS,
};

const VALUE_KEYS: [Key; 3] = [
    optional("value", TEXT, "Equal to this text."),
    optional("regex", Shape::Scalar(Scalar::Regex), "Regular expression over the whole value."),
    optional("present", Shape::Scalar(Scalar::True), "There, with any value."),
];

static FILTER: Table = Table {
    name: "filter",
    about: "One step: a mapping with the one key that says which.",
    keys: &[
        optional("jwt", Shape::Table(&JWT), "Require a valid token."),
        optional("request_header_modifier", Shape::Table(&HEADERS), "Change request headers."),
        optional("response_header_modifier", Shape::Table(&HEADERS), "Change response headers."),
        optional("request_redirect", Shape::Table(&REDIRECT), "Answer with a redirect."),
        optional("url_rewrite", Shape::Table(&REWRITE), "Change host or path for the upstream."),
        optional("request_mirror", Shape::Table(&MIRROR), "Send a copy to another cluster."),
        optional("direct_response", Shape::Table(&RESPONSE), "Answer with a fixed response."),
        optional("cors", Shape::Table(&CORS), "Let scripts of other origins read answers (CORS)."),
        optional("grpc_web", Shape::Table(&GRPC_WEB), "Translate gRPC-Web to gRPC."),
        optional("fault", Shape::Table(&FAULT), "Inject faults on purpose."),
    ],
    rules: &[Rule::ExactlyOne(&[
        "jwt",
        "request_header_modifier",
        "response_header_modifier",
        "request_redirect",
        "url_rewrite",
        "request_mirror",
        "direct_response",
        "cors",
        "grpc_web",
        "fault",
    ])],
    hints: &[
        ("type", "write the kind as the key: `- jwt: {…}`"),
        ("redirect", "it is called `request_redirect`"),
        ("rewrite", "it is called `url_rewrite`"),
        ("respond", "it is called `direct_response`"),
        ("mirror", "it is called `request_mirror`"),
        ("http_fault", "it is called `fault`"),
        ("fault_injection", "it is called `fault`"),
    ],
};

static JWT: Table = Table {
    name: "jwt",
    about: "Requires a token in `authorization: Bearer …` that one of the providers vouches for.",
    keys: &[
        required(
            "providers",
            Shape::List { item: &NAME, min: 1 },
            "Names of `jwt_providers`, any of which may vouch.",
        ),
        default(
            "optional",
            BOOL,
            "false",
            "Let requests without a token pass; a wrong token never passes.",
        ),
        default(
            "claims_to_headers",
            Shape::Map { key: Scalar::Text, value: &Shape::Scalar(Scalar::HeaderName) },
            "{}",
            "Claim → request header towards the upstream. Such a header from the client is removed.",
        ),
        default(
            "forward_token",
            BOOL,
            "false",
            "Leave the token in the request that goes upstream.",
        ),
    ],
    rules: &[],
    hints: &[("provider", "it is a list: `providers: [NAME]`")],
};

static HEADERS: Table = Table {
    name: "header_modifier",
    about: "Changes to headers: `remove` first, then `set`, then `add`.",
    keys: &[
        default("set", HEADER_MAP, "{}", "Name → value that replaces what is there."),
        default("add", HEADER_MAP, "{}", "Name → value that is appended."),
        default(
            "remove",
            Shape::List { item: &Shape::Scalar(Scalar::HeaderName), min: 0 },
            "[]",
            "Names that are removed.",
        ),
    ],
    rules: &[Rule::AtLeastOne(&["set", "add", "remove"])],
    hints: &[],
};

const HEADER_MAP: Shape =
    Shape::Map { key: Scalar::HeaderName, value: &Shape::Scalar(Scalar::HeaderValue) };

static REDIRECT: Table = Table {
    name: "request_redirect",
    about: "Answers with a redirect. Parts that are left out are those of the request.",
    keys: &[
        optional("scheme", Shape::Scalar(Scalar::Choice(&["http", "https"])), "Scheme."),
        optional("hostname", HOST, "Host."),
        optional("port", integer(1, 65_535), "Port. Left out: none in the location."),
        optional("path", PATH, "Path that replaces the whole path."),
        default(
            "status_code",
            Shape::Scalar(Scalar::Status(&[301, 302, 303, 307, 308])),
            "302",
            "Status.",
        ),
    ],
    rules: &[Rule::AtLeastOne(&["scheme", "hostname", "port", "path"])],
    hints: &[("status", "it is called `status_code`")],
};

static REWRITE: Table = Table {
    name: "url_rewrite",
    about: "Changes what the upstream sees.",
    keys: &[
        optional("hostname", HOST, "Host."),
        optional("path", Shape::Table(&REWRITE_PATH), "Path."),
    ],
    rules: &[Rule::AtLeastOne(&["hostname", "path"])],
    hints: &[],
};

static REWRITE_PATH: Table = Table {
    name: "path_modifier",
    about: "One of the two ways to rewrite a path. The query stays.",
    keys: &[
        optional("replace_full_path", PATH, "Replaces the whole path."),
        optional(
            "replace_prefix_match",
            PATH,
            "Replaces the part that `prefix` matched; each match of the route must be a prefix.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["replace_full_path", "replace_prefix_match"])],
    hints: &[],
};

static RESPONSE: Table = Table {
    name: "direct_response",
    about: "Answers with a fixed response.",
    keys: &[
        required("status", integer(200, 599), "Status."),
        default("headers", HEADER_MAP, "{}", "Name → value."),
        optional("body", TEXT, "Body. Left out: empty."),
    ],
    rules: &[],
    hints: &[("status_code", "it is called `status`")],
};

pub(crate) static BACKEND: Table = Table {
    name: "backend",
    about: "A weighted reference to a cluster.",
    keys: &[
        required("cluster", NAME, "Name of one of `clusters`."),
        default("weight", integer(0, 1_000_000), "1", "Share of the requests; not all may be 0."),
        default(
            "subset",
            LABELS,
            "{}",
            "Only endpoints of the cluster that have all these labels. Empty: any endpoint.",
        ),
        default(
            "subset_fallback",
            Shape::Scalar(Scalar::Choice(&["none", "any"])),
            "none",
            "What is done while no endpoint has the labels: 503, or any endpoint of the cluster.",
        ),
    ],
    rules: &[],
    hints: &[
        ("name", "the cluster is named in `cluster`"),
        ("labels", "write `subset: {version: v2}`"),
        ("version", "write `subset: {version: …}`"),
    ],
};

static TIMEOUTS: Table = Table {
    name: "timeouts",
    about: "Time-outs of an exchange.",
    keys: &[
        default(
            "request",
            Shape::OrOff(&duration(1, DAY)),
            "15s",
            "The whole exchange with all its attempts.",
        ),
        default(
            "backend_request",
            Shape::OrOff(&duration(1, DAY)),
            "off",
            "One attempt, until its response head; not longer than `request`.",
        ),
        default("idle", duration(10, DAY), "1m", "No byte in either direction."),
        default(
            "tunnel_idle",
            Shape::OrOff(&duration(10, 7 * DAY)),
            "1h",
            "As `idle`, of a tunnel: a WebSocket, another upgrade, CONNECT. `request` ends with its \
             handshake, and `idle` holds again once one side has ended.",
        ),
    ],
    rules: &[],
    hints: &[("tunnel", "it is called `tunnel_idle`"), ("stream_idle", "it is called `idle`")],
};
