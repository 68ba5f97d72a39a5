//! Clusters and token issuers.

use super::balance::{BALANCE, HASH_ON, LABELS, LOCALITY};
use super::discovery::DISCOVERY;
use super::keep_alive;
use super::overload::ADAPTIVE_CONCURRENCY;
use super::resilience::{CIRCUIT_BREAKER_KEY, EJECTION, HEALTH_CHECK, REQUESTS_MAX, SLOW_START};
use super::tls::UPSTREAM_TLS;
use super::{
    DAY, ENVIRONMENT, FILE_NAME, NAME, Rule, SECOND, Shape, TEXT, Table, default, duration,
    integer, optional, required,
};
use crate::scalar::Scalar;

const ENDPOINT_ADDRESS: Shape = Shape::Scalar(Scalar::Endpoint);

/// An endpoint, or only its address.
pub(super) const ENDPOINT_OR_ADDRESS: Shape =
    Shape::Either(&ENDPOINT_ADDRESS, &Shape::Table(&ENDPOINT));

pub(crate) static CLUSTER: Table = Table {
    name: "cluster",
    about: "Endpoints that answer the same requests, and how to reach them.",
    keys: &[
        optional(
            "endpoints",
            Shape::List { item: &ENDPOINT_OR_ADDRESS, min: 1 },
            "Where they are: `10.0.0.1:80`, `[::1]:80`, `name:80` or `unix:/run/app.sock`; a plain \
             address has weight 1.",
        ),
        optional("discovery", Shape::Table(&DISCOVERY), "Where they are looked up instead."),
        default(
            "protocol",
            Shape::Scalar(Scalar::Choice(&["http1", "http2"])),
            "http1",
            "Protocol towards them; gRPC needs `http2`.",
        ),
        optional("tls", Shape::Table(&UPSTREAM_TLS), "TLS towards them. Left out: cleartext."),
        optional(
            "proxy_protocol",
            Shape::Scalar(Scalar::Choice(&["v1", "v2"])),
            "PROXY protocol at the beginning of each connection, in front of TLS. For `tcp_routes` and \
             `tls_routes` only: connections of HTTP routes are shared by clients. Left out: none.",
        ),
        default(
            "balance",
            BALANCE,
            "least_request",
            "How one is chosen: the less busy of two random ones; in turn by weight; at random by \
             weight; the one of two random ones that answers sooner; or by a hash of the request, \
             see `hash_on`.",
        ),
        optional(
            "hash_on",
            HASH_ON,
            "What of a request is hashed with `ring_hash` and `maglev`. Routes may say otherwise.",
        ),
        default(
            "locality",
            Shape::Table(&LOCALITY),
            "{}",
            "Which zones and priorities come first.",
        ),
        default(
            "connect_timeout",
            duration(1, 3_600 * SECOND),
            "5s",
            "Until a connection, with its TLS handshake, is up.",
        ),
        default("idle_timeout", duration(100, DAY), "1m", "Unused connections are closed after."),
        default(
            "http2_connections",
            integer(1, 1_024),
            "2",
            "HTTP/2 connections per worker and endpoint.",
        ),
        optional(
            "http2_keep_alive",
            keep_alive::OPTIONAL,
            "Keep-alive of HTTP/2 connections. Left out: none.",
        ),
        default(
            "preconnect",
            integer(0, 1_024),
            "0",
            "Connections per worker and endpoint that are dialled before a request needs them, and \
             kept open; of HTTP/2 at most `http2_connections`. None to ejected endpoints.",
        ),
        default(
            "connections_max",
            integer(1, 1_000_000),
            "1024",
            "HTTP/1.1 connections per worker and endpoint.",
        ),
        default(
            "pending_max",
            integer(0, 1_000_000),
            "1024",
            "Requests per worker that may wait for a connection; more are answered with 503.",
        ),
        default(
            "adaptive_concurrency",
            Shape::OrOff(&Shape::Table(&ADAPTIVE_CONCURRENCY)),
            "off",
            "A limit on requests in flight that follows the cluster's latency; `{}` for the defaults.",
        ),
        default(
            "retry_budget",
            Shape::Scalar(Scalar::Percent { min: 0, max: 100 }),
            "20%",
            "Share of the requests that may be retries, on top of 3 a second.",
        ),
        default(
            "ejection",
            Shape::OrOff(&Shape::Table(&EJECTION)),
            "{}",
            "Leave endpoints alone for a while that fail.",
        ),
        optional(
            "health_check",
            Shape::Table(&HEALTH_CHECK),
            "Ask each endpoint now and then whether it is well. Left out: no checks.",
        ),
        default(
            "panic_threshold",
            Shape::OrOff(&Shape::Scalar(Scalar::Percent { min: 1, max: 100 })),
            "50%",
            "If a smaller share of the endpoints is healthy and not ejected, requests go to all.",
        ),
        optional(
            "slow_start",
            Shape::Table(&SLOW_START),
            "Let the share of endpoints grow that are new or back. Left out: the whole at once.",
        ),
        REQUESTS_MAX,
        CIRCUIT_BREAKER_KEY,
        default(
            "dns_refresh",
            duration(SECOND, DAY),
            "30s",
            "Names are looked up again when the time to live of their records is over, but not \
             before a second and not later than this.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["endpoints", "discovery"])],
    hints: &[
        ("name", "the name of a cluster is its key in `clusters`"),
        ("url", "write `endpoints: [HOST:PORT]`, and `tls: {}` for https"),
        ("hosts", "they are called `endpoints`"),
        ("servers", "they are called `endpoints`"),
        ("lb_policy", "it is called `balance`"),
        ("hash_policy", "it is called `hash_on`"),
        ("session_persistence", "write `hash_on: [{cookie: {name: …}}]`"),
        (
            "timeout",
            "`connect_timeout` is the cluster's; an exchange's stand in the route's `timeouts`",
        ),
        ("outlier_detection", "it is called `ejection`"),
        ("health_checks", "it is called `health_check`, and there is one"),
        ("circuit_breakers", "write `requests_max`, `pending_max` and `circuit_breaker`"),
        ("max_requests", "it is called `requests_max`"),
    ],
};

static ENDPOINT: Table = Table {
    name: "endpoint",
    about: "One endpoint. A name is resolved to all its addresses, and keeps the last ones while it \
            does not resolve.",
    keys: &[
        required("address", ENDPOINT_ADDRESS, "IP address or name, and port; or a Unix socket."),
        default(
            "weight",
            integer(1, 1_000),
            "1",
            "Relative share of the requests; of a name, of each address.",
        ),
        optional("zone", NAME, "The zone that it stands in, for `locality`."),
        default(
            "priority",
            integer(0, 127),
            "0",
            "Endpoints of the lowest priority come first, see `locality`.",
        ),
        default("labels", LABELS, "{}", "What it is, for the `subset` of a route's backend."),
    ],
    rules: &[],
    hints: &[("port", "write host and port together: `address: name:8080`")],
};

pub(crate) static JWT_PROVIDER: Table = Table {
    name: "jwt_provider",
    about: "An issuer of tokens: what its tokens must say, and the keys that verify them.",
    keys: &[
        optional("issuer", TEXT, "Required `iss`. Left out: not checked."),
        default(
            "audiences",
            Shape::List { item: &TEXT, min: 0 },
            "[]",
            "Any of these must be in `aud`. Empty: not checked.",
        ),
        required(
            "algorithms",
            Shape::List {
                item: &Shape::Scalar(Scalar::Choice(&[
                    "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA",
                ])),
                min: 1,
            },
            "Accepted algorithms. `HS…` goes with a shared secret, the others with public keys.",
        ),
        optional(
            "jwks",
            Shape::Json,
            "Public keys: a JWKS document, as a mapping or as JSON text.",
        ),
        optional("jwks_file", FILE_NAME, "File with a JWKS document."),
        optional("public_key_file", FILE_NAME, "PEM file with one public key."),
        optional("secret_file", FILE_NAME, "File with the shared secret."),
        optional(
            "secret_env",
            ENVIRONMENT,
            "Name of the environment variable that holds the shared secret.",
        ),
        default("clock_skew", duration(0, 3_600 * SECOND), "60s", "Tolerance for `exp` and `nbf`."),
        default(
            "cache_size",
            integer(0, 10_000_000),
            "10000",
            "Verified tokens that each worker remembers; 0: none.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&[
        "jwks",
        "jwks_file",
        "public_key_file",
        "secret_file",
        "secret_env",
    ])],
    hints: &[
        ("secret", SECRET_HINT),
        ("shared_secret", SECRET_HINT),
        ("password", SECRET_HINT),
        ("key", "name the key's file: `public_key_file`, `jwks_file` or `secret_file`"),
        ("public_key", "name the PEM file in `public_key_file`"),
        (
            "private_key",
            "verifying tokens needs no private key: name the public key's PEM file in `public_key_file`",
        ),
        ("jwks_uri", "keys are read from `jwks_file` in this version; fetch the document yourself"),
        ("algorithm", "it is a list: `algorithms: [RS256]`"),
        ("audience", "it is a list: `audiences: [NAME]`"),
        ("name", "the name of a provider is its key in `jwt_providers`"),
    ],
};

const SECRET_HINT: &str = "a secret must not stand in the configuration: put it in a file and name it in \
     `secret_file`, or in an environment variable and name that in `secret_env`";
