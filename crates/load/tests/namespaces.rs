//! Agents in network namespaces: two of them load an origin in a third, over links of their own, so
//! that nothing of loopback or of a shared clock helps. Needs root and iproute2; says so and passes
//! where they are missing.
//!
//! The test starts this binary again in each namespace, where `role` reads from the environment what it
//! is to be.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

#[path = "namespaces/feeds.rs"]
mod feeds;
#[path = "namespaces/network.rs"]
mod network;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bulkhead_load::LoadOptions;
use bulkhead_load::remote::{
    Agent, AgentOptions, AllowedTargets, CoordinatorOptions, Job, Plan, Secret, start,
};
use bulkhead_origin::{Endpoint, Origin, OriginOptions};

use network::Network;

const ROLE: &str = "BULKHEAD_TEST_ROLE";
const SECRET: &[u8] = b"a secret of 24 letters..";
/// First words of the line by which a role tells where it listens.
const LISTENS: &str = "listens on ";
const REQUESTS: u64 = 2_400;

#[test]
fn two_agents_load_an_origin_across_namespaces() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let agents = network.agents().map(|(namespace, address)| {
        let role = format!("agent {address} {}", network.origin());
        let mut agent = Role::start(&network, namespace, &role);
        let listens = agent.await_line(LISTENS);
        (agent, listens)
    });
    let names: Vec<&str> = agents.iter().map(|(_, listens)| listens.as_str()).collect();
    let role = format!("coordinator {} {}", network.origin(), names.join(","));
    let hub = Role::start(&network, network.hub(), &role);
    let (status, output) = hub.wait();
    assert!(status, "{output}");
    assert!(output.contains(&format!("{REQUESTS} requests, as many at the origin")), "{output}");
}

/// What the environment says; nothing without it.
#[test]
#[ignore = "started by the other test in a namespace"]
fn role() {
    let role = std::env::var(ROLE).unwrap_or_default();
    let words: Vec<&str> = role.split(' ').collect();
    match words[..] {
        ["agent", address, target] => agent(address, target),
        ["coordinator", origin, agents] => coordinate(origin, agents),
        _ => {}
    }
}

/// This binary in a namespace. Ends with the test: it reads standard input until it closes.
struct Role {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Role {
    fn start(network: &Network, namespace: &str, role: &str) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "role", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {role} in {network:?}: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// What follows `start` on the first line that has it.
    fn await_line(&mut self, start: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "ended early: {seen}");
            if let Some((_, rest)) = line.split_once(start) {
                return rest.trim().to_owned();
            }
            seen += &line;
        }
    }

    fn wait(mut self) -> (bool, String) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().success(), text)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

fn options(origin: &str) -> LoadOptions {
    let address: SocketAddr = origin.parse().unwrap();
    feeds::options(address, REQUESTS as f64 / 2.0, Duration::from_secs(2))
}

fn agent(address: &str, target: &str) {
    let network = format!("{}/32", target.split(':').next().unwrap());
    let agent_options = AgentOptions {
        listen: format!("{address}:0").parse().unwrap(),
        secret: Some(Secret::new(SECRET).unwrap()),
        allowed: AllowedTargets::parse(&[network]).unwrap(),
    };
    let build = |job: &Job| {
        Ok(Plan {
            options: options(&job.arguments[0]),
            workload: Box::new(|_| Box::<feeds::Feeds>::default()),
            doubts: Box::new(Vec::new),
        })
    };
    let log = |line: &str| println!("{line}");
    let agent = Agent::start(agent_options, build, log).unwrap();
    println!("{LISTENS}{}", agent.address());
    std::io::stdout().flush().unwrap();
    // Until the test closes it.
    let _closed = std::io::stdin().read_to_end(&mut Vec::new());
}

fn coordinate(origin: &str, agents: &str) {
    let address = origin.parse().unwrap();
    let origin_options = OriginOptions { address, ..OriginOptions::default() };
    let server = Origin::start(origin_options).unwrap();
    let coordinator = CoordinatorOptions {
        agents: agents.split(',').map(str::to_owned).collect(),
        secret: Some(Secret::new(SECRET).unwrap()),
    };
    let target = server.addr().to_string();
    let job = Job { arguments: vec![target.clone()], ..Job::default() };
    let (load, members) = start(&coordinator, &job, options(&target)).unwrap();
    let report = load.finish();
    assert_eq!(report.failed, 0, "{:?}", report.failure_samples);
    assert_eq!((report.scheduled, report.ok), (REQUESTS, REQUESTS));
    assert_eq!(server.stats().requests(Endpoint::Feed), REQUESTS);
    assert_eq!(report.latency_ms.count, REQUESTS);
    let each = members.reports();
    assert_eq!(each.iter().map(|agent| agent.ok).collect::<Vec<_>>(), [REQUESTS / 2; 2]);
    assert!(members.invalid_reasons().is_empty(), "{each:?}");
    println!("{REQUESTS} requests, as many at the origin; {each:?}");
}
