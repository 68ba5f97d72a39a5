//! One request of HTTP/2 at a time (RFC 9113). Of an answer's head only the status is read.

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::Stream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` (RFC 7541 §A).
const STATUS_200: u8 = 0x88;
/// The most that we have allowed a server to send.
const FRAME_BYTES_MAX: usize = 16_384;

/// The client's side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Http2 {
    /// Number of the last stream; 0 before the first.
    stream: u32,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Http2 {
    /// Sends a request, with the connection's beginning before the first, and reads its answer whole.
    pub(crate) fn ask(&mut self, stream: &mut dyn Stream, secure: bool) -> Result<()> {
        let mut output = Vec::new();
        if self.stream == 0 {
            output.extend_from_slice(PREFACE);
            push_frame(&mut output, SETTINGS, 0, 0, &[]);
        }
        self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
        push_frame(&mut output, HEADERS, END_HEADERS | END_STREAM, self.stream, &request(secure));
        stream.write_all(&output)?;
        stream.flush()?;
        loop {
            let frame = read_frame(stream)?;
            if self.take(&frame, stream)? {
                return Ok(());
            }
        }
    }

    /// Takes a frame; `true`: it ends the answer.
    fn take(&self, frame: &Frame, stream: &mut dyn Stream) -> Result<bool> {
        let ours = frame.stream == self.stream;
        match frame.kind {
            SETTINGS | PING if frame.flags & ACK == 0 => {
                let echo = if frame.kind == PING { frame.payload.as_slice() } else { &[] };
                let mut output = Vec::new();
                push_frame(&mut output, frame.kind, ACK, 0, echo);
                stream.write_all(&output)?;
                stream.flush()?;
            }
            HEADERS if ours => {
                // A change of the table's size may stand before it.
                let first = frame.payload.iter().find(|byte| **byte & 0xe0 != 0x20);
                ensure!(first == Some(&STATUS_200), "the answer is not 200");
            }
            RST_STREAM if ours => bail!("the server reset the stream"),
            GOAWAY => bail!("the server ends the connection"),
            _ => {}
        }
        Ok(ours && matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0)
    }
}

/// A field block without the dynamic table.
fn request(secure: bool) -> Vec<u8> {
    let mut block = vec![0x82, if secure { 0x87 } else { 0x86 }]; // GET, the scheme
    for (index, value) in [(0x04, "/api/v1/1/feed"), (0x01, "0.many.test")] {
        block.extend([index, value.len() as u8]);
        block.extend_from_slice(value.as_bytes());
    }
    block
}

fn push_frame(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    output.extend_from_slice(&length[1..]);
    output.extend([kind, flags]);
    output.extend_from_slice(&stream.to_be_bytes());
    output.extend_from_slice(payload);
}

fn read_frame(stream: &mut dyn Stream) -> Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).context("read a frame")?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).context("read a frame")?;
    let number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
    Ok(Frame { kind: head[3], flags: head[4], stream: number, payload })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Result as IoResult, Write};

    use super::*;

    /// What the server says is known before; what the client says is thrown away.
    struct Script(Cursor<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> IoResult<()> {
            Ok(())
        }
    }

    fn ask(frames: &[(u8, u8, u32, &[u8])]) -> Result<()> {
        let mut said = Vec::new();
        for (kind, flags, stream, payload) in frames {
            push_frame(&mut said, *kind, *flags, *stream, payload);
        }
        Http2::default().ask(&mut Script(Cursor::new(said)), false)
    }

    #[test]
    fn an_answer_ends_with_its_stream() {
        let head: (u8, u8, u32, &[u8]) = (HEADERS, END_HEADERS, 1, &[0x3f, 0x88]);
        ask(&[(SETTINGS, 0, 0, &[]), (HEADERS, END_HEADERS, 1, &[0x20, 0x88]), (DATA, 1, 1, b"a")])
            .unwrap();
        ask(&[(HEADERS, END_HEADERS | END_STREAM, 1, &[0x88])]).unwrap();
        ask(&[(HEADERS, END_HEADERS | END_STREAM, 1, &[0x8d])]).unwrap_err();
        ask(&[head, (DATA, 0, 1, b"a")]).unwrap_err();
        ask(&[head, (DATA, END_STREAM, 3, b"a")]).unwrap_err();
        ask(&[head, (GOAWAY, 0, 0, &[0; 8])]).unwrap_err();
        ask(&[head, (RST_STREAM, 0, 1, &[0; 4])]).unwrap_err();
    }
}
