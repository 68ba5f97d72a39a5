//! Compiled routes of layer 4, and which of them a listener has.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_config::model::{self, Config, ListenerProtocol};
use bulkhead_router::ServerNames;
use bulkhead_telemetry::ExchangeSeries;

use super::{ClusterId, Compiler};

/// A compiled route of layer 4.
#[derive(Debug)]
pub(crate) struct RelayRoute {
    pub(crate) name: String,
    pub(crate) idle_timeout: Duration,
    pub(crate) connect_attempts: u32,
    pub(crate) revision: u64,
    /// Series of relays that reached no cluster.
    unserved: ExchangeSeries,
    /// Cluster, its name, weights up to and including it, series.
    backends: Vec<(ClusterId, String, u64, ExchangeSeries)>,
}

impl RelayRoute {
    fn compile(route: &model::RelayRoute, revision: u64, compiler: &Compiler) -> Arc<Self> {
        let mut upto = 0;
        let backend = |backend: &model::Backend| {
            upto += u64::from(backend.weight);
            let series = compiler.registry.series(&route.name, &backend.cluster);
            (compiler.ids.of(&backend.cluster), backend.cluster.clone(), upto, series)
        };
        Arc::new(Self {
            name: route.name.clone(),
            idle_timeout: route.idle_timeout,
            connect_attempts: route.connect_attempts,
            revision,
            unserved: compiler.registry.series(&route.name, ""),
            backends: route.backends.iter().map(backend).collect(),
        })
    }

    /// The backend that a random number chooses.
    pub(crate) fn backend(&self, roll: u64) -> Option<ClusterId> {
        let total = self.backends.last()?.2;
        let point = ((u128::from(roll) * u128::from(total)) >> 64) as u64;
        self.backends.iter().find(|(_, _, upto, _)| point < *upto).map(|(id, ..)| *id)
    }

    /// Name and series of one of its clusters; of none, if there is no such.
    pub(crate) fn facts(&self, cluster: Option<ClusterId>) -> (&str, &ExchangeSeries) {
        let found = self.backends.iter().find(|(id, ..)| Some(*id) == cluster);
        found.map_or(("", &self.unserved), |(_, name, _, series)| (name, series))
    }
}

/// What a listener passes on as bytes.
#[derive(Debug, Default)]
pub(crate) enum Relaying {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything.
    Tcp(Arc<RelayRoute>),
    /// TLS of these names. `terminates`: all others are terminated, else they are refused.
    Tls { names: ServerNames<Arc<RelayRoute>>, terminates: bool },
}

impl Relaying {
    /// What this listener passes on.
    pub(super) fn of(
        listener: &model::Listener,
        config: &Config,
        revision: u64,
        compiler: &Compiler,
    ) -> Self {
        let here = |route: &&model::RelayRoute| route.listeners.contains(&listener.name);
        if listener.protocol == ListenerProtocol::Tcp {
            let route = config.tcp_routes.iter().find(here);
            return route.map_or(Self::Nothing, |route| {
                Self::Tcp(RelayRoute::compile(route, revision, compiler))
            });
        }
        let mut routes = config.tls_routes.iter().filter(here).peekable();
        let terminates = listener.protocol == ListenerProtocol::Http;
        if terminates && routes.peek().is_none() {
            return Self::Nothing;
        }
        let mut names = ServerNames::default();
        for route in routes {
            let compiled = RelayRoute::compile(route, revision, compiler);
            if route.hostnames.is_empty() {
                names.add_any(compiled.clone());
            }
            for name in &route.hostnames {
                names.add(name, compiled.clone());
            }
        }
        Self::Tls { names, terminates }
    }
}
