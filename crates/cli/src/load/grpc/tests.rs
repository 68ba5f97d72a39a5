use std::path::Path;
use std::time::Duration;

use bulkhead_load::{Arrivals, Load, LoadOptions, LoadReport, Process, Protocol, Schedule};
use bulkhead_origin::{Endpoint, Origin, OriginOptions, feed};
use bulkhead_testkit::Scratch;

use super::*;

fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}

fn target(origin: &Origin) -> TargetOptions {
    TargetOptions { connections: 2, ..TargetOptions::new(origin.addr(), Protocol::Http2) }
}

fn feed_proto() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../origin/proto/feed.proto")
}

fn resolve_from(source: &Source, origin: &Origin, path: &str, data: &str) -> anyhow::Result<Call> {
    let target = target(origin);
    resolve(source, Server { target: &target, authority: "a.example", headers: &[] }, path, data, 7)
}

fn run(call: Call, origin: &Origin) -> LoadReport {
    let target = target(origin);
    let server = Server { target: &target, authority: "a.example", headers: &[] };
    let workload = GrpcWorkload::new(call, server, 0);
    let schedule = Schedule::constant(1_000.0, Process::Constant, 1);
    let options = LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_millis(50));
    Load::start(options, |_| Box::new(workload.clone())).unwrap().finish()
}

/// The answers of the origin as JSON.
fn replies(users: &[u64]) -> String {
    let mut body = Vec::new();
    users.iter().for_each(|&user| feed::push_grpc_response(user, &mut body));
    let read = |file: &str| std::fs::read_to_string(file).ok();
    let path = feed_proto().to_str().unwrap().to_owned();
    let schema = Schema::from_proto_sources(&["feed.proto"], move |_| read(&path)).unwrap();
    let method = schema.method("feed.v1.Feed/Get").unwrap();
    let messages = bulkhead_grpc::Messages::new(&body);
    let messages: Vec<_> = messages.map(|one| method.decode(one.unwrap()).unwrap()).collect();
    serde_json::to_string(&messages).unwrap()
}

