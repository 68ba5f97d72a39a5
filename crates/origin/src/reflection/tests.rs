use std::path::Path;

use super::*;

#[test]
fn the_descriptor_is_that_of_the_proto_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut file = protox::compile(["feed.proto"], [&folder]).unwrap().file.remove(0);
    // The comments.
    file.source_code_info = None;
    let bytes = prost::Message::encode_to_vec(&file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(folder.join("feed.descriptor"), &bytes).unwrap();
        return;
    }
    assert!(bytes == DESCRIPTOR, "run again with UPDATE_EXPECT=1");
}

#[test]
fn questions_are_answered() {
    for (request, expected) in [
        (field(3, FILE), field(4, &field(1, DESCRIPTOR))),
        (field(4, SERVICE), field(4, &field(1, DESCRIPTOR))),
        (field(4, b"feed.v1.Feed.Get"), field(4, &field(1, DESCRIPTOR))),
        (field(4, b"feed.v1.FeedReply"), field(4, &field(1, DESCRIPTOR))),
        (field(4, b"feed.v1.Feeder"), field(7, b"\x08\x05\x12\x09not found")),
        (field(3, b"other.proto"), field(7, b"\x08\x05\x12\x09not found")),
        (field(7, b""), field(6, &field(1, &field(1, SERVICE)))),
        ([field(1, b"host"), field(7, b"*")].concat(), field(6, &field(1, &field(1, SERVICE)))),
    ] {
        let mut out = Vec::new();
        assert_eq!(answer(&request, &mut out), Some(()));
        assert_eq!(out, [field(2, &request), expected].concat(), "{request:?}");
    }
    let mut out = Vec::new();
    answer(&field(5, b"\x0a\x01x"), &mut out).unwrap();
    assert!(out.ends_with(b"only files and services are told"));
    for nonsense in
        [&b"\x22\x05a"[..], b"\x21", b"\x08", b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        assert_eq!(answer(nonsense, &mut Vec::new()), None, "{nonsense:?}");
    }
}
