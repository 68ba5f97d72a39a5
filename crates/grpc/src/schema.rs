//! The services that are known, and finding a method among them.

use std::panic::AssertUnwindSafe;

use prost_reflect::{DescriptorError, DescriptorPool, prost_types::FileDescriptorProto};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use crate::method::Method;

/// Furthest distance, as a share of the name's length, at which a name is still suggested.
const SIMILARITY_MIN: f64 = 0.6;

/// Why there is no schema, or no method in it.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The bytes are no descriptor set, or one that does not hold together.
    #[error("read the descriptor set: {reason}")]
    DescriptorSet {
        /// What is wrong.
        reason: String,
    },
    /// The `.proto` sources do not compile.
    #[error("compile the .proto files: {reason}")]
    Sources {
        /// With file, line and column where there is one.
        reason: String,
    },
    /// There is no such method.
    #[error("there is no gRPC method `{asked}`{hint}")]
    NoMethod {
        /// As it was asked for.
        asked: String,
        /// The nearest name, or those that there are.
        hint: String,
    },
}

/// Services, their methods, and the messages that these take and give.
#[derive(Clone, Debug)]
pub struct Schema {
    pool: DescriptorPool,
}

impl Schema {
    /// From the bytes of a `FileDescriptorSet`, as `protoc --descriptor_set_out --include_imports`
    /// writes it.
    ///
    /// # Errors
    /// If it is none, or lacks an import.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Self, SchemaError> {
        build(|| DescriptorPool::decode(bytes)).map_err(|mut reason| {
            if reason.contains("has not been added") {
                reason.push_str("; write the set with --include_imports");
            }
            SchemaError::DescriptorSet { reason }
        })
    }

    /// From sources. `roots` are names as an import would give them; `read` gives the text of a root
    /// or an import by its name, `None`: there is no such file. `google/protobuf/…` need not be given.
    ///
    /// # Errors
    /// With the file, line and column of what does not compile.
    pub fn from_proto_sources(
        roots: &[impl AsRef<str>],
        read: impl Fn(&str) -> Option<String> + 'static,
    ) -> Result<Self, SchemaError> {
        // Its `Debug` has the place, its `Display` has not.
        let failed = |error: protox::Error| SchemaError::Sources { reason: format!("{error:?}") };
        let mut resolver = ChainFileResolver::new();
        resolver.add(Sources(read));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        for root in roots {
            compiler.open_file(root.as_ref()).map_err(failed)?;
        }
        Ok(Self { pool: compiler.descriptor_pool() })
    }

    /// From the descriptors of files, all imports among them.
    pub(crate) fn from_files(files: Vec<FileDescriptorProto>) -> Result<Self, SchemaError> {
        build(|| {
            let mut pool = DescriptorPool::new();
            pool.add_file_descriptor_protos(files).map(|()| pool)
        })
        .map_err(|reason| SchemaError::DescriptorSet { reason })
    }

    /// Each method, as `package.Service/Method`.
    pub fn method_names(&self) -> Vec<String> {
        let services = self.pool.services();
        let name = |service: &str, method: &str| format!("{service}/{method}");
        services
            .flat_map(|service| {
                let methods = service.methods();
                methods.map(|m| name(service.full_name(), m.name())).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Finds a method by `package.Service/Method`, with or without a slash before it.
    ///
    /// # Errors
    /// If there is none; the text names the nearest one.
    pub fn method(&self, path: &str) -> Result<Method, SchemaError> {
        let asked = path.trim_start_matches('/');
        let found = asked.split_once('/').and_then(|(service, method)| {
            let service = self.pool.get_service_by_name(service)?;
            service.methods().find(|candidate| candidate.name() == method)
        });
        found.map(Method::new).ok_or_else(|| SchemaError::NoMethod {
            asked: asked.to_owned(),
            hint: hint(asked, &self.method_names()),
        })
    }
}

/// Builds a schema. The library takes descriptors for what a compiler made, and trips over some that
/// none would make; they may come from a server, so its panics are errors here.
fn build(pool: impl FnOnce() -> Result<DescriptorPool, DescriptorError>) -> Result<Schema, String> {
    match std::panic::catch_unwind(AssertUnwindSafe(pool)) {
        Ok(Ok(pool)) => Ok(Schema { pool }),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the descriptors are damaged".to_owned()),
    }
}

/// What to say when a name is not among those known.
pub(crate) fn hint(asked: &str, known: &[String]) -> String {
    /// Names that are listed, at most.
    const LISTED_MAX: usize = 10;
    let lower = asked.to_ascii_lowercase();
    let last = |name: &str| name.rsplit(['/', '.']).next().unwrap_or_default().to_owned();
    let nearness = |name: &str| {
        let name = name.to_ascii_lowercase();
        let whole = strsim::normalized_damerau_levenshtein(&lower, &name);
        // `Get` alone, or with another package, is near enough to `feed.v1.Feed/Get`.
        if last(&name) == last(&lower) { whole.max(SIMILARITY_MIN) } else { whole }
    };
    let nearest = known
        .iter()
        .map(|name| (nearness(name), name))
        .filter(|&(nearness, _)| nearness >= SIMILARITY_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, name)) = nearest {
        return format!("; did you mean `{name}`?");
    }
    if known.is_empty() {
        return "; there is none at all".to_owned();
    }
    let listed: Vec<&str> = known.iter().take(LISTED_MAX).map(String::as_str).collect();
    let more = if known.len() > LISTED_MAX { ", …" } else { "" };
    format!("; there are {}{more}", listed.join(", "))
}

/// Sources by a function.
struct Sources<F>(F);

impl<F: Fn(&str) -> Option<String>> FileResolver for Sources<F> {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = (self.0)(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, &text)
    }
}

#[cfg(test)]
mod tests;
