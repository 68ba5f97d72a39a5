//! Just enough HTTP/2 to send what no honest encoder would: frames with literal fields, nothing
//! checked, nothing compressed (RFC 9113 §4, RFC 7541 §6.2.2).

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

pub(super) type Field = (Vec<u8>, Vec<u8>);

/// The client's connection preface with empty settings.
pub(super) fn preface() -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut out, SETTINGS, 0, 0, &[]);
    out
}

/// A request on `stream`; its last frame ends the stream.
pub(super) fn request(
    out: &mut Vec<u8>,
    stream: u32,
    fields: &[Field],
    data: &[Vec<u8>],
    trailers: &[Field],
) {
    let ends = |last: bool| if last { END_STREAM } else { 0 };
    let bare = data.is_empty() && trailers.is_empty();
    frame(out, HEADERS, END_HEADERS | ends(bare), stream, &block(fields));
    for (index, piece) in data.iter().enumerate() {
        let last = trailers.is_empty() && index + 1 == data.len();
        frame(out, DATA, ends(last), stream, piece);
    }
    if !trailers.is_empty() {
        frame(out, HEADERS, END_HEADERS | END_STREAM, stream, &block(trailers));
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend(&length.to_be_bytes()[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

fn block(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        // A literal that is not to be indexed, with a new name.
        out.push(0);
        text(&mut out, name);
        text(&mut out, value);
    }
    out
}

/// A string without Huffman coding: its length as an integer with a prefix of 7 bits.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len();
    if length < 127 {
        out.push(length as u8);
    } else {
        let mut rest = length - 127;
        out.push(127);
        while rest >= 128 {
            out.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend(bytes);
}
