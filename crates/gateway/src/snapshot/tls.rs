//! TLS of listeners and clusters, compiled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_config::model::{self, Protocol};
use bulkhead_transport::{
    Certificate, ClientAuth, ClientAuthOptions, ClientConfig, ClientTls, ClientTlsOptions,
    NameMatch, ServerConfig, ServerName, ServerTls, ServerTlsOptions, Ticketer, TlsError,
    TlsPolicy, TlsVersion,
};

use super::{ApplyError, Making, read_file, speaks};

/// TLS of a listener.
pub(super) fn listener(
    listener: &model::Listener,
    tls: &model::ListenerTls,
    making: &mut Making<'_>,
) -> Result<Arc<ServerConfig>, ApplyError> {
    let failed =
        |source| ApplyError::Tls { owner: format!("listener `{}`", listener.name), source };
    let Making { compiler, loading, .. } = making;
    let mut certificates = Vec::new();
    for certificate in &tls.certificates {
        certificates.push(loading.named(certificate)?);
    }
    if let Some(path) = &tls.certificates_dir {
        certificates.extend(loading.directory(path)?);
    }
    // Before the first certificate was obtained it is not there.
    if let Some(path) = tls.acme_dir.as_ref().filter(|path| path.is_dir()) {
        certificates.extend(loading.directory(path)?);
    }
    let mut alpn: Vec<&[u8]> = Vec::new();
    if speaks(listener, Protocol::Http2) {
        alpn.push(b"h2");
    }
    if speaks(listener, Protocol::Http1) {
        alpn.push(b"http/1.1");
    }
    let ticketer = ticketer(tls, &compiler.ticketer, failed)?;
    let client_auth =
        tls.client_certificates.as_ref().map(|clients| client_auth(clients, failed)).transpose()?;
    ServerTls::with(&ServerTlsOptions {
        certificates: &certificates,
        policy: match tls.policy {
            model::TlsPolicy::Modern => TlsPolicy::Modern,
            model::TlsPolicy::Intermediate => TlsPolicy::Intermediate,
        },
        min_version: version(tls.min_version),
        alpn: &alpn,
        ticketer: &ticketer,
        client_auth: client_auth.as_ref(),
        challenges: tls.acme_dir.as_ref().map(|_| &compiler.challenges),
        key_log: compiler.key_log.as_ref(),
        expiry: Some(&compiler.expiry.shown),
    })
    .map_err(failed)
}

const fn version(version: model::TlsVersion) -> TlsVersion {
    match version {
        model::TlsVersion::Tls12 => TlsVersion::Tls12,
        model::TlsVersion::Tls13 => TlsVersion::Tls13,
    }
}

fn ticketer(
    tls: &model::ListenerTls,
    random: &Ticketer,
    failed: impl Fn(TlsError) -> ApplyError,
) -> Result<Ticketer, ApplyError> {
    if tls.ticket_key_files.is_empty() {
        return Ok(random.clone());
    }
    let read = |path| read_file("session ticket key", path);
    let keys = tls.ticket_key_files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ticketer::from_keys(&keys).map_err(failed)
}

fn client_auth(
    clients: &model::ClientCertificates,
    failed: impl Fn(TlsError) -> ApplyError,
) -> Result<ClientAuth, ApplyError> {
    let ca_pem = read_file("CA file", &clients.ca_file)?;
    let list = clients.crl_file.as_ref();
    let crl_pem = list.map(|path| read_file("revocation list", path)).transpose()?;
    ClientAuth::new(&ClientAuthOptions {
        ca_pem: &ca_pem,
        crl_pem: crl_pem.as_deref(),
        required: clients.required,
        matches: &names(&clients.matches),
    })
    .map_err(failed)
}

