//! Questions to name servers, with how long the answers hold.
//!
//! The system's own resolver (`getaddrinfo`) tells neither a time to live nor SRV records, so name
//! servers are asked directly, as `/etc/resolv.conf` says or the configuration; `/etc/hosts` comes
//! first. Only where the system has no usable `/etc/resolv.conf`, its resolver is asked after all.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_config::model;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};

/// How a name and a port become addresses. Blocks.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Until a name server has answered; each is asked twice.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);

/// Who is asked.
#[derive(Clone)]
pub(crate) enum Dns {
    /// Name servers.
    Servers(Box<TokioResolver>),
    /// The system, or who stands in for it.
    System(Lookup),
}

/// An answer, never empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found<T> {
    pub(crate) items: Vec<T>,
    /// How long it holds; `None`: nobody says.
    pub(crate) ttl: Option<Duration>,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Service {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) target: String,
    pub(crate) port: u16,
}

impl Dns {
    /// As the configuration says. Reads `/etc/resolv.conf` and `/etc/hosts`.
    pub(crate) fn of(config: &model::Dns) -> Self {
        let resolver = builder(config).and_then(|mut builder| {
            let options: &mut ResolverOpts = builder.options_mut();
            // Every question is asked: when to ask again is decided here, by the time to live.
            options.cache_size = 0;
            options.use_hosts_file = ResolveHosts::Always;
            options.timeout = QUERY_TIMEOUT;
            builder.build().ok()
        });
        match resolver {
            Some(resolver) => Self::Servers(Box::new(resolver)),
            None => {
                Self::System(Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())))
            }
        }
    }

    /// The addresses of a name, each once, in an order that does not depend on the name server's.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Found<SocketAddr>> {
        let mut found = match self {
            Self::System(lookup) => ask_system(Arc::clone(lookup), host.to_owned(), port).await?,
            Self::Servers(resolver) => {
                let answer = resolver.lookup_ip(host).await.map_err(io::Error::other)?;
                let items = answer.iter().map(|ip: IpAddr| SocketAddr::new(ip, port)).collect();
                Found { items, ttl: Some(time_left(answer.valid_until())) }
            }
        };
        found.items.sort();
        found.items.dedup();
        found.or_not_found("the name has no address")
    }

    /// The SRV records of a name.
    pub(crate) async fn services(&self, name: &str) -> io::Result<Found<Service>> {
        let Self::Servers(resolver) = self else {
            let reason = "no name server is known: /etc/resolv.conf names none, nor does `dns`";
            return Err(io::Error::other(reason));
        };
        let answer = resolver.srv_lookup(name).await.map_err(io::Error::other)?;
        let service = |data: &RData| match data {
            // A lone `.` says that the service is not offered.
            RData::SRV(srv) if !srv.target.is_root() => Some(Service {
                priority: srv.priority,
                weight: srv.weight,
                target: srv.target.to_utf8(),
                port: srv.port,
            }),
            _ => None,
        };
        let items = answer.answers().iter().filter_map(|record| service(&record.data)).collect();
        let found = Found { items, ttl: Some(time_left(answer.valid_until())) };
        found.or_not_found("the name has no SRV record with a target")
    }
}

impl<T> Found<T> {
    fn or_not_found(self, reason: &str) -> io::Result<Self> {
        if self.items.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
        Ok(self)
    }
}

fn builder(config: &model::Dns) -> Option<ResolverBuilder<TokioRuntimeProvider>> {
    if config.servers.is_empty() {
        return TokioResolver::builder_tokio().ok();
    }
    let servers = config.servers.iter().map(|server| {
        let connections =
            [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
        NameServerConfig::new(server.ip(), true, connections.to_vec())
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    Some(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
}

async fn ask_system(lookup: Lookup, host: String, port: u16) -> io::Result<Found<SocketAddr>> {
    let items = tokio::task::spawn_blocking(move || lookup(&host, port))
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the lookup was cut off")))?;
    Ok(Found { items, ttl: None })
}

fn time_left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
pub(crate) mod tests;
