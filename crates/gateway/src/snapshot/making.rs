//! What a snapshot is made of that is costly to make, or that others remember: token issuers with
//! their tokens, certificates, TLS towards clusters with its sessions. What did not change is carried
//! over from the configuration in force; a configuration that is refused leaves all that alone.

use std::sync::Arc;

use bulkhead_telemetry::Registry;
use bulkhead_transport::{AlpnChallenges, KeyLogFile, Ticketer};

use super::ClusterIds;
use super::tls::{BuiltClients, Clients};
use crate::breakers::BreakerIds;
use crate::certificates::{Certificates, Loading};
use crate::chains::{BuiltProviders, Providers};
use crate::clock;
use crate::injection::Expiry;

/// What compiling needs beyond the configuration. Lives as long as the gateway.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(crate) ids: ClusterIds,
    pub(crate) breakers: BreakerIds,
    pub(crate) ticketer: Ticketer,
    pub(crate) registry: Arc<Registry>,
    pub(crate) certificates: Certificates,
    pub(crate) challenges: AlpnChallenges,
    pub(super) providers: BuiltProviders,
    pub(super) clients: BuiltClients,
    pub(super) key_log: Option<KeyLogFile>,
    /// What makes certificates expired.
    pub(super) expiry: Expiry,
}

impl Compiler {
    /// One that has compiled nothing yet.
    pub(crate) fn new(
        registry: Arc<Registry>,
        ticketer: Ticketer,
        key_log: Option<KeyLogFile>,
        expiry: Expiry,
    ) -> Self {
        Self {
            ids: ClusterIds::default(),
            breakers: BreakerIds::default(),
            ticketer,
            registry,
            certificates: Certificates::default(),
            challenges: AlpnChallenges::default(),
            providers: BuiltProviders::default(),
            clients: BuiltClients::default(),
            key_log,
            expiry,
        }
    }
}

/// What one configuration is made of, as far as it is compiled.
#[must_use = "what is not kept is made anew the next time"]
#[derive(Debug)]
pub(crate) struct Making<'a> {
    pub(super) compiler: &'a Compiler,
    pub(super) loading: Loading<'a>,
    pub(super) providers: Providers,
    pub(super) clients: Clients,
}

impl<'a> Making<'a> {
    /// A configuration with these token issuers.
    pub(super) fn new(compiler: &'a Compiler, providers: Providers) -> Self {
        let loading = compiler.certificates.begin(clock::unix().as_secs());
        Self { compiler, loading, providers, clients: Clients::default() }
    }

    /// The configuration is in force: the next one is compared with it.
    pub(crate) fn keep(self) {
        self.compiler.providers.keep(self.providers);
        self.compiler.clients.keep(self.clients);
        self.loading.commit(&self.compiler.registry);
    }
}

#[cfg(test)]
mod tests;
