//! One method: its kind, its path, and its messages as JSON and as bytes.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;

use crate::frame::push_message;
use crate::json::{self, JsonError};

/// Which sides send more than one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Neither.
    Unary,
    /// The client.
    ClientStreaming,
    /// The server.
    ServerStreaming,
    /// Both.
    Bidirectional,
}

/// A method.
#[derive(Clone, Debug)]
pub struct Method {
    descriptor: MethodDescriptor,
}

/// The body of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBody {
    /// Messages with their prefixes.
    pub bytes: Vec<u8>,
    /// How many.
    pub messages: usize,
}

/// Bytes that are no message of the expected type.
#[derive(Clone, Debug, thiserror::Error)]
#[error("read a message of type `{kind}`: {reason}")]
pub struct DecodeError {
    /// The type's full name.
    pub kind: String,
    /// What is wrong.
    pub reason: String,
}

impl Method {
    pub(crate) const fn new(descriptor: MethodDescriptor) -> Self {
        Self { descriptor }
    }

    /// Path of a request: `/package.Service/Method`.
    pub fn path(&self) -> String {
        let service = self.descriptor.parent_service();
        format!("/{}/{}", service.full_name(), self.descriptor.name())
    }

    /// Which sides send more than one message.
    pub fn kind(&self) -> CallKind {
        match (self.descriptor.is_client_streaming(), self.descriptor.is_server_streaming()) {
            (false, false) => CallKind::Unary,
            (true, false) => CallKind::ClientStreaming,
            (false, true) => CallKind::ServerStreaming,
            (true, true) => CallKind::Bidirectional,
        }
    }

    /// Type of the messages in a request.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// Type of the messages in an answer.
    pub fn output(&self) -> MessageDescriptor {
        self.descriptor.output()
    }

    /// Encodes one message of a request, without its prefix.
    ///
    /// # Errors
    /// With the place in the text.
    pub fn encode(&self, json: &str) -> Result<Vec<u8>, JsonError> {
        match json::read(json, &self.input())?.as_slice() {
            [message] => Ok(message.encode_to_vec()),
            messages => Err(at_top(format!("one message is expected, not {}", messages.len()))),
        }
    }

    /// Encodes the messages of a request with their prefixes: a JSON object is one message, a list
    /// of objects are as many.
    ///
    /// # Errors
    /// With the place in the text; if the method takes one message and there is another number.
    pub fn encode_body(&self, json: &str) -> Result<RequestBody, JsonError> {
        let messages = json::read(json, &self.input())?;
        if messages.len() != 1 && !self.descriptor.is_client_streaming() {
            let path = self.path();
            return Err(at_top(format!(
                "`{path}` takes one message, and here are {}",
                messages.len()
            )));
        }
        let mut bytes = Vec::new();
        for message in &messages {
            push_message(&message.encode_to_vec(), &mut bytes)
                .map_err(|error| at_top(error.to_string()))?;
        }
        Ok(RequestBody { bytes, messages: messages.len() })
    }

    /// Tells a message of an answer as JSON, without its prefix. Fields have the names of the
    /// `.proto` file; those that are not set are left out.
    ///
    /// # Errors
    /// If the bytes are no such message.
    pub fn decode(&self, message: &[u8]) -> Result<Value, DecodeError> {
        Self::tell(self.output(), message)
    }

    /// As [`Self::decode`], for a message of a request.
    ///
    /// # Errors
    /// If the bytes are no such message.
    pub fn decode_request(&self, message: &[u8]) -> Result<Value, DecodeError> {
        Self::tell(self.input(), message)
    }

    fn tell(kind: MessageDescriptor, message: &[u8]) -> Result<Value, DecodeError> {
        let name = kind.full_name().to_owned();
        let failed = |reason: String| DecodeError { kind: name.clone(), reason };
        let message =
            DynamicMessage::decode(kind, message).map_err(|error| failed(error.to_string()))?;
        let options = SerializeOptions::new().use_proto_field_name(true);
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|error| failed(error.to_string()))
    }
}

/// An error about the document as a whole.
pub(crate) const fn at_top(reason: String) -> JsonError {
    JsonError { path: String::new(), line: 1, column: 1, reason }
}

#[cfg(test)]
mod tests;
