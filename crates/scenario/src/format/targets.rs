//! `targets`, `tokens` and `data`: where requests go, and what they draw from.

use bulkhead_config::document::{
    BOOL, DAY, FILE_NAME, Rule, SECOND, Scalar, Shape, TEXT, Table, default, duration, integer,
    optional, required,
};

pub(super) static TARGET: Table = Table {
    name: "target",
    about: "A server and the connections to it.",
    keys: &[
        required(
            "url",
            TEXT,
            "Scheme, host and port, and a path that stands before those of the requests. \
             `http://` and `https://` are HTTP/1.1, `h2c://` and `h2://` are HTTP/2.",
        ),
        optional(
            "connections",
            integer(1, 100_000),
            "Connections over all threads. Left out: 10, or in a closed loop over HTTP/1.1 one for each \
             client.",
        ),
        optional(
            "streams",
            integer(1, 1_000_000),
            "Requests in flight per HTTP/2 connection at most. Left out: 100, or in a closed loop as \
             many as its clients need.",
        ),
        optional(
            "connection_life",
            duration(1, DAY),
            "Mean life of a connection, after which it is replaced. Left out: for ever.",
        ),
        optional(
            "connection_requests",
            integer(1, u64::MAX),
            "Requests on a connection, after which it is replaced. Left out: without end.",
        ),
        default("sources", super::list(&TEXT, 0), "[]", "Local IP addresses, taken in turn."),
        default("tls", Shape::Table(&TLS), "{}", "How its certificate is checked."),
    ],
    rules: &[],
    hints: &[
        ("address", "write `url: http://ADDRESS`"),
        ("host", "write `url: http://HOST`; another host of requests is the header `host`"),
        ("protocol", "the scheme of `url` says it: `http://`, `https://`, `h2c://` or `h2://`"),
    ],
};

static TLS: Table = Table {
    name: "tls",
    about: "How the certificate of a server is checked.",
    keys: &[
        optional("ca_file", FILE_NAME, "Trust anchors (PEM). Left out: those of the public web."),
        optional(
            "server_name",
            Shape::Scalar(Scalar::ServerName),
            "Name for SNI and verification. Left out: the host of the URL.",
        ),
        default("skip_verify", BOOL, "false", "Any certificate passes."),
    ],
    rules: &[],
    hints: &[("insecure", "this is called `skip_verify` here")],
};

pub(super) static TOKENS: Table = Table {
    name: "tokens",
    about: "A pool of JSON Web Tokens (RFC 7519), signed before the run.",
    keys: &[
        default("pool", integer(1, 1_000_000), "1000", "How many."),
        required(
            "algorithm",
            Shape::Scalar(Scalar::Choice(&["RS256", "ES256", "EdDSA", "HS256"])),
            "How they are signed.",
        ),
        optional(
            "key_file",
            FILE_NAME,
            "Private key (PEM), or for HS256 the secret. Left out: made for the run.",
        ),
        optional(
            "jwks_file",
            FILE_NAME,
            "Where the public key is written to, as a key set (RFC 7517).",
        ),
        optional("kid", TEXT, "Key id in the header of each token."),
        default(
            "claims",
            Shape::Json,
            "{}",
            "Claims besides `iat` and `exp`; `{index}` in a text is the token's number from 0.",
        ),
        default("lifetime", duration(SECOND, 365 * DAY), "1h", "From `iat` to `exp`."),
    ],
    rules: &[],
    hints: &[
        ("count", "this is called `pool` here"),
        ("key", "a key stands in a file: `key_file`"),
    ],
};

pub(super) static DATA: Table = Table {
    name: "data",
    about: "Values to pick from.",
    keys: &[
        optional("values", super::list(&TEXT, 1), "The values themselves."),
        optional("lines", FILE_NAME, "A file with a value in each line."),
        optional("csv", FILE_NAME, "A CSV file (RFC 4180) whose first row names the columns."),
    ],
    rules: &[Rule::ExactlyOne(&["values", "lines", "csv"])],
    hints: &[("file", "write `lines` or `csv`, as the file is")],
};