fn names(matches: &[model::NameMatch]) -> Vec<NameMatch> {
    let name = |accepted: &model::NameMatch| match accepted {
        model::NameMatch::Dns(name) => NameMatch::Dns(name.clone()),
        model::NameMatch::Uri(uri) => NameMatch::Uri(uri.clone()),
        model::NameMatch::Spiffe(id) => NameMatch::Spiffe(id.clone()),
    };
    matches.iter().map(name).collect()
}

/// What TLS towards a cluster is made of.
#[derive(Debug, PartialEq)]
struct ClientMaterial {
    tls: model::UpstreamTls,
    protocol: Protocol,
    ca_pem: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
}

/// TLS towards a cluster.
#[derive(Clone, Debug)]
pub(super) struct BuiltClient {
    /// For connections that speak HTTP.
    pub(super) http: Arc<ClientConfig>,
    /// The same without ALPN, for bytes that are no HTTP.
    pub(super) relay: Arc<ClientConfig>,
}

/// TLS towards clusters by name, and what it was built from.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<String, (ClientMaterial, BuiltClient)>);

/// TLS towards each cluster as it is in force. What did not change is carried over: its sessions can
/// be resumed, and its connections stay in use.
#[derive(Debug, Default)]
pub(super) struct BuiltClients(Mutex<Clients>);

impl BuiltClients {
    /// TLS towards this cluster, if it is made of this material.
    fn same(&self, cluster: &str, material: &ClientMaterial) -> Option<BuiltClient> {
        let Clients(built) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        built.get(cluster).filter(|(same, _)| same == material).map(|(_, client)| client.clone())
    }

    /// These are in force.
    pub(super) fn keep(&self, clients: Clients) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = clients;
    }
}

impl Making<'_> {
    /// TLS towards a cluster, built or carried over.
    pub(super) fn client(
        &mut self,
        cluster: &model::Cluster,
        tls: &model::UpstreamTls,
    ) -> Result<BuiltClient, ApplyError> {
        let ca_pem = tls.ca_file.as_ref().map(|path| read_file("CA file", path)).transpose()?;
        let certificate =
            tls.client_certificate.as_ref().map(|own| self.loading.named(own)).transpose()?;
        let material = ClientMaterial {
            tls: tls.clone(),
            protocol: cluster.protocol,
            ca_pem,
            certificate: certificate.as_ref().map(|own| own.der().to_vec()),
        };
        let client = match self.compiler.clients.same(&cluster.name, &material) {
            Some(client) => client,
            None => self.build(cluster, &material, certificate.as_ref())?,
        };
        self.clients.0.insert(cluster.name.clone(), (material, client.clone()));
        Ok(client)
    }

    fn build(
        &self,
        cluster: &model::Cluster,
        material: &ClientMaterial,
        certificate: Option<&Certificate>,
    ) -> Result<BuiltClient, ApplyError> {
        let tls = &material.tls;
        let alpn: &[u8] = match cluster.protocol {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        };
        let build = |alpn: &[&[u8]]| {
            let config = ClientTls::with(&ClientTlsOptions {
                ca_pem: material.ca_pem.as_deref(),
                skip_verify: tls.insecure_skip_verify,
                names: &names(&tls.subject_alt_names),
                min_version: version(tls.min_version),
                alpn,
                certificate,
                key_log: self.compiler.key_log.as_ref(),
                expiry: Some((&self.compiler.expiry.judged, &cluster.name)),
                ..ClientTlsOptions::default()
            });
            let owner = || format!("cluster `{}`", cluster.name);
            config.map_err(|source| ApplyError::Tls { owner: owner(), source })
        };
        Ok(BuiltClient { http: build(&[alpn])?, relay: build(&[])? })
    }
}

pub(super) fn server_name(
    cluster: &model::Cluster,
) -> Result<Option<ServerName<'static>>, ApplyError> {
    let Some(name) = cluster.tls_server_name() else { return Ok(None) };
    ServerName::try_from(name.to_owned()).map(Some).map_err(|_| ApplyError::ServerName {
        cluster: cluster.name.clone(),
        name: name.to_owned(),
    })
}
