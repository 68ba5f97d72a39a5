//! Filters that browsers need: CORS and gRPC-Web.

use super::{BOOL, DAY, Shape, Table, default, duration, required};
use crate::scalar::Scalar;

pub(crate) static CORS: Table = Table {
    name: "cors",
    about: "Lets scripts of other origins read answers (CORS, as the filter of that name of the \
            Gateway API). Preflight requests are answered by the gateway and go no further; so it \
            belongs before `jwt`. What the upstream itself says of CORS is replaced.",
    keys: &[
        required(
            "allow_origins",
            Shape::List { item: &Shape::Scalar(Scalar::Origin), min: 1 },
            "Origins: `https://app.example.com`, with a wildcard for leading labels \
             (`https://*.example.com`), or `*` for any.",
        ),
        default(
            "allow_methods",
            Shape::List { item: &Shape::Scalar(Scalar::Method), min: 0 },
            "[]",
            "Methods beyond GET, HEAD and POST; `*` for any.",
        ),
        default(
            "allow_headers",
            Shape::List { item: &Shape::Scalar(Scalar::HeaderName), min: 0 },
            "[]",
            "Request headers beyond those that are always allowed; `*` for any.",
        ),
        default(
            "expose_headers",
            Shape::List { item: &Shape::Scalar(Scalar::HeaderName), min: 0 },
            "[]",
            "Response headers that scripts may read; `*` for any.",
        ),
        default("allow_credentials", BOOL, "false", "Let requests carry cookies and the like."),
        default(
            "max_age",
            duration(0, 30 * DAY),
            "5s",
            "How long a browser may remember the answer to a preflight request; whole seconds.",
        ),
    ],
    rules: &[],
    hints: &[("allow_origin", "it is a list: `allow_origins: [https://app.example.com]`")],
};

pub(crate) static GRPC_WEB: Table = Table {
    name: "grpc_web",
    about: "Translates gRPC-Web, binary and text, to gRPC and back; other requests pass as they are. \
            The clusters of the route must speak `http2`. Browsers need a `cors` filter beside it \
            unless page and gateway have the same origin.",
    keys: &[],
    rules: &[],
    hints: &[],
};
