//! Describes gRPC calls and encodes them: JSON ⇄ protobuf by descriptors, and the frames around it.
//!
//! Descriptors come from a descriptor set, from `.proto` sources or from what a server's reflection
//! tells. Pure: opens no socket and no file; whoever calls hands the bytes in and takes them out.

mod answer;
mod frame;
mod json;
mod method;
mod reflection;
mod schema;

pub use answer::{Expectation, WrongAnswer};
pub use frame::{FrameError, Messages, push_message};
pub use json::JsonError;
pub use method::{CallKind, DecodeError, Method, RequestBody};
pub use reflection::{AskError, ReflectionError, reflect};
pub use schema::{Schema, SchemaError};
