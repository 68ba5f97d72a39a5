//! One listener, its connections, and the toxics that they share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_chaos::Random;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::error::ApiError;
use super::link::{self, Toxics};
use super::toxic::Toxic;

/// Connections of a proxy at a time; more wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 4_096;
/// Toxics of a proxy.
pub(super) const TOXICS_MAX: usize = 64;
/// Until a connection to the server is there, or a name is looked up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept: when descriptors run out, trying at once is useless.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A proxy, listening or not.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) name: String,
    /// As it was given, until it listens; then the actual address.
    pub(super) listen: String,
    /// As it was given.
    asked: String,
    pub(super) upstream: String,
    toxics: watch::Sender<Toxics>,
    /// Accepts and passes on; there while the proxy is enabled.
    running: Option<JoinHandle<()>>,
    seed: u64,
}

impl Proxy {
    pub(super) fn new(name: &str, listen: &str, upstream: &str, seed: u64) -> Self {
        let toxics = watch::Sender::new(Toxics::from([]));
        let (asked, listen) = (listen.to_owned(), listen.to_owned());
        let (name, upstream) = (name.to_owned(), upstream.to_owned());
        Self { name, listen, asked, upstream, toxics, running: None, seed }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it listens on this address already, by its name or its number.
    pub(super) async fn listens_on(&self, listen: &str) -> bool {
        if self.listen == listen || self.asked == listen {
            return true;
        }
        match (self.listen.parse::<SocketAddr>(), resolve(listen).await) {
            (Ok(actual), Ok(wanted)) => actual == wanted,
            _ => false,
        }
    }

    /// Begins to listen, unless it does.
    pub(super) async fn start(&mut self) -> Result<(), ApiError> {
        if self.is_enabled() {
            return Ok(());
        }
        let address = resolve(&self.listen).await?;
        let refused =
            |error: std::io::Error| ApiError::listen(&address.to_string(), reason(&error));
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        self.listen = listener.local_addr().map_err(refused)?.to_string();
        let accepting =
            accept(listener, self.upstream.clone(), self.toxics.clone(), Random::new(self.seed));
        self.running = Some(tokio::spawn(accepting));
        Ok(())
    }

    /// Closes the listener and all connections; both are gone when this comes back.
    pub(super) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _aborted = running.await;
        }
    }

    /// Other addresses and state.
    pub(super) async fn update(
        &mut self,
        listen: &str,
        upstream: &str,
        enabled: bool,
    ) -> Result<(), ApiError> {
        if !self.listens_on(listen).await || self.upstream != upstream {
            self.stop().await;
            (self.listen, self.asked) = (listen.to_owned(), listen.to_owned());
            upstream.clone_into(&mut self.upstream);
        }
        if enabled {
            return self.start().await;
        }
        self.stop().await;
        Ok(())
    }

    pub(super) fn toxics(&self) -> Toxics {
        self.toxics.borrow().clone()
    }

    pub(super) fn toxic(&self, name: &str) -> Option<Toxic> {
        self.toxics().iter().find(|toxic| toxic.name == name).cloned()
    }

    pub(super) fn add_toxic(&self, toxic: Toxic) -> Result<(), ApiError> {
        let toxics = self.toxics();
        if toxics.iter().any(|other| other.name == toxic.name) {
            return Err(ApiError::toxic_exists());
        }
        if toxics.len() >= TOXICS_MAX {
            return Err(ApiError::too_many("toxics of a proxy", TOXICS_MAX));
        }
        self.toxics.send_replace(toxics.iter().cloned().chain([toxic]).collect());
        Ok(())
    }

    /// Puts `toxic` in place of the one of its name.
    pub(super) fn replace_toxic(&self, toxic: &Toxic) {
        let replaced =
            |old: &Toxic| if old.name == toxic.name { toxic.clone() } else { old.clone() };
        self.toxics.send_modify(|toxics| *toxics = toxics.iter().map(replaced).collect());
    }

    /// Takes back those that `keep` does not want. Waits for no connection.
    pub(super) fn retain_toxics(&self, keep: impl Fn(&Toxic) -> bool) -> bool {
        self.toxics.send_if_modified(|toxics| {
            let before = toxics.len();
            if toxics.iter().all(&keep) {
                return false;
            }
            *toxics = toxics.iter().filter(|toxic| keep(toxic)).cloned().collect();
            toxics.len() != before
        })
    }

    pub(super) fn expire_toxics(&self, now: Instant) {
        self.retain_toxics(|toxic| toxic.expires > now);
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.is_enabled(),
            "toxics": self.toxics().iter().map(Toxic::to_json).collect::<Vec<_>>(),
        })
    }
}

async fn accept(
    listener: TcpListener,
    upstream: String,
    toxics: watch::Sender<Toxics>,
    mut random: Random,
) {
    let upstream: Arc<str> = upstream.into();
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let (upstream, toxics) = (Arc::clone(&upstream), toxics.subscribe());
                    connections.spawn(connect(client, upstream, toxics, random.next()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn connect(
    client: TcpStream,
    upstream: Arc<str>,
    toxics: watch::Receiver<Toxics>,
    seed: u64,
) {
    let connecting = TcpStream::connect(&*upstream);
    // A server that is not there: the client sees its connection closed, as with any proxy of TCP.
    if let Ok(Ok(server)) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        link::run(client, server, toxics, seed).await;
    }
}

/// The first address of `host:port`; IPv4 before IPv6. Nothing at all: any port of loopback.
async fn resolve(listen: &str) -> Result<SocketAddr, ApiError> {
    let listen = if listen.is_empty() { "127.0.0.1:0" } else { listen };
    // `:80` is how Go writes every address of the machine.
    let whole = if listen.starts_with(':') { format!("[::]{listen}") } else { listen.to_owned() };
    let looked_up = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host(whole)).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(ApiError::listen(listen, reason(&error))),
        Err(_) => return Err(ApiError::listen(listen, "the name was not found in time")),
    };
    let first = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first());
    first.copied().ok_or_else(|| ApiError::listen(listen, "the name has no address"))
}

/// As Go says it, since clients' tests compare it.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "bind: address already in use".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "bind: cannot assign requested address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "bind: permission denied".to_owned(),
        _ => error.to_string(),
    }
}
