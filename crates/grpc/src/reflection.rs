//! Server reflection (grpc.reflection.v1, else v1alpha): a server is asked for its descriptors.
//!
//! Builds the questions and collects the answers; how they travel is the caller's business. Each
//! round is one call of a bidirectional method: all its questions are sent, then all its answers read.
//! Nothing that a server says may make it ask without end: rounds, files and bytes have limits.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use protox::file::{FileResolver as _, GoogleFileResolver};

use crate::frame::{FrameError, Messages, push_message};
use crate::schema::{Schema, SchemaError, hint};

mod wire;

use wire::{Answer, Question, Reply, Request};

/// The service's methods, in the order in which they are tried.
const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// Calls: imports of imports are asked for one level at a time.
const ROUNDS_MAX: usize = 32;
/// Files, imports included.
const FILES_MAX: usize = 1_000;
/// Bytes of all their descriptors.
const BYTES_MAX: usize = 16 << 20;
/// gRPC status of a server that knows no such name.
const NOT_FOUND: i32 = 5;

/// Why a call could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// The server knows no such method (gRPC status 12, or HTTP status 404).
    Unimplemented,
    /// The call ended with gRPC status 5: some servers say so instead of answering the question.
    NotFound,
    /// Anything else; the text says what.
    Failed(String),
}

