//! What is done to every request before it is routed and sent on.

use super::{BOOL, NAME, Shape, Table, default, integer};
use crate::scalar::Scalar;

pub(crate) static FORWARDING: Table = Table {
    name: "forwarding",
    about: "Who asked: which proxies in front of the gateway are believed, and what the upstream is \
            told. The client's address, in the access log as well, is that of the nearest hop that \
            is not believed.",
    keys: &[
        default(
            "trusted_proxies",
            Shape::List { item: &Shape::Scalar(Scalar::Network), min: 0 },
            "[]",
            "Networks of proxies that are believed.",
        ),
        default(
            "trusted_hops",
            integer(0, 32),
            "0",
            "So many proxies, counted from the gateway, are believed whatever their addresses.",
        ),
        default(
            "source",
            Shape::Scalar(Scalar::Choice(&["x-forwarded-for", "forwarded"])),
            "x-forwarded-for",
            "Header that the client's address is read from.",
        ),
        default(
            "untrusted",
            Shape::Scalar(Scalar::Choice(&["append", "replace"])),
            "append",
            "What becomes of these headers from a client that is no trusted proxy: ours come behind \
             them, or all of `forwarded`, `x-real-ip` and `x-forwarded-*` are removed first.",
        ),
        default(
            "headers",
            Shape::List { item: &Shape::Scalar(Scalar::Choice(HEADERS)), min: 0 },
            "[x-forwarded-for, x-forwarded-proto]",
            "Headers that the upstream is sent.",
        ),
        default(
            "via",
            Shape::OrOff(&NAME),
            "off",
            "Name of the gateway in `via`, of requests and responses.",
        ),
    ],
    rules: &[],
    hints: &[
        ("trusted_ips", "it is called `trusted_proxies`"),
        ("xff_num_trusted_hops", "it is called `trusted_hops`"),
    ],
};

/// Names of [`crate::model::ForwardedHeader`].
const HEADERS: &[&str] =
    &["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"];

pub(crate) static REQUEST_ID: Table = Table {
    name: "request_id",
    about: "An id for each request: a UUID (version 7) unless the client's own is taken over. The \
            upstream, the client and the access log get it.",
    keys: &[
        default("header", Shape::Scalar(Scalar::HeaderName), "x-request-id", "Header for it."),
        default(
            "trust",
            Shape::Scalar(Scalar::Choice(&["never", "trusted_proxies", "always"])),
            "trusted_proxies",
            "Whose ids are taken over, if they are visible ASCII of at most 128 bytes.",
        ),
    ],
    rules: &[],
    hints: &[],
};

pub(crate) static PATH_NORMALIZATION: Table = Table {
    name: "path_normalization",
    about: "One spelling for each path (RFC 3986 §6.2.2), before it is matched and sent: encoded \
            letters and digits are decoded, dot segments resolved. 400 for a path that leaves the \
            root, has an encoded control character, a broken encoding or a backslash.",
    keys: &[
        default("merge_slashes", BOOL, "false", "Several slashes in a row become one."),
        default(
            "escaped_slashes",
            Shape::Scalar(Scalar::Choice(&["keep", "reject", "decode", "redirect"])),
            "keep",
            "`%2F` and `%5C`: part of their segment, 400, a slash, or 307 to the path with slashes.",
        ),
    ],
    rules: &[],
    hints: &[("path_with_escaped_slashes_action", "it is called `escaped_slashes`")],
};
