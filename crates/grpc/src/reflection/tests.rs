use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use prost_reflect::prost_types::FileDescriptorSet;
use tonic::codegen::Service;
use tonic_reflection::server::Builder;

use super::*;

const SOURCES: [(&str, &str); 3] = [
    (
        "a.proto",
        "syntax = \"proto3\"; package a; import \"b.proto\"; import \"google/protobuf/duration.proto\";
         message In { b.Mid mid = 1; google.protobuf.Duration wait = 2; }
         service Calls { rpc Make(In) returns (b.Mid); rpc Many(stream In) returns (stream b.Mid); }
         service Calmer { rpc Make(In) returns (In); }",
    ),
    (
        "b.proto",
        "syntax = \"proto3\"; package b; import \"c.proto\"; message Mid { c.Deep deep = 1; }",
    ),
    ("c.proto", "syntax = \"proto3\"; package c; message Deep { int32 depth = 1; }"),
];

fn descriptors() -> FileDescriptorSet {
    struct Table;
    impl protox::file::FileResolver for Table {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            let found = SOURCES.iter().find(|(source, _)| *source == name);
            let (_, text) = found.ok_or_else(|| protox::Error::file_not_found(name))?;
            protox::file::File::from_source(name, text)
        }
    }
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(Table);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("a.proto").unwrap();
    compiler.file_descriptor_set()
}

/// Makes one call of tonic's own service, without a socket.
fn call<S>(service: &S, path: &str, body: &[u8]) -> Result<Vec<u8>, AskError>
where
    S: Clone
        + Service<
            http::Request<Full<Bytes>>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
        >,
{
    let request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
    let mut service = service.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let answer = service.call(request).await.unwrap();
        let in_head = answer.headers().get("grpc-status").cloned();
        let whole = answer.into_body().collect().await.unwrap();
        let in_trailers = whole.trailers().and_then(|fields| fields.get("grpc-status").cloned());
        match in_trailers.or(in_head).unwrap().as_bytes() {
            b"0" => Ok(whole.to_bytes().to_vec()),
            b"5" => Err(AskError::NotFound),
            b"12" => Err(AskError::Unimplemented),
            other => Err(AskError::Failed(format!("{other:?}"))),
        }
    })
}

#[test]
fn tonics_reflection_tells_all_that_is_needed_in_both_versions() {
    let v1 = Builder::configure().register_file_descriptor_set(descriptors()).build_v1().unwrap();
    let mut asked = Vec::new();
    let schema = reflect("a.Calls", |path, body| {
        asked.push(path.to_owned());
        call(&v1, path, body)
    })
    .unwrap();
    // The file; b and the duration at once; c.
    assert_eq!(asked, [PATHS[0]; 3]);
    let method = schema.method("a.Calls/Make").unwrap();
    let json = r#"{"mid": {"deep": {"depth": 7}}, "wait": "1.500s"}"#;
    let bytes = method.encode(json).unwrap();
    let back = method.decode_request(&bytes).unwrap();
    assert_eq!(back, serde_json::from_str::<serde_json::Value>(json).unwrap());

    let alpha =
        Builder::configure().register_file_descriptor_set(descriptors()).build_v1alpha().unwrap();
    let mut asked = Vec::new();
    let schema = reflect("a.Calls", |path, body| {
        asked.push(path.to_owned());
        if path == PATHS[0] { Err(AskError::Unimplemented) } else { call(&alpha, path, body) }
    })
    .unwrap();
    assert_eq!(asked, [PATHS[0], PATHS[1], PATHS[1], PATHS[1]]);
    assert!(schema.method("a.Calls/Many").is_ok());
}

#[test]
fn a_service_that_is_none_is_answered_with_the_nearest() {
    let v1 = Builder::configure().register_file_descriptor_set(descriptors()).build_v1().unwrap();
    let error = reflect("a.Clals", |path, body| call(&v1, path, body)).unwrap_err().to_string();
    assert_eq!(error, "the server knows no service `a.Clals`; did you mean `a.Calls`?");
}

/// Answers with what `tell` says to each question.
fn serve(
    tell: impl Fn(&Question) -> Option<Reply>,
) -> impl FnMut(&str, &[u8]) -> Result<Vec<u8>, AskError> {
    move |_, body| {
        let mut out = Vec::new();
        for message in Messages::new(body) {
            let request = Request::decode(message.unwrap()).unwrap();
            let answer = Answer { reply: tell(&request.question.unwrap()) };
            push_message(&answer.encode_to_vec(), &mut out).unwrap();
        }
        Ok(out)
    }
}

