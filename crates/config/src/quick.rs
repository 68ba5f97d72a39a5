//! A configuration with no file: one listener, one upstream.

use std::net::SocketAddr;

use crate::diagnostic::{Diagnostic, quote};
use crate::model::{
    Backend, Cluster, Config, Endpoint, EndpointAddress, Listener, Protocol, Route, UpstreamTls,
};
use crate::nearest::nearest;
use crate::scalar::read_endpoint;

/// Scheme, protocol, whether with TLS, default port.
const SCHEMES: [(&str, Protocol, bool, u16); 4] = [
    ("http", Protocol::Http1, false, 80),
    ("https", Protocol::Http1, true, 443),
    ("h2c", Protocol::Http2, false, 80),
    ("h2", Protocol::Http2, true, 443),
];

impl Config {
    /// A gateway that sends every request that `listen` accepts to `upstream`, a URL such as
    /// `http://127.0.0.1:8080`. Schemes: `http` (HTTP/1.1), `https` (HTTP/1.1 over TLS), `h2c`
    /// (HTTP/2 in cleartext), `h2` (HTTP/2 over TLS); default ports 80 and 443.
    ///
    /// # Errors
    /// What is wrong with `upstream`, as a diagnostic without a file.
    pub fn quick(
        listen: SocketAddr,
        upstream: &str,
        workers: Option<usize>,
    ) -> Result<Self, Box<Diagnostic>> {
        let cluster = cluster(upstream)?;
        Ok(Self {
            workers,
            listeners: vec![Listener::new("listener-1", listen)],
            routes: vec![Route::new("route-1", vec![Backend::new(&cluster.name, 1)])],
            clusters: [(cluster.name.clone(), cluster)].into_iter().collect(),
            ..Self::default()
        })
    }
}

fn cluster(upstream: &str) -> Result<Cluster, Box<Diagnostic>> {
    let fault = |message: String| {
        let mut found = Box::new(Diagnostic::without_file(message));
        found.expected(
            "URL with scheme `http` (HTTP/1.1), `https` (HTTP/1.1 over TLS), `h2c` (HTTP/2 in \
             cleartext) or `h2` (HTTP/2 over TLS), such as `http://127.0.0.1:8080`",
        );
        found
    };
    let Some((scheme, rest)) = upstream.split_once("://") else {
        let mut found = fault(format!("the upstream {} has no scheme", quote(upstream)));
        if read_endpoint(upstream).is_ok() {
            found.suggest(format!("http://{upstream}"));
        }
        return Err(found);
    };
    let known = SCHEMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(scheme));
    let Some((_, protocol, secure, default_port)) = known else {
        let mut found = fault(format!("the upstream has an unknown scheme {}", quote(scheme)));
        if let Some(near) = nearest(scheme, SCHEMES.iter().map(|(name, ..)| *name)) {
            found.suggest(format!("{near}://{rest}"));
        }
        return Err(found);
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err(fault("the upstream's URL has user information, which is never sent".into()));
    }
    if authority.contains(['/', '?', '#']) {
        let mut found = fault(format!("the upstream {} has a path", quote(upstream)));
        found.remedy("leave the path out; `url_rewrite` in a configuration file can change paths");
        return Err(found);
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let bare_ipv6 = authority.matches(':').count() > 1 && !authority.starts_with('[');
    let address = match read_endpoint(authority) {
        Ok(address) => address,
        Err(_) if has_port && !bare_ipv6 => {
            return Err(fault(format!("{} is not an address and port", quote(authority))));
        }
        Err(_) => read_endpoint(&format!("{authority}:{default_port}"))
            .map_err(|_| fault(format!("{} is not an address or name", quote(authority))))?,
    };
    let server_name = match &address {
        EndpointAddress::Name { host, .. } => host.clone(),
        EndpointAddress::Socket(address) => address.ip().to_string(),
        EndpointAddress::Unix(_) => "localhost".to_owned(),
    };
    let endpoints = vec![Endpoint::new(address)];
    let mut cluster = Cluster::new("upstream", endpoints, *protocol);
    cluster.tls =
        secure.then(|| UpstreamTls { server_name: Some(server_name), ..UpstreamTls::default() });
    Ok(cluster)
}

#[cfg(test)]
mod tests;
