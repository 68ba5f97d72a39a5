//! Bodies: as text with placeholders, or bytes from a file, from hexadecimal digits, or from a gRPC message.

use std::sync::Arc;

use bulkhead_config::document::{Item, TableValue, Value, quote};

use super::Builder;
use super::texts::from_hex;
use crate::plan::Body;
use crate::template::{Scope, Template};

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 16 << 20;

impl Builder<'_, '_> {
    pub(super) fn body(&mut self, table: &TableValue, grpc: bool, scope: &mut Scope<'_>) -> Body {
        let empty = Body::Template(Template::default());
        let given = ["body", "body_file", "body_hex", "message"].map(|key| (key, table.get(key)));
        let mut given = given.into_iter().filter_map(|(key, item)| Some((key, item?)));
        let Some((key, item)) = given.next() else {
            return if grpc { Body::Bytes(grpc_message(&[])) } else { empty };
        };
        if let Some((second, other)) = given.next() {
            self.report
                .error(other.span, format!("`{second}` cannot stand beside `{key}`"))
                .remedy("keep one of the two");
        }
        let bytes = match key {
            "body" if !grpc => {
                return self.template(item, scope).map_or(empty, Body::Template);
            }
            "body" => {
                // A message is binary and has its length in front, so its text cannot vary.
                let template = self.template(item, scope);
                let literal = template.as_ref().and_then(Template::as_literal);
                if template.is_some() && literal.is_none() {
                    self.report
                        .error(item.span, "a gRPC message has no placeholders")
                        .remedy("write the message as `body_hex` or `body_file`");
                }
                literal.map(<[u8]>::to_vec)
            }
            "body_file" => self.read(item, BODY_BYTES_MAX),
            "message" => self.message(item, table.text("grpc")),
            _ => {
                let bytes = from_hex(item.text());
                if bytes.is_none() {
                    let text = quote(item.text());
                    self.report
                        .error(item.span, format!("{text} is not made of hexadecimal digits"));
                }
                bytes
            }
        };
        let bytes = bytes.unwrap_or_default();
        Body::Bytes(if grpc { grpc_message(&bytes) } else { bytes.into() })
    }

    /// The bytes of a message that is given as JSON.
    fn message(&mut self, item: &Item, path: Option<&str>) -> Option<Vec<u8>> {
        let Value::Json(json) = &item.value else { return None };
        let Some(path) = path else {
            self.report
                .error(item.span, "`message` is of gRPC calls only")
                .remedy("write the path as `grpc: /package.Service/Method`, or the text as `body`");
            return None;
        };
        let Some(encode) = self.surroundings.encode_message else {
            self.report
                .error(item.span, "there are no descriptors to encode the message by")
                .remedy("give them beside the scenario, or the bytes as `body_hex` or `body_file`");
            return None;
        };
        match encode(path, json) {
            Ok(bytes) => Some(bytes),
            Err(reason) => {
                self.report.error(item.span, format!("encode the message: {reason}"));
                None
            }
        }
    }
}

/// One message with its prefix: not compressed, length in four bytes.
fn grpc_message(message: &[u8]) -> Arc<[u8]> {
    let mut out = vec![0];
    // A body is at most 16 MiB long.
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out.into()
}