fn file(name: &str, imports: &[&str], more_bytes: usize) -> Vec<u8> {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("p".repeat(more_bytes)),
        dependency: imports.iter().map(|&import| import.to_owned()).collect(),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec()
}

fn files(files: Vec<Vec<u8>>) -> Option<Reply> {
    Some(Reply::Files(wire::FileDescriptorResponse { file_descriptor_proto: files }))
}

#[track_caller]
fn check(tell: impl Fn(&Question) -> Option<Reply>, expected: &str) {
    let error = reflect("s.S", serve(tell)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_server_that_leaves_out_well_known_files_is_helped() {
    let not_found = wire::ErrorResponse { error_code: NOT_FOUND, error_message: "no".into() };
    let tell = |question: &Question| match question {
        Question::FileContainingSymbol(_) => {
            files(vec![file("s.proto", &["google/protobuf/any.proto"], 0)])
        }
        _ => Some(Reply::Error(not_found.clone())),
    };
    assert!(reflect("s.S", serve(tell)).is_ok());
    check(
        |question| match question {
            Question::FileContainingSymbol(_) => files(vec![file("s.proto", &["own.proto"], 0)]),
            _ => Some(Reply::Error(not_found.clone())),
        },
        "refuses `own.proto`: no (status 5)",
    );
    check(
        |_| Some(Reply::Error(wire::ErrorResponse { error_code: 7, error_message: "no".into() })),
        "refuses `s.S`: no (status 7)",
    );
}

#[test]
fn a_server_that_tells_without_end_is_cut_off() {
    // Each file imports another.
    check(
        |question| match question {
            Question::FileByFilename(name) => files(vec![file(name, &[&format!("x{name}")], 0)]),
            _ => files(vec![file("s.proto", &["0.proto"], 0)]),
        },
        "32 levels of imports",
    );
    let many: Vec<_> = (0..1_001).map(|number| file(&format!("{number}.proto"), &[], 0)).collect();
    check(|_| files(many.clone()), "1000 files");
    check(|_| files(vec![file("s.proto", &[], 17 << 20)]), "16 MiB of descriptors");
}

#[test]
fn nonsense_is_told_and_never_panics() {
    check(|_| None, "an empty answer");
    check(|_| files(vec![b"\xff\xff".to_vec()]), "nonsense");
    check(|_| Some(Reply::Services(wire::ListServiceResponse::default())), "another question");
    check(
        |question| match question {
            Question::FileByFilename(_) => files(vec![file("other.proto", &[], 0)]),
            _ => files(vec![file("s.proto", &["0.proto"], 0)]),
        },
        "another file than `0.proto`",
    );
    for (body, expected) in [
        (&b""[..], "0 answers to 1 questions"),
        (b"\0\0\0\0\x01\xff", "nonsense"),
        (b"\0\0\0\0\x09\xff", "ends within a message"),
    ] {
        let error = reflect("s.S", |_, _| Ok(body.to_vec())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A server that ends the call instead of answering is asked again, one by one.
    let mut tell = serve(|question| match question {
        Question::FileContainingSymbol(_) => {
            files(vec![file("s.proto", &["a.proto", "google/protobuf/any.proto"], 0)])
        }
        Question::FileByFilename(name) => files(vec![file(name, &[], 0)]),
        Question::ListServices(_) => None,
    });
    let mut asked = 0;
    let schema = reflect("s.S", |path, body| {
        asked += 1;
        let google = body.windows(6).any(|part| part == b"google");
        if google { Err(AskError::NotFound) } else { tell(path, body) }
    });
    assert!(schema.is_ok() && asked == 4);
    let error = reflect("s.S", |_, _| Err(AskError::Failed("away".into()))).unwrap_err();
    assert_eq!(error.to_string(), "ask the server's reflection: away");
    let error = reflect("s.S", |_, _| Err(AskError::Unimplemented)).unwrap_err();
    assert_eq!(error.to_string(), "the server has no reflection (neither v1 nor v1alpha)");

    // Descriptors with single bits changed hold together or are refused.
    let set = descriptors();
    let bytes = set.encode_to_vec();
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(schema) = Schema::from_descriptor_set(&bytes) {
            for name in schema.method_names() {
                if let Ok(method) = schema.method(&name) {
                    let _either = method.encode_body(r#"{"mid": {"deep": {"depth": 7}}}"#);
                    let _either = method.decode(b"\x0a\x02\x0a\x00");
                }
            }
        }
    }
}
