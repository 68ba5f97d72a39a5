//! Compiled routes of layer 4, and which of them a listener has.

use std::sync::Arc;
use std::time::Duration;

use bulkhead_config::model::{self, Config, HashSource, ListenerProtocol};
use bulkhead_router::{CompileError, ServerNames};
use bulkhead_telemetry::ExchangeSeries;
use bulkhead_upstream::Subset;

use super::backend::subset;
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
    backends: Vec<RelayBackend>,
}

/// A compiled backend of such a route.
#[derive(Debug)]
pub(crate) struct RelayBackend {
    pub(crate) cluster: ClusterId,
    /// The cluster's.
    pub(crate) name: String,
    /// Weights up to and including it.
    weight_end: u64,
    pub(crate) series: ExchangeSeries,
    /// The part of the cluster; `None`: all of it.
    pub(crate) subset: Option<Arc<Subset>>,
    /// Clients stick to an endpoint by their address: nothing else of them is known.
    pub(crate) by_source: bool,
}

impl RelayRoute {
    fn compile(
        route: &model::RelayRoute,
        config: &Config,
        revision: u64,
        compiler: &Compiler,
    ) -> Arc<Self> {
        let mut weight_end = 0;
        let backend = |backend: &model::Backend| {
            weight_end += u64::from(backend.weight);
            let by_source = config.clusters.get(&backend.cluster).is_some_and(|cluster| {
                cluster.balance.by_hash() && cluster.hash_on.contains(&HashSource::SourceIp)
            });
            RelayBackend {
                cluster: compiler.ids.of(&backend.cluster),
                name: backend.cluster.clone(),
                weight_end,
                series: compiler.registry.series(&route.name, &backend.cluster),
                subset: backend.subset.as_ref().map(subset),
                by_source,
            }
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

    /// Number of the backend that a random number chooses.
    pub(crate) fn choose(&self, roll: u64) -> Option<usize> {
        let total = self.backends.last()?.weight_end;
        let point = ((u128::from(roll) * u128::from(total)) >> 64) as u64;
        self.backends.iter().position(|backend| point < backend.weight_end)
    }

    /// A backend by its number.
    pub(crate) fn backend(&self, number: Option<usize>) -> Option<&RelayBackend> {
        self.backends.get(number?)
    }

    /// Name and series of a backend's cluster; of none, if there is no such.
    pub(crate) fn facts(&self, backend: Option<usize>) -> (&str, &ExchangeSeries) {
        self.backend(backend)
            .map_or(("", &self.unserved), |backend| (&backend.name, &backend.series))
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
    /// Whether what comes may be HTTP, so that there are exchanges.
    pub(crate) const fn leaves_exchanges(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Tcp(_) => false,
            Self::Tls { terminates, .. } => *terminates,
        }
    }

    /// What this listener passes on.
    ///
    /// # Errors
    /// A hostname that is none.
    pub(super) fn of(
        listener: &model::Listener,
        config: &Config,
        revision: u64,
        compiler: &Compiler,
    ) -> Result<Self, CompileError> {
        let here = |route: &model::RelayRoute| route.listeners.contains(&listener.name);
        if listener.protocol == ListenerProtocol::Tcp {
            let route = config.tcp_routes.iter().find(|route| here(route));
            return Ok(route.map_or(Self::Nothing, |route| {
                Self::Tcp(RelayRoute::compile(route, config, revision, compiler))
            }));
        }
        let routes = config.tls_routes.iter().enumerate();
        let mut routes = routes.filter(|(_, route)| here(route)).peekable();
        let terminates = listener.protocol == ListenerProtocol::Http;
        if terminates && routes.peek().is_none() {
            return Ok(Self::Nothing);
        }
        let mut names = ServerNames::default();
        for (number, route) in routes {
            let compiled = RelayRoute::compile(route, config, revision, compiler);
            if route.hostnames.is_empty() {
                names.add_any(compiled.clone());
            }
            for name in &route.hostnames {
                names.add(name, compiled.clone()).map_err(|kind| CompileError {
                    route: number,
                    match_index: None,
                    kind,
                })?;
            }
        }
        Ok(Self::Tls { names, terminates })
    }
}
