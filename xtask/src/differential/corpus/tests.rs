use super::*;

#[test]
fn the_whole_corpus_can_be_read() {
    let http1 = http1(HTTP1, 0).unwrap();
    let http2 = http2(HTTP2, http1.len()).unwrap();
    assert!(http1.len() >= 130 && http2.len() >= 65, "{} and {}", http1.len(), http2.len());
    assert_eq!(http2[0].number, format!("{:03}", http1.len()));
}

#[test]
fn lines_end_as_they_say() {
    let text = "### a: b\nPOST /x@ HTTP/1.1\nA:\\x20b\\n\\\nlast\\\n\n### a: c\nG\n\n\n";
    let cases = http1(text, 7).unwrap();
    let sentinel = "GET /sentinel007 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let expected = format!("POST /x007 HTTP/1.1\r\nA: b\nlast{sentinel}");
    assert_eq!(String::from_utf8_lossy(&cases[0].bytes), expected);
    assert!(cases[1].bytes.starts_with(b"G\r\n\r\nGET /sentinel008"));
}

#[test]
fn lengths_that_take_a_request_in_take_all_of_it() {
    // The number of digits decides the lengths that stand in the corpus.
    let smuggled = "GET /smuggled000 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert_eq!(smuggled.len(), 43);
}

#[test]
fn a_field_may_hold_anything() {
    let text = "### a: b\nx\\r\\ny =  z \n\n";
    let bytes = http2(text, 0).unwrap().remove(0).bytes;
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    assert!(shown.contains("\u{4}x\r\ny\u{3} z "), "{shown:?}");
}
