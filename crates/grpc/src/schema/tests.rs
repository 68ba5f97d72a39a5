use super::*;

const FEED: &str = r#"
syntax = "proto3";
package feed.v1;
import "other.proto";
import "google/protobuf/timestamp.proto";
message Request { uint64 user_id = 1; other.Page page = 2; google.protobuf.Timestamp at = 3; }
service Feed {
  rpc Get(Request) returns (Request);
  rpc Watch(Request) returns (stream Request);
}
service Admin { rpc Reset(Request) returns (Request); }
"#;
const OTHER: &str = "syntax = \"proto3\"; package other; message Page { int32 size = 1; }";

fn sources(name: &str) -> Option<String> {
    match name {
        "feed.proto" => Some(FEED.to_owned()),
        "other.proto" => Some(OTHER.to_owned()),
        "broken.proto" => Some("syntax = \"proto3\";\nmessage A {\n  int64 a = ;\n}".to_owned()),
        "orphan.proto" => Some("syntax = \"proto3\";\nimport \"nowhere.proto\";".to_owned()),
        "untyped.proto" => Some("syntax = \"proto3\";\nmessage A { B b = 1; }".to_owned()),
        _ => None,
    }
}

fn schema() -> Schema {
    Schema::from_proto_sources(&["feed.proto"], sources).unwrap()
}

#[test]
fn methods_are_found_in_sources_and_in_descriptor_sets() {
    let mut compiler = protox::Compiler::with_file_resolver({
        let mut resolver = ChainFileResolver::new();
        resolver.add(Sources(sources));
        resolver.add(GoogleFileResolver::new());
        resolver
    });
    compiler.include_imports(true).open_file("feed.proto").unwrap();
    let set = Schema::from_descriptor_set(&compiler.encode_file_descriptor_set()).unwrap();
    for schema in [schema(), set] {
        let names = ["feed.v1.Feed/Get", "feed.v1.Feed/Watch", "feed.v1.Admin/Reset"];
        assert_eq!(schema.method_names(), names);
        for path in ["feed.v1.Feed/Watch", "/feed.v1.Feed/Watch"] {
            assert_eq!(schema.method(path).unwrap().path(), "/feed.v1.Feed/Watch");
        }
    }
    compiler.include_imports(false);
    let error = Schema::from_descriptor_set(&compiler.encode_file_descriptor_set()).unwrap_err();
    assert!(error.to_string().ends_with("write the set with --include_imports"), "{error}");
}

#[test]
fn a_name_that_is_none_is_answered_with_the_nearest() {
    for (asked, hint) in [
        ("feed.v1.Feed/Gte", "; did you mean `feed.v1.Feed/Get`?"),
        ("feed.v1.feed/watch", "; did you mean `feed.v1.Feed/Watch`?"),
        ("Watch", "; did you mean `feed.v1.Feed/Watch`?"),
        ("Admin/Reset", "; did you mean `feed.v1.Admin/Reset`?"),
        ("feed.v1.Feed.Get", "; did you mean `feed.v1.Feed/Get`?"),
        ("x", "; there are feed.v1.Feed/Get, feed.v1.Feed/Watch, feed.v1.Admin/Reset"),
    ] {
        let error = schema().method(asked).unwrap_err().to_string();
        assert_eq!(error, format!("there is no gRPC method `{asked}`{hint}"));
    }
    let none = Schema::from_descriptor_set(b"").unwrap().method("a/b").unwrap_err();
    assert_eq!(none.to_string(), "there is no gRPC method `a/b`; there is none at all");
}

#[test]
fn what_does_not_compile_is_told_with_its_place() {
    for (root, text) in [
        ("broken.proto", "broken.proto:3:13: "),
        ("orphan.proto", "orphan.proto:2:1: import 'nowhere.proto' not found"),
        ("untyped.proto", "untyped.proto:2:13: name 'B' is not defined"),
        ("nowhere.proto", "file 'nowhere.proto' is not in any include path"),
    ] {
        let error = Schema::from_proto_sources(&[root], sources).unwrap_err().to_string();
        assert!(error.starts_with("compile the .proto files: ") && error.contains(text), "{error}");
    }
    for bytes in [&b"not a set"[..], b"\x0a\xff", b"\x0a\x02\x0a\x05"] {
        let error = Schema::from_descriptor_set(bytes).unwrap_err();
        assert!(matches!(error, SchemaError::DescriptorSet { .. }), "{error}");
    }
}
