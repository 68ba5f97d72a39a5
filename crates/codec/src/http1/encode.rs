//! Writing of status lines, fields and numbers.
//!
//! What comes from the other side of the gateway was checked by the codec it came through; it is
//! checked here once more, because a stray CR or LF would let one message become two on this side.

use bulkhead_message::{FieldRef, Known};

use super::fields::{is_clean, lower};

/// A name or value that must not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwritable;

/// Appends the status line. Unregistered codes get no reason phrase.
pub(super) fn status_line(status: u16, out: &mut Vec<u8>) {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(status), out);
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends `content-length`.
pub(super) fn content_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    decimal(length, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends one field after checking it.
#[inline]
pub(super) fn field(field: FieldRef<'_>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    // An upper-case name would dodge every comparison by id, `transfer-encoding` for one.
    let valid_name = field.known != Known::Other
        || (!field.name.is_empty()
            && field.name.iter().all(|&byte| lower(byte) == byte && byte != 0));
    if !valid_name || !is_clean(field.value) {
        return Err(Unwritable);
    }
    out.reserve(field.name.len() + field.value.len() + 4);
    out.extend_from_slice(field.name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(field.value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Whether a field of a head is not to be copied to the wire: the codec writes its own framing and
/// connection fields, and those that speak of another connection end here.
pub(super) const fn is_ours(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::ContentLength
            | Known::Host
            | Known::Http2Settings
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade
    )
}

/// Appends a number in decimal.
pub(super) fn decimal(number: u64, out: &mut Vec<u8>) {
    digits(number, 10, out);
}

/// Appends a number in hexadecimal.
pub(super) fn hexadecimal(number: u64, out: &mut Vec<u8>) {
    digits(number, 16, out);
}

#[inline]
fn digits(mut number: u64, base: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut used = 0;
    for place in text.iter_mut().rev() {
        let digit = (number % base) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        used += 1;
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(text.len() - used..).unwrap_or(&[]));
}

/// The phrase registered for a status code; empty for others.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        511 => "Network Authentication Required",
        _ => "",
    }
}
