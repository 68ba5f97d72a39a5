//! grpcurl: calls by server reflection, to the embedded origin's service.

use super::{Check, Client};

pub(super) const PACKAGE: &str = "github.com/fullstorydev/grpcurl/cmd/grpcurl@latest";

pub(super) const GRPCURL: Client =
    Client { name: "grpcurl", always: &["-max-time", "20"], version: "--version", checks: &CHECKS };

const CHECKS: [Check; 9] = [
    Check::new("services by reflection", &["-plaintext", "{address}", "list"], &["feed.v1.Feed\n"]),
    Check::new(
        "a service by reflection",
        &["-plaintext", "{address}", "describe", "feed.v1.Feed"],
        &["rpc Watch ( .feed.v1.FeedRequest ) returns ( stream .feed.v1.FeedReply );"],
    ),
    Check::new(
        "a unary call",
        &["-plaintext", "-d", r#"{"user_id": 7}"#, "{address}", "feed.v1.Feed/Get"],
        &[r#""userId": "7""#, r#""text": ""#],
    ),
    Check::new(
        "a stream of the server",
        &["-plaintext", "-d", r#"{"user_id": 7}"#, "{address}", "feed.v1.Feed/Watch"],
        &[r#""userId": "7""#, r#""userId": "11""#],
    ),
    Check::new(
        "a stream of the client",
        &[
            "-plaintext",
            "-d",
            r#"{"user_id": 7} {"user_id": 8}"#,
            "{address}",
            "feed.v1.Feed/Upload",
        ],
        &[r#""userId": "15""#],
    ),
    Check::new(
        "streams both ways, with TLS",
        &[
            "-cacert",
            "{authority}",
            "-d",
            r#"{"user_id": 7} {"user_id": 8}"#,
            "{tls_address}",
            "feed.v1.Feed/Chat",
        ],
        &[r#""userId": "7""#, r#""userId": "8""#],
    ),
    Check::new(
        "a head, a trailer and a status, as they come",
        &["-v", "-plaintext", "-d", r#"{"user_id": 7}"#, "{address}", "feed.v1.Feed/Get"],
        &["content-type: application/grpc", "Sent 1 request and received 1 response"],
    ),
    Check::new(
        "a service that there is not",
        &["-plaintext", "{address}", "feed.v1.Other/Get"],
        &["does not expose service \"feed.v1.Other\""],
    )
    .ends_with(1),
    Check::new(
        "a method that there is not",
        &["-plaintext", "{address}", "describe", "feed.v1.Feed.Missing"],
        &["Symbol not found: feed.v1.Feed.Missing"],
    )
    .ends_with(1),
];
