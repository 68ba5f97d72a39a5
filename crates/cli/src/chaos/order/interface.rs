//! An interface as the target of `chaos inject` and `chaos approve`.

use std::net::IpAddr;
use std::path::PathBuf;

use bulkhead_chaos::{CarrierChoice, InterfaceEnd, InterfaceTarget, Scope, Transport};

/// An interface that exists already, and which of its packets.
#[derive(Debug, clap::Args)]
pub(super) struct InterfaceArgs {
    /// Target: what comes in at a network interface, or with netem what goes out: lo, eth0, …
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Network namespace of the interface: /run/netns/NAME or /proc/PID/ns/net [default: the lab's]
    #[arg(long, value_name = "FILE", requires = "interface")]
    namespace: Option<PathBuf>,
    /// Whose interface it is, client or server: what comes in at the server's is upstream (not for lo)
    #[arg(long, value_name = "END", value_parser = end, requires = "interface")]
    end: Option<InterfaceEnd>,
    /// Only packets of tcp or udp
    #[arg(long, value_name = "PROTOCOL", value_parser = transport, requires = "interface")]
    protocol: Option<Transport>,
    /// Only packets from and to this server
    #[arg(long, value_name = "IP", requires = "interface")]
    server: Option<IpAddr>,
    /// Only packets from and to this port of servers
    #[arg(long, value_name = "PORT", requires = "protocol")]
    server_port: Option<u16>,
    /// Only packets from and to this client
    #[arg(long, value_name = "IP", requires = "interface")]
    client: Option<IpAddr>,
    /// Only packets from and to this port of clients
    #[arg(long, value_name = "PORT", requires = "protocol")]
    client_port: Option<u16>,
    /// What is to carry the fault: bpf, nftables or netem [default: whichever can]
    #[arg(long, value_name = "CARRIER", value_parser = carrier, requires = "interface")]
    carrier: Option<CarrierChoice>,
}

impl InterfaceArgs {
    /// The target, if an interface is named.
    pub(super) fn target(&self) -> Option<InterfaceTarget> {
        Some(InterfaceTarget {
            name: self.interface.clone()?,
            namespace: self.namespace.clone(),
            end: self.end,
            scope: Scope {
                protocol: self.protocol,
                server: self.server,
                server_port: self.server_port,
                client: self.client,
                client_port: self.client_port,
            },
            carrier: self.carrier.unwrap_or_default(),
        })
    }
}

/// A word as orders have it.
fn word<T: serde::de::DeserializeOwned>(text: &str, expected: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("expected is {expected}"))
}

fn end(text: &str) -> Result<InterfaceEnd, String> {
    word(text, "client or server")
}

fn transport(text: &str) -> Result<Transport, String> {
    word(text, "tcp or udp")
}

fn carrier(text: &str) -> Result<CarrierChoice, String> {
    word(text, "auto, bpf, nftables or netem")
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::{CarrierChoice, InterfaceEnd, Transport};
    use clap::Parser as _;

    use super::InterfaceArgs;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        interface: InterfaceArgs,
    }

    fn parse(line: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(std::iter::once("inject").chain(line.split_whitespace()))
    }

    #[test]
    fn an_interface_is_told_with_its_scope() {
        let line = "--interface eth0 --namespace /run/netns/a --end server --protocol tcp \
                    --server 10.0.0.1 --server-port 80 --carrier nftables";
        let target = parse(line).unwrap().interface.target().unwrap();
        assert_eq!((target.name.as_str(), target.end), ("eth0", Some(InterfaceEnd::Server)));
        assert_eq!(target.carrier, CarrierChoice::Nftables);
        assert_eq!(target.scope.protocol, Some(Transport::Tcp));
        assert_eq!((target.scope.server_port, target.scope.client_port), (Some(80), None));
        assert!(parse("").unwrap().interface.target().is_none());
    }

    #[test]
    fn a_scope_needs_an_interface_and_a_port_a_protocol() {
        for wrong in [
            "--protocol tcp",
            "--interface lo --server-port 80",
            "--interface lo --carrier tc",
            "--interface lo --end middle",
            "--interface lo --protocol sctp",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
