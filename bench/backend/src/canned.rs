//! The bytes of the answers, made once. They never depend on a request.

/// Size of the HTTP answers' bodies.
const BODY_BYTES: usize = 1024;
/// Size of the gRPC answers' messages, as small as the scenario's requests.
const MESSAGE_BYTES: usize = 64;

const DATE: &str = "Tue, 24 Nov 2026 08:00:00 GMT";

/// HTTP/2 frame types and flags (RFC 9113 §6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One answer in every form.
pub(crate) struct Canned {
    /// A whole HTTP/1.1 response.
    pub(crate) http1: Vec<u8>,
    /// HEADERS, DATA and perhaps trailers; the stream identifiers are filled in for each answer.
    pub(crate) frames: Vec<u8>,
    /// Where in `frames` the frames begin.
    pub(crate) frame_starts: Vec<usize>,
    /// Bytes that count against flow control.
    pub(crate) data_bytes: usize,
}

impl Canned {
    /// 1 KB of JSON.
    pub(crate) fn http() -> Self {
        let body = feed();
        let length = body.len().to_string();
        let mut block = vec![0x88]; // :status 200
        // Names by their index in the static table (RFC 7541 Appendix A), values literal.
        for (name, value) in [
            (54, "bench"),
            (33, DATE),
            (31, "application/json"),
            (28, length.as_str()),
            (24, "no-cache"),
        ] {
            indexed_name(&mut block, name, value);
        }
        let http1 = format!(
            "HTTP/1.1 200 OK\r\nserver: bench\r\ndate: {DATE}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\ncache-control: no-cache\r\n\r\n{body}"
        );
        Self::of_frames(
            http1.into_bytes(),
            &[(HEADERS, END_HEADERS, block.as_slice()), (DATA, END_STREAM, body.as_bytes())],
        )
    }

    /// A small unary gRPC answer with trailers.
    pub(crate) fn grpc() -> Self {
        let mut block = vec![0x88];
        indexed_name(&mut block, 54, "bench");
        indexed_name(&mut block, 33, DATE);
        indexed_name(&mut block, 31, "application/grpc");
        let mut message = vec![0, 0, 0, 0, MESSAGE_BYTES as u8];
        // A valid protobuf, for load generators that decode it: field 1, bytes, the rest of them.
        message.extend_from_slice(&[0x0a, MESSAGE_BYTES as u8 - 2]);
        message.extend(std::iter::repeat_n(b'm', MESSAGE_BYTES - 2));
        let mut trailers = Vec::new();
        new_name(&mut trailers, "grpc-status", "0");
        new_name(&mut trailers, "grpc-message", "");
        Self::of_frames(
            b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-length: 0\r\n\r\n".to_vec(),
            &[
                (HEADERS, END_HEADERS, block.as_slice()),
                (DATA, 0, message.as_slice()),
                (HEADERS, END_HEADERS | END_STREAM, trailers.as_slice()),
            ],
        )
    }

    fn of_frames(http1: Vec<u8>, parts: &[(u8, u8, &[u8])]) -> Self {
        let mut canned =
            Self { http1, frames: Vec::new(), frame_starts: Vec::new(), data_bytes: 0 };
        for (kind, flags, payload) in parts {
            canned.frame_starts.push(canned.frames.len());
            let length = (payload.len() as u32).to_be_bytes();
            canned.frames.extend_from_slice(&length[1..]);
            canned.frames.extend_from_slice(&[*kind, *flags, 0, 0, 0, 0]);
            canned.frames.extend_from_slice(payload);
            if *kind == DATA {
                canned.data_bytes += payload.len();
            }
        }
        canned
    }

    /// Appends the answer for a stream.
    pub(crate) fn write_http2(&self, stream: u32, output: &mut Vec<u8>) {
        let base = output.len();
        output.extend_from_slice(&self.frames);
        for start in &self.frame_starts {
            let at = base + start + 5;
            output[at..at + 4].copy_from_slice(&stream.to_be_bytes());
        }
    }
}

fn feed() -> String {
    let mut body = String::from("{\"user\":1,\"items\":[");
    let mut item = 0;
    while body.len() < BODY_BYTES - 64 {
        body.push_str(&format!("{{\"id\":{},\"text\":\"an item\"}},", 1000 + item));
        item += 1;
    }
    let room = BODY_BYTES - body.len() - "{\"id\":0,\"text\":\"\"}]}".len();
    body.push_str(&format!("{{\"id\":0,\"text\":\"{}\"}}]}}", "x".repeat(room)));
    body
}

/// Literal field without indexing, name from the static table (RFC 7541 §6.2.2).
fn indexed_name(block: &mut Vec<u8>, index: u8, value: &str) {
    if index < 15 {
        block.push(index);
    } else {
        block.extend_from_slice(&[15, index - 15]);
    }
    text(block, value);
}

/// Literal field without indexing, new name.
fn new_name(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    text(block, name);
    text(block, value);
}

/// A string of fewer than 127 bytes, not Huffman-coded (RFC 7541 §5.2).
fn text(block: &mut Vec<u8>, value: &str) {
    block.push(value.len() as u8);
    block.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests;
