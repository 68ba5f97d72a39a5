//! The server side of HTTP/2, reduced to framing and the connection's send window (RFC 9113 §5.2).
//! It never decodes a header block.

use std::collections::VecDeque;

use crate::canned::{Canned, DATA, END_STREAM, HEADERS};

/// What a client sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const FRAME_HEAD_BYTES: usize = 9;
const WINDOW_INITIAL: i64 = 65_535;
/// Received DATA that is given back to the client in one piece.
const CREDIT_BYTES: u32 = 16 * 1024 * 1024;

pub(crate) struct Http2 {
    send_window: i64,
    received: u32,
    /// Streams whose answer waits for the send window.
    waiting: VecDeque<u32>,
}

impl Http2 {
    /// Greets: 1,000 streams, windows as wide as they go.
    pub(crate) fn start(output: &mut Vec<u8>) -> Self {
        output.extend_from_slice(&[0, 0, 12, SETTINGS, 0, 0, 0, 0, 0]);
        output.extend_from_slice(&[0, 3, 0, 0, 3, 0xe8]); // MAX_CONCURRENT_STREAMS 1,000
        output.extend_from_slice(&[0, 4, 0, 0x10, 0, 0]); // INITIAL_WINDOW_SIZE 1 MiB
        credit(output, 1 << 30);
        Self { send_window: WINDOW_INITIAL, received: 0, waiting: VecDeque::new() }
    }

    /// Answers all whole frames of `input` and says how many bytes they took; `None`: over.
    pub(crate) fn answer(
        &mut self,
        input: &[u8],
        canned: &Canned,
        output: &mut Vec<u8>,
    ) -> Option<usize> {
        let mut used = 0;
        while input.len() - used >= FRAME_HEAD_BYTES {
            let head = &input[used..used + FRAME_HEAD_BYTES];
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
            let start = used + FRAME_HEAD_BYTES;
            let Some(payload) = input.get(start..start + length) else { break };
            used = start + length;
            match kind {
                DATA => self.receive(length as u32, output),
                SETTINGS if flags & ACK == 0 => {
                    output.extend_from_slice(&[0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]);
                }
                PING if flags & ACK == 0 => {
                    output.extend_from_slice(&[0, 0, 8, PING, ACK, 0, 0, 0, 0]);
                    output.extend_from_slice(payload);
                }
                WINDOW_UPDATE if stream == 0 && length == 4 => {
                    let bytes = [payload[0] & 0x7f, payload[1], payload[2], payload[3]];
                    self.send_window += i64::from(u32::from_be_bytes(bytes));
                }
                GOAWAY => return None,
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                self.waiting.push_back(stream);
            }
        }
        while self.send_window >= canned.data_bytes as i64
            && let Some(stream) = self.waiting.pop_front()
        {
            self.send_window -= canned.data_bytes as i64;
            canned.write_http2(stream, output);
        }
        Some(used)
    }

    fn receive(&mut self, bytes: u32, output: &mut Vec<u8>) {
        self.received += bytes;
        if self.received >= CREDIT_BYTES {
            credit(output, self.received);
            self.received = 0;
        }
    }
}

fn credit(output: &mut Vec<u8>, bytes: u32) {
    output.extend_from_slice(&[0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0]);
    output.extend_from_slice(&bytes.to_be_bytes());
}

#[cfg(test)]
mod tests;
