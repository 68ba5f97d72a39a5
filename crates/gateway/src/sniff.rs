//! Which protocol a connection speaks, and the codec that it gets for it. Reads no socket: the pump does.

use bulkhead_codec::{Codec, Role, http1, http2};
use bulkhead_config::model::Protocol;
use bulkhead_message::{Method, Scheme, Version};
use bulkhead_transport::ACME_TLS_ALPN;

use crate::arena::Key;
use crate::connection::Side;
use crate::tls_facts::TlsFacts;
use crate::worker::Worker;

/// A first line longer than this is answered as HTTP without a closer look.
const LINE_BYTES_MAX: usize = 8 * 1024;

impl Worker {
    /// Sniffs or takes from ALPN what a client speaks. False: more bytes are needed.
    pub(crate) fn choose_codec(&mut self, key: Key, input: &[u8]) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let Side::Downstream(downstream) = &connection.side else { return false };
        let is_http2 = match connection.channel.alpn() {
            Some(b"h2") => true,
            Some(ACME_TLS_ALPN) => {
                // The handshake was all (RFC 8737 §3).
                connection.closing = true;
                self.touch(key);
                return false;
            }
            Some(_) => false,
            None if !downstream.http2 => false,
            None if !downstream.http1 => true,
            None => {
                let compared = input.len().min(http2::PREFACE.len());
                let same = input[..compared] == http2::PREFACE[..compared];
                if same && compared < http2::PREFACE.len() {
                    return false;
                }
                same
            }
        };
        let secure = downstream.secure;
        let limits = &self.snapshot.limits;
        let mut codec = if is_http2 {
            let settings = http2::Settings {
                streams_max: limits.streams_max,
                head_bytes_max: limits.head_bytes_max,
                fields_max: limits.fields_max,
                extended_connect: self.snapshot.extended_connect,
                ..http2::Settings::default()
            };
            Codec::Http2(Box::new(http2::Connection::new(Role::Server, &settings)))
        } else {
            let settings = http1::Settings {
                head_bytes_max: limits.head_bytes_max as usize,
                fields_max: limits.fields_max,
                scheme: if secure { Scheme::Https } else { Scheme::Http },
                ..http1::Settings::default()
            };
            Codec::Http1(Box::new(http1::Connection::new(Role::Server, &settings)))
        };
        codec.start(&mut connection.out.bytes);
        if self.draining && is_http2 {
            codec.announce_close(&mut connection.out.bytes);
        }
        connection.codec = Some(codec);
        if let Side::Downstream(downstream) = &mut connection.side
            && secure
        {
            downstream.tls = TlsFacts::of(&connection.channel, self.shared.logs_tls);
        }
        let version = if is_http2 { Version::Http2 } else { Version::Http11 };
        self.shard.connection_opened(version, secure);
        true
    }

    /// The codec of an upstream connection that is up.
    pub(crate) fn upstream_codec(&self, protocol: Protocol) -> Codec {
        let limits = &self.snapshot.limits;
        match protocol {
            Protocol::Http2 => {
                let settings = http2::Settings {
                    // A stream's window bounds what one slow client makes us hold; the connection's
                    // is large, so that one stalled stream does not stop the others.
                    stream_window_bytes: limits.buffer_bytes_max,
                    connection_window_bytes: 16 * 1024 * 1024,
                    head_bytes_max: limits.head_bytes_max,
                    fields_max: limits.fields_max,
                    ..http2::Settings::default()
                };
                Codec::Http2(Box::new(http2::Connection::new(Role::Client, &settings)))
            }
            Protocol::Http1 => {
                let settings = http1::Settings {
                    head_bytes_max: limits.head_bytes_max as usize,
                    fields_max: limits.fields_max,
                    ..http1::Settings::default()
                };
                Codec::Http1(Box::new(http1::Connection::new(Role::Client, &settings)))
            }
        }
    }
}

/// Whether the first line of a connection looks like a request of HTTP/1, valid or not.
pub(crate) fn speaks_http(input: &[u8]) -> bool {
    let line = input.split(|&byte| byte == b'\n').next().unwrap_or(input).trim_ascii();
    let mut words = line.split(|&byte| byte == b' ');
    let method = words.next().map_or(Method::Extension, Method::of);
    let version = words.next_back().unwrap_or(&[]);
    method != Method::Extension || version.starts_with(b"HTTP/") || line.len() > LINE_BYTES_MAX
}
