use super::{BODY_BYTES, Canned, END_STREAM, MESSAGE_BYTES};

#[test]
fn http_body_has_its_size() {
    let canned = Canned::http();
    assert_eq!(canned.data_bytes, BODY_BYTES);
    assert_eq!(canned.frame_starts.len(), 2);
    assert!(canned.http1.ends_with(b"\"}]}"));
}

#[test]
fn grpc_ends_with_trailers_on_the_stream_asked_for() {
    let canned = Canned::grpc();
    assert_eq!(canned.data_bytes, MESSAGE_BYTES + 5);
    let mut output = vec![0xff];
    canned.write_http2(0x0102_0304, &mut output);
    let last = 1 + canned.frame_starts[2];
    assert_eq!(output[last + 4] & END_STREAM, END_STREAM);
    assert_eq!(output[last + 5..last + 9], [1, 2, 3, 4]);
}
