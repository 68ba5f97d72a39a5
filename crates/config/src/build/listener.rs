//! Listeners, and the addresses that they and the admin server take.

use std::net::SocketAddr;

use bulkhead_message::Address;

use super::tls::listener_tls;
use super::{Unique, layer4};
use crate::diagnostic::{Report, Span};
use crate::model::{Acme, Listener, Protocol, SecretSource};
use crate::value::{Item, TableValue};

pub(super) fn listeners(
    items: &[Item],
    acme: Option<&Acme>,
    report: &mut Report<'_>,
) -> Vec<Listener> {
    let mut names = Unique::new("listener");
    let mut addresses = Unique::new("address");
    let mut listeners = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(table) = item.table() else { continue };
        let name = table.string("name").unwrap_or_else(|| format!("listener-{}", index + 1));
        names.add(&name, table.get("name").map_or(item.span, |item| item.span), report);
        let Some(address) = table.address("address") else { continue };
        if address.inet().is_none_or(|address| address.port() != 0)
            && let Some(item) = table.get("address")
        {
            addresses.add(&address.to_string(), item.span, report);
        }
        listeners.push(Listener {
            name,
            socket_mode: socket_mode(table, &address, report),
            protocol: layer4::protocol(table),
            proxy_protocol: layer4::proxy_protocol(table, address.unix().is_some(), report),
            address,
            tls: table.table("tls").map(|table| listener_tls(table, acme, report)),
            protocols: protocols(table.list("protocols"), report),
        });
    }
    listeners
}

/// Permissions of a socket that has a file.
fn socket_mode(table: &TableValue, address: &Address, report: &mut Report<'_>) -> Option<u32> {
    let item = table.get("socket_mode")?;
    if address.unix().is_none_or(|name| name.path().is_none()) {
        report
            .error(item.span, "`socket_mode` is for Unix sockets that have a file")
            .remedy("remove it, or listen on `unix:/PATH`");
    }
    table.number("socket_mode")
}

fn protocols(items: &[Item], report: &mut Report<'_>) -> Vec<Protocol> {
    let mut protocols = Vec::new();
    for item in items {
        let protocol = protocol(item.text());
        if protocols.contains(&protocol) {
            report.error(item.span, format!("protocol `{}` stands twice", item.text()));
        } else {
            protocols.push(protocol);
        }
    }
    protocols
}

/// The protocol of a checked word.
pub(super) fn protocol(word: &str) -> Protocol {
    if word == "http2" { Protocol::Http2 } else { Protocol::Http1 }
}

/// The secret that one of two keys names.
pub(super) fn secret(table: &TableValue, file: &str, environment: &str) -> Option<SecretSource> {
    match table.text(file) {
        Some(file) => Some(SecretSource::File(file.into())),
        None => table.string(environment).map(SecretSource::Environment),
    }
}

/// Checks the address of the admin server against those of the listeners.
pub(super) fn check_admin(
    span: Span,
    address: SocketAddr,
    listeners: &[Listener],
    report: &mut Report<'_>,
) {
    let same =
        |listener: &&Listener| listener.address.inet() == Some(address) && address.port() != 0;
    if let Some(listener) = listeners.iter().find(same) {
        report.error(span, format!("the listener `{}` has the same address", listener.name));
    }
    if !address.ip().is_loopback() {
        report
            .warning(span, "the admin server can be reached from other machines")
            .remedy("it asks nobody who they are: use a loopback address, or guard the port");
    }
}
