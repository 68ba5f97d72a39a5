//! SETTINGS (RFC 9113 §6.5): ours, and what the peer's do.

use super::frame;
use crate::{ErrorCode, Role};

/// What we announce to the peer and how much we put up with. Sizes in bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// SETTINGS_HEADER_TABLE_SIZE that we announce (default 4,096).
    pub header_table_bytes: u32,
    /// SETTINGS_MAX_CONCURRENT_STREAMS that we announce as server (default 256).
    pub streams_max: u32,
    /// SETTINGS_INITIAL_WINDOW_SIZE: receive window of each stream (default 65,535 at the server).
    pub stream_window_bytes: u32,
    /// Receive window of the connection, 65,535 at least (default 1,048,576).
    pub connection_window_bytes: u32,
    /// SETTINGS_MAX_FRAME_SIZE: largest payload that we take (default 16,384).
    pub frame_bytes_max: u32,
    /// SETTINGS_MAX_HEADER_LIST_SIZE, enforced while decoding (default 65,536).
    pub head_bytes_max: u32,
    /// Most fields in a head or trailer section (default 128).
    pub fields_max: usize,
    /// CONTINUATION frames in one field block (default 16).
    pub continuations_max: u32,
    /// Client: streams to assume that the peer allows before its SETTINGS are here (default 100).
    pub streams_assumed: u32,
    /// Server: announce SETTINGS_ENABLE_CONNECT_PROTOCOL and take extended CONNECT (RFC 8441; default
    /// off).
    pub extended_connect: bool,
    /// Compress literals with the Huffman code (default off: it costs both ends more processor time
    /// than the bytes that it saves are worth beside an upstream or behind a fast network).
    pub huffman: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_table_bytes: 4_096,
            streams_max: 256,
            stream_window_bytes: 65_535,
            connection_window_bytes: 1_048_576,
            frame_bytes_max: 16_384,
            head_bytes_max: 65_536,
            fields_max: 128,
            continuations_max: 16,
            streams_assumed: 100,
            extended_connect: false,
            huffman: false,
        }
    }
}

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

impl Settings {
    /// Brings each value into the range that the protocol has for it.
    pub(super) fn clamped(&self) -> Self {
        Self {
            stream_window_bytes: self.stream_window_bytes.min(frame::WINDOW_BYTES_MAX as u32),
            connection_window_bytes: self
                .connection_window_bytes
                .clamp(frame::WINDOW_BYTES_DEFAULT, frame::WINDOW_BYTES_MAX as u32),
            frame_bytes_max: self.frame_bytes_max.clamp(16_384, 0x00ff_ffff),
            ..self.clone()
        }
    }

    /// Appends the SETTINGS frame that announces them.
    pub(super) fn write(&self, role: Role, out: &mut Vec<u8>) {
        let mut entries = Vec::with_capacity(7);
        if role == Role::Client {
            entries.push((ENABLE_PUSH, 0));
        } else {
            entries.push((MAX_CONCURRENT_STREAMS, self.streams_max));
        }
        let defaults = Self::default();
        if self.header_table_bytes != defaults.header_table_bytes {
            entries.push((HEADER_TABLE_SIZE, self.header_table_bytes));
        }
        if self.stream_window_bytes != frame::WINDOW_BYTES_DEFAULT {
            entries.push((INITIAL_WINDOW_SIZE, self.stream_window_bytes));
        }
        if self.frame_bytes_max != defaults.frame_bytes_max {
            entries.push((MAX_FRAME_SIZE, self.frame_bytes_max));
        }
        entries.push((MAX_HEADER_LIST_SIZE, self.head_bytes_max));
        if role == Role::Server && self.extended_connect {
            entries.push((ENABLE_CONNECT_PROTOCOL, 1));
        }
        frame::write_header(entries.len() * 6, frame::SETTINGS, 0, 0, out);
        for (id, value) in entries {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// What the peer has announced so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerSettings {
    pub(super) header_table_bytes: u32,
    pub(super) streams_max: u32,
    pub(super) stream_window_bytes: u32,
    pub(super) frame_bytes_max: u32,
    /// A server that takes extended CONNECT.
    pub(super) extended_connect: bool,
}

impl PeerSettings {
    pub(super) const fn new(streams_assumed: u32) -> Self {
        Self {
            header_table_bytes: 4_096,
            streams_max: streams_assumed,
            stream_window_bytes: frame::WINDOW_BYTES_DEFAULT,
            frame_bytes_max: 16_384,
            extended_connect: false,
        }
    }

    /// These settings after a SETTINGS payload, whose length has been checked.
    /// `role` is ours.
    pub(super) fn updated(
        mut self,
        payload: &[u8],
        role: Role,
    ) -> Result<Self, (ErrorCode, &'static str)> {
        for &[a, b, c, d, e, f] in payload.as_chunks::<6>().0 {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                HEADER_TABLE_SIZE => self.header_table_bytes = value,
                ENABLE_PUSH if value > u32::from(role == Role::Server) => {
                    return Err((ErrorCode::PROTOCOL_ERROR, "SETTINGS: wrong ENABLE_PUSH"));
                }
                MAX_CONCURRENT_STREAMS => self.streams_max = value,
                INITIAL_WINDOW_SIZE if i64::from(value) > frame::WINDOW_BYTES_MAX => {
                    let reason = "SETTINGS: INITIAL_WINDOW_SIZE too large";
                    return Err((ErrorCode::FLOW_CONTROL_ERROR, reason));
                }
                INITIAL_WINDOW_SIZE => self.stream_window_bytes = value,
                MAX_FRAME_SIZE if !(16_384..=0x00ff_ffff).contains(&value) => {
                    let reason = "SETTINGS: MAX_FRAME_SIZE out of range";
                    return Err((ErrorCode::PROTOCOL_ERROR, reason));
                }
                MAX_FRAME_SIZE => self.frame_bytes_max = value,
                // Of a client it means nothing (RFC 8441 §3).
                ENABLE_CONNECT_PROTOCOL if role == Role::Client => {
                    if value > 1 || value < u32::from(self.extended_connect) {
                        let reason = "SETTINGS: wrong ENABLE_CONNECT_PROTOCOL";
                        return Err((ErrorCode::PROTOCOL_ERROR, reason));
                    }
                    self.extended_connect = value == 1;
                }
                _ => {}
            }
        }
        Ok(self)
    }
}
