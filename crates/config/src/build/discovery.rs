//! Endpoints that stand elsewhere.

use std::net::IpAddr;

use super::cluster::endpoints;
use crate::diagnostic::{Diagnostics, Report};
use crate::document;
use crate::format::discovery::ENDPOINTS_FILE;
use crate::model::{Discovery, Dns, Endpoint, EndpointAddress};
use crate::value::{Item, TableValue, Value};

pub(super) fn discovery(table: &TableValue, report: &mut Report<'_>) -> Option<Discovery> {
    if let Some(item) = table.get("dns_srv") {
        let name = item.text();
        if name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
            report
                .error(item.span, "SRV records belong to a name, not to an address")
                .remedy("list addresses in `endpoints`");
        }
        return Some(Discovery::DnsSrv(name.to_owned()));
    }
    table.text("file").map(|file| Discovery::File(file.into()))
}

pub(super) fn dns(table: &TableValue) -> Dns {
    let address = |item: &Item| match &item.value {
        Value::Address(address) => address.inet(),
        _ => None,
    };
    Dns { servers: table.list("servers").iter().filter_map(address).collect() }
}

/// Parses and checks a file with endpoints for [`Discovery::File`]. `file` is its name in
/// diagnostics; nothing is read.
///
/// Limits: as [`crate::parse`].
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn parse_endpoints(text: &str, file: &str) -> Result<Vec<Endpoint>, Diagnostics> {
    let needed = "a file with endpoints has a list `endpoints`";
    document::read(text, file, &ENDPOINTS_FILE, needed, |item, report| {
        let Some(table) = item.table() else { return Vec::new() };
        let items = table.list("endpoints");
        for item in items {
            let address = item.table().map_or(Some(item), |table| table.get("address"));
            if let Some(Item { span, value: Value::Endpoint(EndpointAddress::Name { .. }) }) =
                address
            {
                report
                    .error(*span, "an endpoint that is discovered has an address, not a name")
                    .remedy("names stand in the configuration, in the cluster's `endpoints`");
            }
        }
        endpoints(items, report)
    })
    .map(|(endpoints, _warnings)| endpoints)
}
