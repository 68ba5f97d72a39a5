//! The API, from outside, over its socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use bulkhead_chaos::{Policy, State};
use bulkhead_lab::{Endpoint, Lab, Registry, ServeError, serve};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::fake::Fake;
use crate::stage::{Directory, request};

struct Server {
    directory: Directory,
    fake: Fake,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(policy: Policy) -> Self {
        let directory = Directory::new();
        let fake = directory.fake();
        let mut options = directory.options();
        options.policy = policy;
        let lab = Arc::new(Lab::open(options, Registry::new().with(fake.clone())).unwrap());
        let endpoint = Endpoint::Unix(directory.0.join("lab.sock"));
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = sync_channel(1);
        let thread = thread::spawn(move || {
            let told = |_: &Endpoint| ready.send(()).unwrap();
            serve(&lab, &endpoint, told, async { drop(ended.await) }).unwrap();
        });
        is_ready.recv().unwrap();
        Self { directory, fake, end: Some(end), thread: Some(thread) }
    }

    fn socket(&self) -> PathBuf {
        self.directory.0.join("lab.sock")
    }

    fn send(&self, method: &str, path: &str, fields: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: lab\r\ncontent-length: {length}\r\n{fields}\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> (u16, Value) {
        let fields = format!("connection: close\r\n{fields}");
        let mut answer = String::new();
        self.send(method, path, &fields, body).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        (status, serde_json::from_str(body).unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, "", &body.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.thread.take().unwrap().join();
        assert!(!self.socket().exists(), "the socket goes with the server");
    }
}

#[test]
fn an_injection_is_ordered_looked_at_and_taken_back() {
    let server = Server::start(Policy::default());
    let (status, answer) = server.post("/v1/inject", &json!(request()));
    assert_eq!((status, server.fake.left()), (200, 1), "{answer}");
    let id = answer["ids"][0].as_str().unwrap();
    assert_eq!(answer["injections"][0]["state"], "active");
    assert_eq!((answer["id"].as_str(), &answer["state"]), (Some(id), &json!("active")));
    let path = format!("/v1/injections/{id}");
    assert_eq!(server.ask("GET", &path, "", "").1["state"], "active");
    assert_eq!(server.ask("GET", "/v1/injections?state=live", "", "").1[0]["id"], id);
    let mut again = json!(request());
    again["id"] = json!(id);
    assert_eq!(server.post("/v1/inject", &again).1["ids"], answer["ids"]);
    again["seed"] = json!(3);
    assert_eq!(server.post("/v1/inject", &again).0, 409);
    let (status, ended) = server.ask("DELETE", &path, "", "");
    assert_eq!((status, ended["state"].as_str(), server.fake.left()), (200, Some("reverted"), 0));
    assert_eq!(server.ask("GET", "/v1/injections?state=live", "", "").1, json!([]));
    let actor = ended["actor"].as_str().unwrap();
    assert!(actor.starts_with("uid:"), "the kernel says who it was: {actor}");
}

#[test]
fn everything_is_taken_back_and_the_lever_holds() {
    let server = Server::start(Policy::default());
    for _ in 0..3 {
        assert_eq!(server.post("/v1/inject", &json!(request())).0, 200);
    }
    assert_eq!(server.fake.left(), 3);
    let reverted = server.ask("POST", "/v1/revert", "", "");
    assert_eq!((reverted, server.fake.left()), ((200, json!({"reverted": 3, "left": []})), 0));
    let (status, _) = server.ask("PUT", "/v1/lever", "", r#"{"engaged": true}"#);
    assert_eq!(status, 200);
    assert_eq!(server.post("/v1/inject", &json!(request())).0, 423);
    assert_eq!(server.ask("GET", "/v1/lever", "", "").1, json!({"engaged": true}));
    assert_eq!(server.ask("GET", "/v1/status", "", "").1["lever_engaged"], true);
    let dry = server.post("/v1/dry-run", &json!(request()));
    assert!(dry.0 == 200 && dry.1["rules"][0]["rules"]["file"].is_string(), "{}", dry.1);
    assert!(dry.1["forbidden"].as_str().is_some_and(|why| why.contains("lever")), "{}", dry.1);
}

#[test]
fn what_means_nothing_is_told_with_its_place() {
    let server = Server::start(Policy::default());
    let (status, answer) = server.post("/v1/inject", &json!({"fault": {"network": "partitoin"}}));
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().starts_with("fault.network"), "{answer}");
    let unknown = "/v1/injections/017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    for (method, path, status) in [
        ("GET", unknown, 404),
        ("DELETE", unknown, 404),
        ("GET", "/v1/injections/x", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/inject", 405),
        ("POST", "/v1/status", 405),
        ("PUT", "/v1/lever", 400),
        ("POST", "/v1/approvals", 400),
    ] {
        assert_eq!(server.ask(method, path, "", "{}").0, status, "{method} {path}");
    }
    let large = "x".repeat((4 << 20) + 1);
    let (status, _) = server.ask("POST", "/v1/inject", "", &large);
    assert_eq!(status, 413);
}

#[test]
fn browsers_and_strangers_are_turned_away() {
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // secret
    let policy = json!({"actors": [{"name": "eve", "token_sha256": digest, "role": "viewer"}]});
    let server = Server::start(serde_json::from_value(policy).unwrap());
    for fields in
        ["origin: http://a\r\n", "sec-fetch-site: none\r\n", "user-agent: Mozilla/5.0\r\n"]
    {
        assert_eq!(server.ask("GET", "/v1/status", fields, "").0, 403, "{fields}");
    }
    assert_eq!(server.ask("GET", "/v1/status", "", "").0, 401);
    let token = "authorization: Bearer secret\r\n";
    assert_eq!(server.ask("GET", "/v1/status", token, "").0, 200);
    let order = json!(request()).to_string();
    assert_eq!(server.ask("POST", "/v1/inject", token, &order).0, 403);
    let mode = std::fs::metadata(server.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn happenings_are_told_as_they_come_and_again_to_who_has_missed_them() {
    let server = Server::start(Policy::default());
    let live = BufReader::new(server.send("GET", "/v1/events", "", ""));
    let mut lines = live.lines().map_while(Result::ok);
    // The stream has begun before anything happens.
    assert!(lines.any(|line| line.contains("events follow")));
    assert_eq!(server.post("/v1/inject", &json!(request())).0, 200);
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "active") {
        let line = lines.next().unwrap();
        states.extend(line.strip_prefix("event: ").map(str::to_owned));
    }
    assert_eq!(states.join(" "), "intended permitted dispatched injecting verifying active");
    let again = BufReader::new(server.send("GET", "/v1/events", "last-event-id: 4\r\n", ""));
    let data = again.lines().map_while(Result::ok).find_map(|line| {
        line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).unwrap())
    });
    let data = data.unwrap();
    assert_eq!((data["sequence"].as_u64(), &data["state"]), (Some(5), &json!(State::Verifying)));
}

#[test]
fn others_than_this_machine_need_tokens() {
    let directory = Directory::new();
    let lab = Arc::new(directory.lab(&directory.fake()));
    let everywhere = Endpoint::Tcp("0.0.0.0:0".parse().unwrap());
    let served = serve(&lab, &everywhere, |_| panic!("it listens"), async {});
    assert!(matches!(served, Err(ServeError::Exposed(_))));
    let here = Endpoint::Tcp("127.0.0.1:0".parse().unwrap());
    let mut bound = None;
    serve(&lab, &here, |at| bound = Some(at.clone()), async {}).unwrap();
    assert!(matches!(bound, Some(Endpoint::Tcp(address)) if address.port() != 0));
}