#[test]
fn all_four_kinds_of_call_are_counted_as_the_origin_counts_them() {
    for (method, endpoint, data, users) in [
        ("Get", Endpoint::GrpcGet, r#"{"user_id": 300}"#, &[300][..]),
        ("Watch", Endpoint::GrpcWatch, r#"{"userId": "7"}"#, &[7, 8, 9, 10, 11]),
        ("Upload", Endpoint::GrpcUpload, r#"[{"user_id": 1}, {"user_id": 2}]"#, &[3]),
        ("Upload", Endpoint::GrpcUpload, "[]", &[0]),
        ("Chat", Endpoint::GrpcChat, r#"[{"user_id": 5}, {}, {"user_id": 6}]"#, &[5, 0, 6]),
    ] {
        let origin = origin();
        let path = format!("feed.v1.Feed/{method}");
        let mut call = resolve_from(&Source::Reflection, &origin, &path, data).unwrap();
        assert_eq!(origin.stats().requests(Endpoint::GrpcReflection), 1);
        call.expect_messages(&replies(users)).unwrap();
        let report = run(call.clone(), &origin);
        assert_eq!((report.ok, report.failed), (50, 0), "{method} {:?}", report.failure_samples);
        assert_eq!(origin.stats().requests(endpoint), 50, "{method}");
        // One message more or less, or another content, is not right.
        for wrong in [
            replies(&[users, &[1]].concat()),
            replies(&users[1..]),
            replies(users).replace("a", "b"),
        ] {
            call.expect_messages(&wrong).unwrap();
            let report = run(call.clone(), &origin);
            assert_eq!((report.ok, report.classes[0].failures["wrong_body"]), (0, 50), "{method}");
        }
        call.expectation = Expectation::of(&call.method);
        call.expect_count(users.len());
        assert_eq!(run(call, &origin).ok, 50);
    }
}

#[test]
fn descriptors_come_from_files_as_well() {
    let scratch = Scratch::new();
    let text = std::fs::read_to_string(feed_proto()).unwrap();
    // The request's type moves to a file of its own.
    let (service, messages) = text.split_at(text.find("message FeedRequest").unwrap());
    std::fs::create_dir(scratch.path().join("types")).unwrap();
    let types = format!("syntax = \"proto3\";\npackage feed.v1;\n{messages}");
    scratch.write("types/messages.proto", types);
    let import = "package feed.v1;\nimport \"types/messages.proto\";";
    let main = scratch.write("feed.proto", service.replace("package feed.v1;", import));
    let set = scratch.path().join("feed.set");
    let compiled = protox::compile([&main], [scratch.path()]).unwrap();
    std::fs::write(&set, prost::Message::encode_to_vec(&compiled)).unwrap();

    let origin = origin();
    let proto = |files: &[&Path], folders: &[&Path]| Source::Proto {
        files: files.iter().map(|&file| file.into()).collect(),
        folders: folders.iter().map(|&folder| folder.into()).collect(),
    };
    for source in [
        Source::DescriptorSet(set),
        proto(&[&main], &[]),
        proto(&[&main], &[scratch.path()]),
        proto(&[Path::new("feed.proto")], &[Path::new("/nowhere"), scratch.path()]),
    ] {
        let call = resolve_from(&source, &origin, "/feed.v1.Feed/Get", "{\"user_id\": 1}").unwrap();
        let mut body = Vec::new();
        feed::push_grpc_request(1, &mut body);
        assert_eq!((call.bodies, call.messages), (vec![body], 1), "{source:?}");
        assert_eq!(call.path, feed::GRPC_PATH);
    }
    let types = scratch.path().join("types/messages.proto");
    for (source, text) in [
        (Source::DescriptorSet("nowhere.set".into()), "read the descriptor set `nowhere.set`"),
        (Source::DescriptorSet(main.clone()), "read the descriptor set: "),
        (proto(&[], &[]), "no .proto file is given"),
        (proto(&[Path::new("nowhere.proto")], &[]), "read `./nowhere.proto`"),
        (proto(&[&main], &[Path::new("types")]), "is in none of the folders types"),
        (proto(&[&types, &main], &[&scratch.path().join("types")]), "is in none of the folders"),
    ] {
        let error = resolve_from(&source, &origin, "feed.v1.Feed/Get", "{}").unwrap_err();
        assert!(format!("{error:#}").contains(text), "{error:#}");
    }
}

#[test]
fn what_cannot_be_called_is_told_in_one_line() {
    let origin = origin();
    for (path, data, text) in [
        (
            "feed.v1.Fed/Get",
            "{}",
            "the server knows no service `feed.v1.Fed`; did you mean `feed.v1.Feed`?",
        ),
        (
            "feed.v1.Feed/Got",
            "{}",
            "there is no gRPC method `feed.v1.Feed/Got`; did you mean `feed.v1.Feed/Get`?",
        ),
        ("feed.v1.Feed/Get", "{\"user\": 1}", "read the gRPC message: line 1, column 7: "),
        ("feed.v1.Feed/Get", "[{}, {}]", "`/feed.v1.Feed/Get` takes one message, and here are 2"),
        ("feed.v1.Feed/Get", "{a:uniform(2,1)}", "has its bounds the wrong way round"),
    ] {
        let error = resolve_from(&Source::Reflection, &origin, path, data).unwrap_err();
        assert!(format!("{error:#}").contains(text), "{error:#}");
    }
    let address = origin.addr();
    origin.stop();
    let target = TargetOptions::new(address, Protocol::Http2);
    let server = Server { target: &target, authority: "a.example", headers: &[] };
    let error = resolve(&Source::Reflection, server, "feed.v1.Feed/Get", "{}", 1).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.starts_with("ask the server's reflection: connect to 127.0.0.1:"), "{text}");
}

#[test]
fn wrong_statuses_are_told_apart() {
    let origin = origin();
    let call = resolve_from(&Source::Reflection, &origin, "feed.v1.Feed/Get", "{}").unwrap();
    for (path, kind) in [
        ("/feed.v1.Feed/Nothing", "wrong_grpc_status"),
        ("/status/503", "wrong_status"),
        ("/headers", "wrong_header"),
    ] {
        let call = Call { path: path.to_owned(), ..call.clone() };
        let report = run(call, &origin);
        assert_eq!(report.classes[0].failures[kind], 50, "{path}");
    }
}

#[test]
fn numbers_can_differ_from_request_to_request() {
    let origin = origin();
    let data = r#"[{"user_id": {user:uniform(10, 19)}}, {"user_id": "{u:uniform(5,5)}"}, {}]"#;
    let mut call = resolve_from(&Source::Reflection, &origin, "feed.v1.Feed/Chat", data).unwrap();
    assert_eq!((call.bodies.len(), call.messages), (1_000, 3));
    let mut users: Vec<u8> = call.bodies.iter().map(|body| body[6]).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(users, (10..=19).collect::<Vec<u8>>());
    call.expect_count(3);
    assert_eq!(run(call, &origin).ok, 50);
}
