//! Reloads and upgrades under load of HTTP/1.1, HTTP/2 and gRPC: not one request fails.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use bulkhead_testkit::Scratch;
use rustix::process::{Pid, Signal, kill_process};

use crate::bulkhead;
use crate::running::{Running, address, get, origin};

/// Load that goes on until it is looked at; killed when dropped.
struct UnderLoad(Child);

impl UnderLoad {
    /// Comes back when the load has been on for a second.
    fn start(web: SocketAddr) -> Self {
        let mut load = bulkhead()
            .arg("load")
            .arg(format!("h2c://{web}/api/v1/7/feed"))
            .args(["--mix", "http1=2,http2=1,grpc=1", "--grpc-path", "/feed.v1.Feed/Get"])
            .args(["--grpc-body", "", "--rate", "300", "--duration", "300s", "--warmup", "0s"])
            .args(["--connections", "4", "--timeout", "10s", "--json", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seconds = BufReader::new(load.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(seconds.any(|line| line.contains(" 1 s ")));
        // Somebody has to read the rest.
        std::thread::spawn(move || seconds.for_each(drop));
        Self(load)
    }

    /// Ends the load: every request was answered, and rightly.
    #[track_caller]
    fn nothing_failed(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        let mut json = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut json).unwrap();
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(document["requests"]["ok"].as_u64() > Some(300), "{document:#}");
        assert_eq!(
            document["errors"].as_object().map(|errors| errors.len()),
            Some(0),
            "{document:#}"
        );
    }
}

impl Drop for UnderLoad {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(upstream: SocketAddr, streams_max: u32) -> String {
    format!(
        "listeners:\n  - address: 127.0.0.1:0\nworkers: 2\nlimits:\n  streams_max: {streams_max}\n\
         clusters:\n  feed:\n    protocol: http2\n    endpoints: [\"{upstream}\"]\n\
         routes:\n  - backends: [feed]\n"
    )
}

/// How many connections were made to the upstream.
fn connects(admin: SocketAddr) -> u64 {
    let metrics = get(admin, "/metrics");
    let samples =
        metrics.lines().filter(|line| line.starts_with("bulkhead_upstream_connects_total"));
    samples.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn a_hundred_reloads_fail_no_request_and_open_no_connection() {
    let origin = origin();
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", config(origin.addr(), 100)).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--admin", "127.0.0.1:0"]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    let load = UnderLoad::start(web);
    let before = connects(admin);
    assert!(before > 0);
    for reload in 0..100 {
        scratch.write("gateway.yaml", config(origin.addr(), 101 + reload));
        gateway.signal(Signal::HUP);
        gateway.wait_for(&format!("applied as revision {}", reload + 2));
    }
    assert_eq!(connects(admin), before, "the cluster has not changed");
    load.nothing_failed();
    gateway.signal(Signal::TERM);
    gateway.wait_for("drained");
    origin.stop();
}

#[test]
fn ten_upgrades_fail_no_request() {
    let origin = origin();
    let scratch = Scratch::new();
    let file = scratch.write("gateway.yaml", config(origin.addr(), 100)).display().to_string();
    let mut gateway = Running::start(&["--config", &file, "--admin", "127.0.0.1:0"]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    let load = UnderLoad::start(web);
    for upgrade in 0..10u32 {
        // With other numbers of workers than there are sockets, too.
        let text = config(origin.addr(), 100)
            .replace("workers: 2", &format!("workers: {}", upgrade % 3 + 1));
        scratch.write("gateway.yaml", text);
        let upgraded =
            bulkhead().args(["upgrade", "--admin", &admin.to_string()]).output().unwrap();
        assert!(upgraded.status.success(), "{upgraded:?}");
        let told = String::from_utf8_lossy(&upgraded.stdout).into_owned();
        let pid = told.split(' ').nth(1).unwrap().parse().unwrap();
        gateway.inherited_by(Pid::from_raw(pid).unwrap());
    }
    load.nothing_failed();
    gateway.signal(Signal::TERM);
    gateway.wait_for("draining:");
    origin.stop();
}