/// Why there are no descriptors.
#[derive(Debug, thiserror::Error)]
pub enum ReflectionError {
    /// It knows neither version of reflection.
    #[error("the server has no reflection (neither v1 nor v1alpha)")]
    Unimplemented,
    /// A call failed.
    #[error("ask the server's reflection: {0}")]
    Ask(String),
    /// An answer is not what the protocol says.
    #[error("the server's reflection answers with nonsense: {0}")]
    Nonsense(String),
    /// There is no such service.
    #[error("the server knows no service `{service}`{hint}")]
    NoService {
        /// As it was asked for.
        service: String,
        /// The nearest name, or those that there are.
        hint: String,
    },
    /// The server refuses to tell.
    #[error("the server's reflection refuses `{name}`: {message} (status {code})")]
    Refused {
        /// What was asked for.
        name: String,
        /// gRPC status.
        code: i32,
        /// The server's own words.
        message: String,
    },
    /// A limit was reached.
    #[error("the server's reflection tells too much: more than {0}")]
    TooMuch(&'static str),
    /// The files do not hold together.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl From<FrameError> for ReflectionError {
    fn from(error: FrameError) -> Self {
        Self::Nonsense(error.to_string())
    }
}

/// Asks for all that is needed to call the methods of `service` (`package.Service`).
///
/// `ask` makes one call: it is given the path and the body of the request, and gives the body of the
/// answer.
///
/// # Errors
/// If the server cannot be asked, does not know the service, or tells nonsense.
pub fn reflect(
    service: &str,
    mut ask: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, AskError>,
) -> Result<Schema, ReflectionError> {
    let first = [Question::FileContainingSymbol(service.to_owned())];
    let mut session = None;
    for path in PATHS {
        match round(path, &first, &mut ask) {
            Ok(replies) => {
                session = Some((path, replies));
                break;
            }
            Err(RoundError::Unimplemented) => {}
            Err(RoundError::Failed(error)) => return Err(error),
        }
    }
    let (path, mut replies) = session.ok_or(ReflectionError::Unimplemented)?;
    if let [Reply::Error(error)] = replies.as_slice()
        && error.error_code == NOT_FOUND
    {
        return Err(no_service(service, path, &mut ask));
    }
    let mut files = Files::default();
    let mut asked = vec![service.to_owned()];
    for number in 0..ROUNDS_MAX {
        for (name, reply) in asked.iter().zip(replies) {
            files.take(name, reply)?;
            // The first question is for a service, the others are for files by their names.
            if number > 0 && !files.known.contains_key(name) {
                return Err(ReflectionError::Nonsense(format!("another file than `{name}`")));
            }
        }
        asked = files.missing();
        if asked.is_empty() {
            return Ok(Schema::from_files(files.known.into_values().collect())?);
        }
        if files.known.len() + asked.len() > FILES_MAX {
            return Err(ReflectionError::TooMuch("1000 files"));
        }
        let questions: Vec<Question> =
            asked.iter().map(|name| Question::FileByFilename(name.clone())).collect();
        replies = round(path, &questions, &mut ask)?;
    }
    Err(ReflectionError::TooMuch("32 levels of imports"))
}

enum RoundError {
    Unimplemented,
    Failed(ReflectionError),
}

impl From<ReflectionError> for RoundError {
    fn from(error: ReflectionError) -> Self {
        Self::Failed(error)
    }
}

impl From<FrameError> for RoundError {
    fn from(error: FrameError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RoundError> for ReflectionError {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Unimplemented => Self::Unimplemented,
            RoundError::Failed(error) => error,
        }
    }
}

/// One call: a reply for each question.
fn round(
    path: &str,
    questions: &[Question],
    ask: &mut impl FnMut(&str, &[u8]) -> Result<Vec<u8>, AskError>,
) -> Result<Vec<Reply>, RoundError> {
    let mut body = Vec::new();
    for question in questions {
        let request = Request { host: String::new(), question: Some(question.clone()) };
        push_message(&request.encode_to_vec(), &mut body)?;
    }
    let answer = match ask(path, &body) {
        Ok(answer) => answer,
        Err(AskError::Unimplemented) => return Err(RoundError::Unimplemented),
        Err(AskError::Failed(why)) => return Err(ReflectionError::Ask(why).into()),
        Err(AskError::NotFound) if questions.len() > 1 => {
            // Which one it was shows when each is asked alone.
            let alone = questions.iter().map(|one| round(path, std::slice::from_ref(one), ask));
            return alone.collect::<Result<Vec<_>, _>>().map(|replies| replies.concat());
        }
        Err(AskError::NotFound) => {
            let error_message = "not found".to_owned();
            return Ok(vec![Reply::Error(wire::ErrorResponse {
                error_code: NOT_FOUND,
                error_message,
            })]);
        }
    };
    let mut replies = Vec::new();
    for message in Messages::new(&answer) {
        let answer = Answer::decode(message?)
            .map_err(|error| ReflectionError::Nonsense(error.to_string()))?;
        let reply = answer.reply;
        replies.push(reply.ok_or_else(|| ReflectionError::Nonsense("an empty answer".into()))?);
    }
    if replies.len() == questions.len() {
        return Ok(replies);
    }
    let (asked, got) = (questions.len(), replies.len());
    Err(ReflectionError::Nonsense(format!("{got} answers to {asked} questions")).into())
}

fn no_service(
    service: &str,
    path: &str,
    ask: &mut impl FnMut(&str, &[u8]) -> Result<Vec<u8>, AskError>,
) -> ReflectionError {
    let mut known = Vec::new();
    // Without the list there is no hint, which is no reason to hide the first error.
    if let Ok(replies) = round(path, &[Question::ListServices(String::new())], ask) {
        for reply in replies {
            if let Reply::Services(list) = reply {
                known.extend(list.service.into_iter().map(|service| service.name));
            }
        }
    }
    let hint = hint(service, &known);
    ReflectionError::NoService { service: service.to_owned(), hint }
}

/// What was told so far.
#[derive(Debug, Default)]
struct Files {
    known: BTreeMap<String, FileDescriptorProto>,
    bytes: usize,
}

impl Files {
    fn take(&mut self, name: &str, reply: Reply) -> Result<(), ReflectionError> {
        let files = match reply {
            Reply::Files(files) => files.file_descriptor_proto,
            Reply::Error(error) => return self.take_well_known(name, error),
            Reply::Services(_) | Reply::Extensions(_) => {
                return Err(ReflectionError::Nonsense("the answer to another question".into()));
            }
        };
        for bytes in files {
            self.bytes += bytes.len();
            if self.bytes > BYTES_MAX {
                return Err(ReflectionError::TooMuch("16 MiB of descriptors"));
            }
            let file = FileDescriptorProto::decode(bytes.as_slice())
                .map_err(|error| ReflectionError::Nonsense(error.to_string()))?;
            self.known.insert(file.name().to_owned(), file);
            if self.known.len() > FILES_MAX {
                return Err(ReflectionError::TooMuch("1000 files"));
            }
        }
        Ok(())
    }

    /// Many servers leave out the files that every client has.
    fn take_well_known(
        &mut self,
        name: &str,
        error: wire::ErrorResponse,
    ) -> Result<(), ReflectionError> {
        match GoogleFileResolver::new().open_file(name) {
            Ok(file) => {
                self.known.insert(name.to_owned(), file.file_descriptor_proto().clone());
                Ok(())
            }
            Err(_) => Err(ReflectionError::Refused {
                name: name.to_owned(),
                code: error.error_code,
                message: error.error_message,
            }),
        }
    }

    /// Imports that were not told yet.
    fn missing(&self) -> Vec<String> {
        let imports = self.known.values().flat_map(|file| &file.dependency);
        let mut missing: Vec<String> =
            imports.filter(|name| !self.known.contains_key(*name)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

#[cfg(test)]
mod tests;
