//! Any bytes as the body of a gRPC-Web request in its text form, and of a response.
//!
//! What must hold: no panic; where the text is cut changes nothing but how it comes out; what is
//! encoded for the client decodes to what the upstream said; the last frame has the length it says.

#![no_main]

use bulkhead_codec::grpc_web::{Call, NotBase64};
use bulkhead_message::{BodyLength, Fields, Known, RequestHead, ResponseHead};
use libfuzzer_sys::fuzz_target;

fn call(content_type: &[u8]) -> Call {
    let mut head = RequestHead::new();
    head.body = BodyLength::Unknown;
    head.fields.push_known(Known::ContentType, content_type);
    let mut call = Call::begin(&mut head).expect("a call");
    let mut response = ResponseHead::new(200);
    response.fields.push_known(Known::ContentType, b"application/grpc");
    call.response_head(&mut response);
    call
}

fn decode(text: &[u8], piece_bytes: usize) -> Result<Vec<u8>, NotBase64> {
    let mut call = call(b"application/grpc-web-text");
    let mut decoded = Vec::new();
    for piece in text.chunks(piece_bytes) {
        decoded.extend_from_slice(&call.request_data(piece, false)?);
    }
    call.request_data(b"", true)?;
    Ok(decoded)
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else { return };
    let piece_bytes = usize::from(first).max(1);
    assert_eq!(decode(data, piece_bytes), decode(data, data.len().max(1)));

    let text = call(b"application/grpc-web-text");
    let encoded: Vec<u8> =
        data.chunks(piece_bytes).flat_map(|piece| text.response_data(piece).into_owned()).collect();
    assert_eq!(decode(&encoded, piece_bytes).as_deref(), Ok(data));

    let trailers: Fields = [(&b"grpc-message"[..], data)].into_iter().collect();
    let frame = call(b"application/grpc-web").trailers(&trailers);
    let length = u32::from_be_bytes(frame[1..5].try_into().expect("a prefix")) as usize;
    assert_eq!((frame[0], frame.len()), (0x80, 5 + length));

    // And the head itself.
    let mut head = RequestHead::new();
    head.fields.push_known(Known::ContentType, data);
    head.fields.push_known(Known::Accept, data);
    let _ = Call::begin(&mut head);
});
