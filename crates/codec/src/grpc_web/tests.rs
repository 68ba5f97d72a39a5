use super::*;

fn head(content_type: &str, accept: Option<&str>) -> RequestHead {
    let mut head = RequestHead::new();
    head.body = BodyLength::Known(8);
    head.fields.push_known(Known::ContentLength, b"8");
    head.fields.push_known(Known::ContentType, content_type.as_bytes());
    if let Some(accept) = accept {
        head.fields.push_known(Known::Accept, accept.as_bytes());
    }
    head
}

/// Content type and `accept` → content types of the request and of the response, and the length.
#[track_caller]
fn check(content_type: &str, accept: Option<&str>, expect: Option<(&str, &str, BodyLength)>) {
    let mut request = head(content_type, accept);
    let Some(mut call) = Call::begin(&mut request) else {
        assert_eq!(expect, None, "{content_type}");
        assert_eq!(request.fields, head(content_type, accept).fields);
        return;
    };
    let mut response = ResponseHead::new(200);
    response.fields.push_known(Known::ContentType, b"application/grpc+proto");
    call.response_head(&mut response);
    let text = |fields: &Fields| {
        let value = fields.get(Known::ContentType).expect("a content type");
        String::from_utf8(value.to_vec()).expect("ASCII")
    };
    let (request_type, response_type) = (text(&request.fields), text(&response.fields));
    assert_eq!(Some((&*request_type, &*response_type, request.body)), expect, "{content_type}");
    assert_eq!(request.fields.get(Known::Te), Some(&b"trailers"[..]));
    assert_eq!(
        request.fields.contains(Known::ContentLength),
        matches!(request.body, BodyLength::Known(_))
    );
}

#[test]
fn heads_change_their_content_types() {
    let known = BodyLength::Known(8);
    let binary = "application/grpc-web+proto";
    let text = "application/grpc-web-text+proto";
    check("application/grpc-web", None, Some(("application/grpc", binary, known)));
    check(binary, None, Some(("application/grpc+proto", binary, known)));
    check("Application/gRPC-Web+json", None, Some(("application/grpc+json", binary, known)));
    check(text, None, Some(("application/grpc+proto", text, BodyLength::Unknown)));
    check(
        binary,
        Some("x/y, application/grpc-web-text"),
        Some(("application/grpc+proto", text, known)),
    );
    check(text, Some(binary), Some(("application/grpc+proto", binary, BodyLength::Unknown)));
    for other in [
        "application/grpc",
        "application/grpc-webs",
        "application/grpc-web-texts",
        "text/plain",
        "",
    ] {
        check(other, None, None);
    }
}

fn text_call() -> Call {
    Call::begin(&mut head("application/grpc-web-text", None)).expect("a call")
}

fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, NotBase64> {
    let mut call = text_call();
    let mut decoded = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        decoded.extend_from_slice(&call.request_data(piece, index + 1 == pieces.len())?);
    }
    Ok(decoded)
}

#[test]
fn text_is_decoded_wherever_it_is_cut() {
    // Three parts, each padded in its own way.
    let text = b"AAAAAAUBAgMEBQ==/+8=aGVsbG8h";
    let expect = decode(&[text]).expect("base64");
    assert_eq!(expect.len(), 10 + 2 + 6);
    for first in 0..=text.len() {
        let (before, rest) = text.split_at(first);
        for second in 0..=rest.len() {
            let (middle, after) = rest.split_at(second);
            let pieces = [before, middle, after];
            assert_eq!(decode(&pieces).as_ref(), Ok(&expect), "{first} {second}");
        }
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    for text in ["AAA", "A", "AA=A", "====", "A===", "AA==A", "AA\nAA", "AA-_", "AB=="] {
        let bytes = text.as_bytes();
        assert_eq!(decode(&[bytes]), Err(NotBase64), "{text}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single), Err(NotBase64), "{text}");
    }
    assert_eq!(decode(&[b""]), Ok(Vec::new()));
}

#[test]
fn trailers_are_the_last_frame() {
    let mut call = Call::begin(&mut head("application/grpc-web", None)).expect("a call");
    let mut response = ResponseHead::new(200);
    response.fields.push_known(Known::ContentType, GRPC);
    response.body = BodyLength::Known(3);
    call.response_head(&mut response);
    assert_eq!(response.body, BodyLength::Unknown);
    let trailers: Fields = [("grpc-status", "0"), ("x-a", "b")].into_iter().collect();
    let frame = call.trailers(&trailers);
    assert_eq!(frame, b"\x80\0\0\0\x18grpc-status: 0\r\nx-a: b\r\n");
    assert_eq!(&*call.response_data(b"abc"), b"abc");
    let mut call = text_call();
    call.response_head(&mut response);
    assert!(!call.translates(), "a response in gRPC-Web already is no business of ours");
    response.fields.set(Known::ContentType, GRPC);
    call.response_head(&mut response);
    assert_eq!(&*call.response_data(b"abcd"), b"YWJjZA==");
    let text = call.trailers(&trailers);
    assert_eq!(STANDARD.decode(text), Ok(frame));
}

#[test]
fn a_response_that_is_not_of_grpc_is_left() {
    let mut call = text_call();
    let mut response = ResponseHead::new(503);
    response.fields.push_known(Known::ContentType, b"text/html");
    response.body = BodyLength::Known(3);
    call.response_head(&mut response);
    assert!(!call.translates());
    assert_eq!(response.body, BodyLength::Known(3));
    assert_eq!(&*call.response_data(b"abc"), b"abc");
}
