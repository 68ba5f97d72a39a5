//! The steps between route and upstream: the [`Filter`] trait, the [`Chain`], and the built-in filters.
//!
//! Filters are pure: time is an argument, what a worker remembers between requests is in [`Caches`],
//! which the worker owns, so that no step takes a lock. A filter does no I/O, reads no clock and never
//! sees the configuration's types: the gateway translates them into the specs here.

mod caches;
mod chain;
mod cors;
mod error;
mod headers;
mod jwt;
mod redirect;
mod respond;
mod rewrite;

pub use caches::Caches;
pub use chain::{Chain, Context, Filter, Flow, Response};
pub use cors::{Cors, CorsSpec};
pub use error::FilterError;
pub use headers::{HeaderChanges, RequestHeaders, ResponseHeaders};
pub use jwt::{
    JwtAlgorithm, JwtCache, JwtFilter, JwtKeyError, JwtProvider, JwtProviderSpec, KeyMaterial,
    KeyRotation, TOKEN_BYTES_MAX, bearer_challenge,
};
pub use redirect::{Redirect, RedirectSpec};
pub use respond::{FixedResponse, FixedResponseSpec};
pub use rewrite::{PathRewrite, Rewrite, RewriteSpec};
