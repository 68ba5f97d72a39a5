//! `bulkhead chaos toxiproxy --gateway`: listeners of a gateway as proxies, their toxics as its faults.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Instant;

use bulkhead_lab::{Toxiproxy, ToxiproxyOptions};
use bulkhead_origin::Origin;
use bulkhead_testkit::{RawClient, Scratch};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bulkhead;
use crate::running::{PATIENCE, Running, address, get, origin};

const CONFIG: &str = "
admin: {address: 127.0.0.1:0}
listeners:
- {name: web, address: '127.0.0.1:0'}
- {name: other, address: '127.0.0.1:0'}
- {name: bytes, address: '127.0.0.1:0', protocol: tcp}
routes:
- backends: [service]
tcp_routes:
- {listeners: [bytes], backends: [service]}
clusters:
  service: {endpoints: [ORIGIN]}
";

struct Subject {
    _origin: Origin,
    gateway: Running,
    admin: SocketAddr,
    _scratch: Scratch,
}

impl Subject {
    fn start(more: &[&str]) -> Self {
        let (origin, scratch) = (origin(), Scratch::new());
        let config = CONFIG.replace("ORIGIN", &origin.addr().to_string());
        let file = scratch.write("gateway.yaml", config).display().to_string();
        let mut gateway = Running::start(&[&["--config", &file], more].concat());
        let admin = address(&gateway.wait_for("admin server"), "http://");
        gateway.wait_for("ready:");
        Self { _origin: origin, gateway, admin, _scratch: scratch }
    }

    fn options(&self) -> ToxiproxyOptions {
        ToxiproxyOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            gateway: Some(self.admin),
            ..ToxiproxyOptions::default()
        }
    }

    /// Faults in force.
    fn active(&self) -> Vec<Value> {
        let answer = get(self.admin, "/faults");
        let document: Value =
            serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let faults = document["faults"].as_array().unwrap().iter();
        faults.filter(|fault| fault["state"] == "active").cloned().collect()
    }
}

