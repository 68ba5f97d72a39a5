//! Server reflection for the one service that there is (grpc.reflection.v1, and v1alpha, which has the
//! same messages): a request message in, a response message out. Knows no connection and no stream.

use crate::feed::{push_varint, take_varint};

/// The `FileDescriptorProto` of `proto/feed.proto`; a test holds them together.
const DESCRIPTOR: &[u8] = include_bytes!("../proto/feed.descriptor");
/// Name of the file, as an import would give it.
const FILE: &[u8] = b"feed.proto";
/// The service.
const SERVICE: &[u8] = b"feed.v1.Feed";
/// Start of the names of its messages.
const PACKAGE: &[u8] = b"feed.v1.";

/// gRPC status of what there is not.
const NOT_FOUND: u64 = 5;
/// gRPC status of questions about extensions.
const UNIMPLEMENTED: u64 = 12;

/// Numbers of the fields of a `ServerReflectionRequest`.
const FILE_BY_FILENAME: u64 = 3;
const FILE_CONTAINING_SYMBOL: u64 = 4;
const LIST_SERVICES: u64 = 7;

/// Appends the `ServerReflectionResponse` to a request; `None`: it is no message.
pub(crate) fn answer(request: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (question, name) = question(request)?;
    push_field(2, request, out);
    let known = match question {
        FILE_BY_FILENAME => name == FILE,
        FILE_CONTAINING_SYMBOL => {
            let in_service = name.strip_prefix(SERVICE).is_some_and(|rest| rest.starts_with(b"."));
            let messages = [&b"FeedRequest"[..], b"FeedReply"];
            let is_message =
                name.strip_prefix(PACKAGE).is_some_and(|rest| messages.contains(&rest));
            name == SERVICE || in_service || is_message
        }
        LIST_SERVICES => {
            push_field(6, &field(1, &field(1, SERVICE)), out);
            return Some(());
        }
        _ => {
            push_error(UNIMPLEMENTED, b"only files and services are told", out);
            return Some(());
        }
    };
    if known {
        push_field(4, &field(1, DESCRIPTOR), out);
    } else {
        push_error(NOT_FOUND, b"not found", out);
    }
    Some(())
}

/// Number and content of the last field after the host.
fn question(mut request: &[u8]) -> Option<(u64, &[u8])> {
    let mut question = (0, &b""[..]);
    while !request.is_empty() {
        let key = take_varint(&mut request)?;
        match key & 7 {
            0 => {
                take_varint(&mut request)?;
            }
            2 => {
                let length = usize::try_from(take_varint(&mut request)?).ok()?;
                let (content, rest) = request.split_at_checked(length)?;
                request = rest;
                if key >> 3 > 1 {
                    question = (key >> 3, content);
                }
            }
            _ => return None,
        }
    }
    Some(question)
}

fn push_error(code: u64, message: &[u8], out: &mut Vec<u8>) {
    let mut error = vec![0x08];
    push_varint(code, &mut error);
    push_field(2, message, &mut error);
    push_field(7, &error, out);
}

fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_field(number, content, &mut out);
    out
}

/// Appends a length-delimited field.
fn push_field(number: u64, content: &[u8], out: &mut Vec<u8>) {
    push_varint(number << 3 | 2, out);
    push_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests;
