//! What is done to every request before it is routed and sent on.

use std::collections::BTreeMap;

use bulkhead_message::{EscapedSlashes, PathRules};

use super::Unique;
use crate::diagnostic::Report;
use crate::model::{
    Cluster, Filter, ForwardedHeader, ForwardedSource, Forwarding, IdTrust, Protocol, RequestId,
    Route, Untrusted,
};
use crate::value::{Item, TableValue};

pub(super) fn forwarding(table: &TableValue, report: &mut Report<'_>) -> Forwarding {
    let mut unique = Unique::new("header");
    let mut headers = Vec::new();
    for item in table.list("headers") {
        let Some(header) = forwarded_header(item.text()) else { continue };
        unique.add(item.text(), item.span, report);
        headers.push(header);
    }
    Forwarding {
        trusted_proxies: table.networks("trusted_proxies"),
        trusted_hops: table.number("trusted_hops").unwrap_or_default(),
        source: match table.text("source") {
            Some("forwarded") => ForwardedSource::Forwarded,
            _ => ForwardedSource::XForwardedFor,
        },
        untrusted: match table.text("untrusted") {
            Some("replace") => Untrusted::Replace,
            _ => Untrusted::Append,
        },
        headers,
        via: table.string("via"),
    }
}

fn forwarded_header(name: &str) -> Option<ForwardedHeader> {
    Some(match name {
        "x-forwarded-for" => ForwardedHeader::XForwardedFor,
        "x-forwarded-proto" => ForwardedHeader::XForwardedProto,
        "x-forwarded-host" => ForwardedHeader::XForwardedHost,
        "x-forwarded-port" => ForwardedHeader::XForwardedPort,
        "forwarded" => ForwardedHeader::Forwarded,
        _ => return None,
    })
}

/// Header fields that cannot carry an id: they frame a message, or are for one connection.
const NO_ID: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn request_id(table: &TableValue, report: &mut Report<'_>) -> RequestId {
    let header = table.string("header").unwrap_or_default();
    if let Some(item) = table.get("header")
        && NO_ID.contains(&header.as_str())
    {
        let message = format!("`{header}` cannot carry an id: the gateway sets it");
        report.error(item.span, message).remedy("use a header such as `x-request-id`");
    }
    RequestId {
        header,
        trust: match table.text("trust") {
            Some("never") => IdTrust::Never,
            Some("always") => IdTrust::Always,
            _ => IdTrust::TrustedProxies,
        },
    }
}

pub(super) fn path_normalization(table: &TableValue) -> PathRules {
    PathRules {
        merge_slashes: table.flag("merge_slashes"),
        escaped_slashes: match table.text("escaped_slashes") {
            Some("reject") => EscapedSlashes::Reject,
            Some("decode") => EscapedSlashes::Decode,
            Some("redirect") => EscapedSlashes::Redirect,
            _ => EscapedSlashes::Keep,
        },
    }
}

/// Checks that what is translated to gRPC goes where gRPC is spoken.
pub(super) fn check_grpc_web(
    routes: &[Route],
    items: &[Item],
    clusters: &BTreeMap<String, Cluster>,
    report: &mut Report<'_>,
) {
    let tables = items.iter().filter_map(Item::table);
    for (route, table) in routes.iter().zip(tables) {
        let Some(item) = table.get("backends").filter(|_| route.filters.contains(&Filter::GrpcWeb))
        else {
            continue;
        };
        let speaks = |name: &String| {
            clusters.get(name).is_none_or(|cluster| cluster.protocol == Protocol::Http2)
        };
        let mut names = route.backends.iter().map(|backend| &backend.cluster);
        if let Some(name) = names.find(|name| !speaks(name)) {
            let message =
                format!("`grpc_web` needs HTTP/2, which the cluster `{name}` does not speak");
            report.error(item.span, message).remedy("give the cluster `protocol: http2`");
        }
    }
}
