//! From the configuration's filters to the chain of a route: the one exhaustive `match` over them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_config::Config;
use bulkhead_config::model::{self, JwtKeys};
use bulkhead_filter::{
    Chain, Cors, CorsSpec, Filter, FilterError, FixedResponse, FixedResponseSpec, HeaderChanges,
    JwtAlgorithm, JwtFilter, JwtProvider, JwtProviderSpec, KeyMaterial, PathRewrite, Redirect,
    RedirectSpec, RequestHeaders, ResponseHeaders, Rewrite, RewriteSpec,
};

use crate::snapshot::{ApplyError, read_file, read_secret};

/// Token issuers by name, and what they were built from.
pub(crate) type Providers = BTreeMap<String, (JwtProviderSpec, Arc<JwtProvider>)>;

/// The token issuers in force, so that unchanged ones are carried over: each build has a revision of
/// its own, and a new revision makes all cached tokens count for nothing.
#[derive(Debug, Default)]
pub(crate) struct BuiltProviders(Mutex<Providers>);

impl BuiltProviders {
    /// The issuers of a configuration, built or carried over.
    pub(crate) fn of(&self, config: &Config) -> Result<Providers, ApplyError> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::new();
        for provider in config.jwt_providers.values() {
            let spec = provider_spec(provider)?;
            let built = match last.get(&provider.name) {
                Some((same, built)) if *same == spec => built.clone(),
                _ => Arc::new(JwtProvider::new(&spec).map_err(|source| ApplyError::JwtKeys {
                    provider: provider.name.clone(),
                    source,
                })?),
            };
            next.insert(provider.name.clone(), (spec, built));
        }
        Ok(next)
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// These are in force.
    pub(crate) fn keep(&self, providers: Providers) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = providers;
    }
}

fn provider_spec(provider: &model::JwtProvider) -> Result<JwtProviderSpec, ApplyError> {
    let keys = match &provider.keys {
        JwtKeys::InlineJwks(text) => KeyMaterial::Jwks(text.clone()),
        JwtKeys::JwksFile(path) => {
            let bytes = read_file("JWKS file", path)?;
            KeyMaterial::Jwks(String::from_utf8_lossy(&bytes).into_owned())
        }
        JwtKeys::PublicKeyFile(path) => {
            KeyMaterial::PublicKeyPem(read_file("public key file", path)?)
        }
        JwtKeys::Secret(source) => {
            let mut secret = read_secret("JWT secret", source)?;
            // Editors and `echo` end a file with a line feed; no secret does.
            while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                secret.pop();
            }
            KeyMaterial::Secret(secret)
        }
    };
    Ok(JwtProviderSpec {
        name: provider.name.clone(),
        issuer: provider.issuer.clone(),
        audiences: provider.audiences.clone(),
        algorithms: provider.algorithms.iter().map(algorithm).collect(),
        keys,
        skew_s: provider.clock_skew.as_secs(),
        cache_size: provider.cache_size,
    })
}

const fn algorithm(algorithm: &model::JwtAlgorithm) -> JwtAlgorithm {
    match algorithm {
        model::JwtAlgorithm::Hs256 => JwtAlgorithm::Hs256,
        model::JwtAlgorithm::Hs384 => JwtAlgorithm::Hs384,
        model::JwtAlgorithm::Hs512 => JwtAlgorithm::Hs512,
        model::JwtAlgorithm::Rs256 => JwtAlgorithm::Rs256,
        model::JwtAlgorithm::Ps256 => JwtAlgorithm::Ps256,
        model::JwtAlgorithm::Es256 => JwtAlgorithm::Es256,
        model::JwtAlgorithm::EdDsa => JwtAlgorithm::EdDsa,
    }
}

/// Builds the chain of a route.
pub(crate) fn build(route: &model::Route, providers: &Providers) -> Result<Chain, FilterError> {
    let filters = route.filters.iter().filter_map(|filter| step(filter, providers).transpose());
    Ok(Chain::new(filters.collect::<Result<_, _>>()?))
}

/// `None`: the exchange does it, for bodies and trailers are no filter's, and a filter sees one request
/// and makes no other.
fn step(
    filter: &model::Filter,
    providers: &Providers,
) -> Result<Option<Arc<dyn Filter>>, FilterError> {
    Ok(Some(match filter {
        model::Filter::Mirror(_) | model::Filter::GrpcWeb | model::Filter::Fault(_) => {
            return Ok(None);
        }
        model::Filter::Cors(spec) => Arc::new(Cors::new(&CorsSpec {
            allow_origins: spec.allow_origins.clone(),
            allow_methods: spec.allow_methods.clone(),
            allow_headers: spec.allow_headers.clone(),
            expose_headers: spec.expose_headers.clone(),
            allow_credentials: spec.allow_credentials,
            max_age_s: spec.max_age.as_secs(),
        })?),
        model::Filter::Jwt(jwt) => {
            let named = jwt.providers.iter().filter_map(|name| providers.get(name));
            let providers = named.map(|(_, built)| built.clone()).collect();
            let claims = &jwt.claims_to_headers;
            Arc::new(JwtFilter::new(providers, jwt.optional, claims, jwt.forward_token)?)
        }
        model::Filter::RequestHeaders(spec) => Arc::new(RequestHeaders::new(&changes(spec))?),
        model::Filter::ResponseHeaders(spec) => Arc::new(ResponseHeaders::new(&changes(spec))?),
        model::Filter::Redirect(spec) => Arc::new(Redirect::new(&RedirectSpec {
            scheme: spec.scheme.clone(),
            hostname: spec.hostname.clone(),
            port: spec.port,
            path: spec.path.clone(),
            status: spec.status,
        })?),
        model::Filter::Respond(spec) => Arc::new(FixedResponse::new(&FixedResponseSpec {
            status: spec.status,
            headers: spec.headers.clone(),
            body: spec.body.clone(),
        })?),
        model::Filter::Rewrite(spec) => Arc::new(Rewrite::new(&RewriteSpec {
            hostname: spec.hostname.clone(),
            path: spec.path.as_ref().map(|path| match path {
                model::PathRewrite::Full(path) => PathRewrite::Full(path.clone()),
                model::PathRewrite::Prefix(prefix) => PathRewrite::Prefix(prefix.clone()),
            }),
        })?),
    }))
}

fn changes(spec: &model::HeaderChanges) -> HeaderChanges {
    HeaderChanges { remove: spec.remove.clone(), set: spec.set.clone(), add: spec.add.clone() }
}
