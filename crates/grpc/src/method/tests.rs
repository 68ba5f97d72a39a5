use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::{Expectation, Messages, Schema, WrongAnswer};

const SHAPES: &str = r#"
syntax = "proto3";
package shapes;
enum Color { NONE = 0; RED = 1; }
message Point { sint32 x = 1; double y = 2; }
message Shape {
  uint64 id = 1;
  string display_name = 2;
  bytes blob = 3;
  repeated Point points = 4;
  map<string, int64> counts = 5;
  Color color = 6;
  oneof size { bool unknown = 7; fixed32 area = 8; }
  optional float weight = 9;
}
service Shapes {
  rpc One(Shape) returns (Shape);
  rpc Sum(stream Shape) returns (Shape);
  rpc List(Shape) returns (stream Shape);
  rpc Chat(stream Shape) returns (stream Shape);
}
"#;

/// The same message by another implementation, the one that tonic uses.
#[derive(Clone, PartialEq, prost::Message)]
struct Shape {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    display_name: String,
    #[prost(bytes = "vec", tag = "3")]
    blob: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    points: Vec<Point>,
    #[prost(map = "string, int64", tag = "5")]
    counts: HashMap<String, i64>,
    #[prost(int32, tag = "6")]
    color: i32,
    #[prost(oneof = "Size", tags = "7, 8")]
    size: Option<Size>,
    #[prost(float, optional, tag = "9")]
    weight: Option<f32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Point {
    #[prost(sint32, tag = "1")]
    x: i32,
    #[prost(double, tag = "2")]
    y: f64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Size {
    #[prost(bool, tag = "7")]
    Unknown(bool),
    #[prost(fixed32, tag = "8")]
    Area(u32),
}

fn method(name: &str) -> Method {
    let read = |name: &str| (name == "shapes.proto").then(|| SHAPES.to_owned());
    let schema = Schema::from_proto_sources(&["shapes.proto"], read).unwrap();
    schema.method(&format!("shapes.Shapes/{name}")).unwrap()
}

#[test]
fn json_becomes_the_bytes_that_prost_reads_and_comes_back() {
    let method = method("One");
    for (json, shape, back) in [
        ("{}", Shape::default(), json!({})),
        (
            r#"{"id": 18446744073709551615, "display_name": "é", "blob": "AAH/"}"#,
            Shape {
                id: u64::MAX,
                display_name: "é".into(),
                blob: vec![0, 1, 255],
                ..Shape::default()
            },
            json!({"id": "18446744073709551615", "display_name": "é", "blob": "AAH/"}),
        ),
        (
            r#" {"id": "7", "displayName": "camel", "points": [{"x": -3, "y": 0.5}, {}]}"#,
            Shape {
                id: 7,
                display_name: "camel".into(),
                points: vec![Point { x: -3, y: 0.5 }, Point::default()],
                ..Shape::default()
            },
            json!({"id": "7", "display_name": "camel", "points": [{"x": -3, "y": 0.5}, {}]}),
        ),
        (
            r#"{"counts": {"a": -1}, "color": "RED", "area": 4, "weight": 0}"#,
            Shape {
                counts: [("a".to_owned(), -1)].into(),
                color: 1,
                size: Some(Size::Area(4)),
                weight: Some(0.0),
                ..Shape::default()
            },
            json!({"counts": {"a": "-1"}, "color": "RED", "area": 4, "weight": 0.0}),
        ),
        (
            r#"{"unknown": false, "color": 9}"#,
            Shape { size: Some(Size::Unknown(false)), color: 9, ..Shape::default() },
            json!({"unknown": false, "color": 9}),
        ),
    ] {
        let bytes = method.encode(json).unwrap();
        assert_eq!(Shape::decode(bytes.as_slice()).unwrap(), shape, "{json}");
        assert_eq!(method.decode(&shape.encode_to_vec()).unwrap(), back, "{json}");
        assert_eq!(method.decode_request(&bytes).unwrap(), back, "{json}");
    }
    assert!(method.decode(b"\x08").is_err());
}

#[test]
fn wrong_json_is_told_with_its_place() {
    let method = method("Sum");
    for (json, place, reason) in [
        ("", "line 1, column 0: ", "EOF while parsing"),
        ("{\"id\": 1", "line 1, column 8: ", "EOF while parsing an object"),
        ("{\"id\": 1} {}", "line 1, column 11: ", "trailing characters"),
        ("{\n  \"id\": \"x\"\n}", "`id`, line 2, column ", "invalid"),
        ("{\"id\": -1}", "`id`, line 1, column ", "out of range"),
        ("{\"color\": \"BLUE\"}", "`color`, line 1, column ", "BLUE"),
        ("{\"dispaly_name\": 1}", "line 1, column ", "dispaly_name"),
        ("{\"points\": [{}, {\"x\": true}]}", "`points[1].x`, line 1, column ", "true"),
        ("[{},\n {\"blob\": \"*\"}]", "`[1].blob`, line 2, column ", "base64"),
        ("[{}, 7]", "`[1]`, line 1, column ", "integer `7`"),
        ("\"text\"", "line 1, column ", "string \"text\""),
        ("{\"unknown\": true, \"area\": 1}", "", "oneof"),
    ] {
        let error = method.encode_body(json).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(reason), "{json}: {error}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(500), "}".repeat(500));
    assert!(method.encode_body(&deep).is_err());
}

#[test]
fn kinds_of_call_decide_how_many_messages_there_may_be() {
    for (name, kind, streams) in [
        ("One", CallKind::Unary, false),
        ("Sum", CallKind::ClientStreaming, true),
        ("List", CallKind::ServerStreaming, false),
        ("Chat", CallKind::Bidirectional, true),
    ] {
        let method = method(name);
        assert_eq!(method.kind(), kind);
        let one = method.encode_body(r#"{"id": 1}"#).unwrap();
        assert_eq!((one.messages, one.bytes.as_slice()), (1, &b"\0\0\0\0\x02\x08\x01"[..]));
        assert_eq!(method.encode_body(r#"[{"id": 1}]"#).unwrap(), one);
        for (json, count) in [("[]", 0), (r#"[{"id": 1}, {}, {"id": 2}]"#, 3)] {
            match method.encode_body(json) {
                Ok(body) => {
                    assert!(streams);
                    assert_eq!(Messages::new(&body.bytes).count_whole(), Ok(count));
                    assert_eq!(body.messages, count);
                }
                Err(error) => {
                    assert!(!streams);
                    let text = format!("takes one message, and here are {count}");
                    assert!(error.to_string().ends_with(&text), "{error}");
                }
            }
        }
    }
}

#[test]
fn answers_are_held_against_what_is_expected() {
    let body = |ids: &[u64]| {
        let mut body = Vec::new();
        for &id in ids {
            push_message(&Shape { id, ..Shape::default() }.encode_to_vec(), &mut body).unwrap();
        }
        body
    };
    let (one, list) = (method("One"), method("List"));
    let count = |expected, got| Err(WrongAnswer::Count { expected, got });
    let plain = Expectation::of(&one);
    assert!(plain.is_shallow());
    assert_eq!(plain.check(&body(&[1])), Ok(1));
    assert_eq!(plain.check(&body(&[1, 2])), count(1, 2));
    assert_eq!(plain.check(&[]), count(1, 0));
    assert!(matches!(plain.check(&body(&[1])[..6]), Err(WrongAnswer::Frame(_))));
    let any = Expectation::of(&list);
    assert_eq!((any.check(&[]), any.check(&body(&[1, 2, 3]))), (Ok(0), Ok(3)));
    assert_eq!(any.with_count(5).check(&body(&[1])), count(5, 1));
    // The order of fields, and whether a default is written, makes no difference.
    let json = r#"[{"display_name": "", "id": "1"}, {"id": 2}]"#;
    let deep = Expectation::of(&list).with_messages(&list, json).unwrap();
    assert!(!deep.is_shallow());
    assert_eq!(deep.check(&body(&[1, 2])), Ok(2));
    assert_eq!(deep.check(&body(&[1, 3])), Err(WrongAnswer::Different(1)));
    assert_eq!(deep.check(&body(&[1])), count(2, 1));
    let nonsense = [body(&[1]), b"\0\0\0\0\x01\x08".to_vec()].concat();
    assert_eq!(deep.check(&nonsense), Err(WrongAnswer::Undecodable(1)));
    assert!(Expectation::of(&one).with_messages(&one, "{\"ids\": 1}").is_err());
}
