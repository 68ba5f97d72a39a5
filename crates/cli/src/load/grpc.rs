//! gRPC calls whose messages are written as JSON: where their descriptors come from, and what is sent.
//!
//! The one part of `bulkhead load` that knows descriptors. Encodes everything before the run, so that
//! a request costs no more than raw bytes do; decodes an answer only if its content is to be compared.

mod ask;
mod sources;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, bail};
use bulkhead_grpc::{AskError, Expectation, Method, Schema};
use bulkhead_load::TargetOptions;

pub(crate) use workload::{GrpcWorkload, grpc_status};

use super::variations::Variations;

/// Where descriptors come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file that `protoc --descriptor_set_out --include_imports` wrote.
    DescriptorSet(PathBuf),
    /// `.proto` files, and the folders that imports are looked up in; none: those of the files.
    Proto { files: Vec<PathBuf>, folders: Vec<PathBuf> },
    /// The server itself.
    Reflection,
}

/// A server, and how it is addressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    /// HTTP/2, with TLS or without.
    pub(crate) target: &'a TargetOptions,
    /// Host, and port if it is not the usual one.
    pub(crate) authority: &'a str,
    /// Fields of each request, such as `authorization`.
    pub(crate) headers: &'a [(String, String)],
}

/// A call, ready to be made over and over.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What is called; tells messages as JSON, for what was seen wrong.
    pub(crate) method: Method,
    /// `/package.Service/Method`
    pub(crate) path: String,
    /// Bodies with their frames, taken in turn; at least one.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Messages in each of them.
    pub(crate) messages: usize,
    /// Which messages an answer must have.
    pub(crate) expectation: Expectation,
}

/// Finds `path` (`package.Service/Method`) and encodes the messages in `data`: a JSON object is one, a
/// list of objects are as many, sent all before the answer is read. Numbers may be drawn anew for each
/// request, as `{name:uniform(1,1000)}`.
///
/// # Errors
/// If there are no descriptors, no such method, or if `data` does not fit it; the text says where.
pub(crate) fn resolve(
    source: &Source,
    server: Server<'_>,
    path: &str,
    data: &str,
    seed: u64,
) -> anyhow::Result<Call> {
    let schema = schema(source, server, path)?;
    let method = schema.method(path)?;
    let variations = Variations::parse(data).context("read the gRPC message")?;
    let mut messages = 0;
    let mut bodies = Vec::new();
    for text in variations.texts(seed) {
        let body = method.encode_body(&text).context("read the gRPC message")?;
        messages = body.messages;
        bodies.push(body.bytes);
    }
    let (path, expectation) = (method.path(), Expectation::of(&method));
    Ok(Call { method, path, bodies, messages, expectation })
}

impl Call {
    /// Answers must have so many messages.
    pub(crate) fn expect_count(&mut self, count: usize) {
        self.expectation = std::mem::take(&mut self.expectation).with_count(count);
    }

    /// Answers must have these messages, as JSON.
    ///
    /// # Errors
    /// If they are not of the method's type.
    pub(crate) fn expect_messages(&mut self, json: &str) -> anyhow::Result<()> {
        let expectation = std::mem::take(&mut self.expectation);
        self.expectation = expectation
            .with_messages(&self.method, json)
            .context("read the expected gRPC messages")?;
        Ok(())
    }
}

/// Descriptors that need no server.
///
/// # Errors
/// If they cannot be read, or only a server could tell them.
pub(crate) fn schema_of_files(source: &Source) -> anyhow::Result<Schema> {
    match source {
        Source::DescriptorSet(file) => {
            let bytes = std::fs::read(file)
                .with_context(|| format!("read the descriptor set `{}`", file.display()))?;
            Ok(Schema::from_descriptor_set(&bytes)?)
        }
        Source::Proto { files, folders } => sources::read(files, folders),
        Source::Reflection => bail!(
            "a scenario takes its descriptors from --descriptor-set or --proto, not --reflection"
        ),
    }
}

fn schema(source: &Source, server: Server<'_>, path: &str) -> anyhow::Result<Schema> {
    match source {
        Source::DescriptorSet(_) | Source::Proto { .. } => schema_of_files(source),
        Source::Reflection => {
            let service = path.trim_start_matches('/').split('/').next().unwrap_or(path);
            Ok(bulkhead_grpc::reflect(service, |path, body| ask_reflection(server, path, body))?)
        }
    }
}

fn ask_reflection(server: Server<'_>, path: &str, body: &[u8]) -> Result<Vec<u8>, AskError> {
    let answer =
        ask::once(server, path, body).map_err(|error| AskError::Failed(format!("{error:#}")))?;
    match (answer.status, answer.grpc_status.as_deref()) {
        (200, Some("0")) => Ok(answer.body),
        (200, Some("5")) => Err(AskError::NotFound),
        (404, _) | (200, Some("12")) => Err(AskError::Unimplemented),
        (200, Some(code)) => {
            Err(AskError::Failed(format!("gRPC status {code} ({})", answer.grpc_message)))
        }
        (status, _) => Err(AskError::Failed(format!("status {status} without a gRPC status"))),
    }
}

#[cfg(test)]
mod tests;