fn ask(api: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut client = RawClient::connect(api, PATIENCE);
    let (body, head) = (body.to_string(), "host: x\r\nuser-agent: test\r\nconnection: close");
    let length = body.len();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    let answer = String::from_utf8(client.read_to_end()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn listens(api: SocketAddr, name: &str) -> SocketAddr {
    let (_, proxy) = ask(api, "GET", &format!("/proxies/{name}"), &json!({}));
    proxy["listen"].as_str().unwrap_or_else(|| panic!("{proxy}")).parse().unwrap()
}

/// What a client of this listener gets.
fn fetch(listener: SocketAddr) -> String {
    get(listener, "/api/v1/7/feed")
}

#[test]
fn toxics_of_a_listener_are_faults_of_the_gateway_and_are_taken_back() {
    let subject = Subject::start(&["--allow-faults"]);
    let server = Toxiproxy::start(subject.options()).unwrap();
    let api = server.address();
    let (web, other) = (listens(api, "web"), listens(api, "other"));
    let whole = fetch(web);
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");

    let limit =
        json!({"type": "limit_data", "name": "cut", "attributes": {"bytes": 5}, "ttl_ms": 60_000});
    let (status, toxic) = ask(api, "POST", "/proxies/web/toxics", &limit);
    assert_eq!((status, &toxic["stream"]), (200, &json!("downstream")), "{toxic}");
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.len();
    assert_eq!(body(&fetch(web)), 5);
    assert_eq!(body(&fetch(other)), body(&whole), "it is another listener's");
    // It is changed under its name, and its life goes on.
    let changed = json!({"attributes": {"bytes": 7}, "toxicity": 1.0});
    assert_eq!(ask(api, "POST", "/proxies/web/toxics/cut", &changed).0, 200);
    assert_eq!(body(&fetch(web)), 7);
    let active = subject.active();
    assert_eq!(active.len(), 1, "{active:?}");
    assert!(active[0]["ttl_left_ms"].as_u64().unwrap() <= 60_000, "{active:?}");
    assert_eq!(active[0]["rule"]["fault"]["http"]["listener"], "web");
    let (_, proxies) = ask(api, "GET", "/proxies", &json!({}));
    assert_eq!(proxies["web"]["toxics"][0]["attributes"]["bytes"], 7);
    assert_eq!(proxies["web"]["enabled"], true);
    assert_eq!(ask(api, "DELETE", "/proxies/web/toxics/cut", &json!({})).0, 204);
    assert_eq!((subject.active().len(), body(&fetch(web))), (0, body(&whole)));

    // Beside proxies of our own, and all of them are reset at once.
    let own = json!({"name": "own", "upstream": web.to_string()});
    assert_eq!(ask(api, "POST", "/proxies", &own).0, 201);
    let reset = json!({"type": "reset_peer"});
    for proxy in ["web", "other", "own"] {
        assert_eq!(ask(api, "POST", &format!("/proxies/{proxy}/toxics"), &reset).0, 200, "{proxy}");
    }
    assert_eq!(subject.active().len(), 2);
    assert_eq!(ask(api, "POST", "/reset", &json!({})).0, 204);
    let (_, proxies) = ask(api, "GET", "/proxies", &json!({}));
    for proxy in ["web", "other", "own"] {
        assert_eq!(proxies[proxy]["toxics"], json!([]), "{proxies}");
    }
    assert_eq!((subject.active().len(), body(&fetch(listens(api, "own")))), (0, body(&whole)));

    // Nothing outlives the server.
    assert_eq!(ask(api, "POST", "/proxies/web/toxics", &limit).0, 200);
    assert_eq!(subject.active().len(), 1);
    drop(server);
    assert_eq!((subject.active().len(), body(&fetch(web))), (0, body(&whole)));
}

#[test]
fn what_a_gateway_cannot_do_is_refused_and_its_listeners_are_its_own() {
    let subject = Subject::start(&["--allow-faults"]);
    let server = Toxiproxy::start(subject.options()).unwrap();
    let api = server.address();
    let web = json!({"name": "web", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"});
    for (method, path, body, status, told) in [
        ("POST", "/proxies", web.clone(), 409, "proxy already exists"),
        ("POST", "/populate", json!([web]), 403, "web is a listener of the gateway"),
        ("POST", "/proxies/web", json!({"enabled": false}), 403, "listener of the gateway"),
        ("DELETE", "/proxies/web", json!({}), 403, "listener of the gateway"),
        ("POST", "/proxies/web/toxics", json!({"type": "slicer"}), 400, "no slicer"),
        ("POST", "/proxies/web/toxics", json!({"type": "wrong"}), 400, "invalid toxic type"),
        ("POST", "/proxies/bytes/toxics", json!({"type": "reset_peer"}), 400, "passes bytes on"),
        ("POST", "/proxies/wbe/toxics", json!({"type": "noop"}), 404, "proxy not found"),
        ("DELETE", "/proxies/web/toxics/none", json!({}), 404, "toxic not found"),
    ] {
        let (answered, error) = ask(api, method, path, &body);
        assert_eq!(answered, status, "{method} {path} {body}: {error}");
        assert!(error["error"].as_str().unwrap().contains(told), "{error}");
    }
    let noop = json!({"type": "noop", "name": "n"});
    assert_eq!(ask(api, "POST", "/proxies/web/toxics", &noop).0, 200);
    assert_eq!(ask(api, "POST", "/proxies/web/toxics", &noop).0, 409);
    let (_, toxics) = ask(api, "GET", "/proxies/web/toxics", &json!({}));
    assert_eq!((toxics.as_array().unwrap().len(), subject.active().len()), (1, 0));

    // What somebody else takes back, or what has ended by itself, is gone here too.
    let reset = json!({"type": "reset_peer", "name": "r"});
    assert_eq!(ask(api, "POST", "/proxies/web/toxics", &reset).0, 200);
    assert_eq!(ask(subject.admin, "DELETE", "/faults", &json!({})).0, 200);
    assert_eq!(ask(api, "GET", "/proxies/web/toxics/r", &json!({})).0, 404);
    let short = json!({"type": "reset_peer", "name": "s", "ttl_ms": 50});
    assert_eq!(ask(api, "POST", "/proxies/web/toxics", &short).0, 200);
    let started = Instant::now();
    while ask(api, "GET", "/proxies/web/toxics/s", &json!({})).0 != 404 {
        assert!(started.elapsed() < PATIENCE, "its life does not end");
    }

    // A gateway that is gone is told, and our own proxies do without it.
    let own = json!({"name": "own", "upstream": "127.0.0.1:1"});
    assert_eq!(ask(api, "POST", "/proxies", &own).0, 201);
    drop(subject);
    assert_eq!(ask(api, "GET", "/proxies", &json!({})).0, 502);
    assert_eq!(ask(api, "POST", "/proxies/own/toxics", &json!({"type": "latency"})).0, 200);
    assert_eq!(ask(api, "DELETE", "/proxies/own", &json!({})).0, 204);
}

#[test]
fn a_gateway_has_to_allow_faults() {
    let subject = Subject::start(&[]);
    let error = Toxiproxy::start(subject.options()).unwrap_err();
    assert!(error.to_string().contains("start it with `--allow-faults`"), "{error}");
}

#[test]
fn the_command_takes_everything_back_when_it_is_told_to_end() {
    let subject = Subject::start(&["--allow-faults"]);
    let admin = subject.admin.to_string();
    let mut child = bulkhead()
        .args(["chaos", "toxiproxy", "--listen", "127.0.0.1:0", "--gateway", &admin])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let api = address(&line, "http://");
    let held = json!({"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}});
    let (status, _) = ask(api, "POST", "/proxies/web/toxics", &held);
    let web = listens(api, "web");
    let waiting = std::thread::spawn(move || fetch(web));
    let started = Instant::now();
    while subject.active()[0]["active"] != 1 {
        assert!(started.elapsed() < PATIENCE, "nothing is held");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = child.wait().unwrap();
    assert_eq!((status, ended.code(), subject.active().len()), (200, Some(0), 0));
    // What it held goes on.
    assert!(waiting.join().unwrap().starts_with("HTTP/1.1 200"));
    assert!(subject.gateway.child.id() > 0);
}
