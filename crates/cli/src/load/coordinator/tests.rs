use bulkhead_load::Summary;
use bulkhead_origin::{Endpoint, Origin, OriginOptions};

use super::super::agent::{self, AgentArgs};
use super::super::job::{FILE_FLAGS, gather};
use super::*;

const LIMITS: AgentLimits = AgentLimits { lag_p99_ms_max: 1e6, cpu_share_max: 1e6 };

/// An agent as the command line starts it.
fn agent() -> bulkhead_load::remote::Agent {
    let listen = "127.0.0.1:0".parse().unwrap();
    let args = AgentArgs { listen, secret_file: None, allowed: vec!["127.0.0.0/8".to_owned()] };
    agent::start(&args, 1.0, agent::plan).unwrap()
}

fn gathered(line: &str) -> Job {
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    gather(&arguments, &FILE_FLAGS, 7).unwrap()
}

#[test]
fn agents_run_the_command_line_with_its_files() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let body = std::env::temp_dir().join(format!("bulkhead-body-{}", std::process::id()));
    std::fs::write(&body, b"to be echoed").unwrap();
    let job = gathered(&format!(
        "h2c://{0}/echo --rate 400 --duration 500ms --warmup 0s --connections 4 --json x.json \
         --body @{1} --expect-body @{1}",
        origin.addr(),
        body.display()
    ));
    std::fs::remove_file(&body).unwrap();
    let agents = [agent(), agent()];
    let names = agents.iter().map(|agent| agent.address().to_string()).collect();
    let args = AgentsArgs { agents: names, agent_secret_file: None };
    let (options, _) = agent::plan(&job).unwrap();
    let (load, members) = args.start(&job, options.clone()).unwrap();
    let report = load.finish();
    assert_eq!((report.scheduled, report.ok), (200, 200), "{:?}", report.failure_samples);
    assert_eq!(origin.stats().requests(Endpoint::Echo), 200);
    let document = AgentsDocument::new(&members, options.duration, LIMITS);
    assert!(document.invalid_reasons.is_empty(), "{document:?}");
    assert_eq!(document.agents.iter().map(|agent| agent.ok).collect::<Vec<_>>(), [100, 100]);
    assert!(document.lines()[1].contains(": 100 of 100 ok on 1 threads"), "{document:?}");
}

#[test]
fn what_an_agent_cannot_run_is_told() {
    let (options, _) = agent::plan(&gathered("h2c://127.0.0.1:1/ --rate 1")).unwrap();
    for (line, expected) in [
        ("h2c://127.0.0.1:1/ --rate 1 --nonsense", "unexpected argument '--nonsense'"),
        ("h2c://192.0.2.1:1/ --rate 1", "no target that the agent may load"),
    ] {
        // One each: the first may still be at the end of what it was asked.
        let agents = agent();
        let address = agents.address().to_string();
        let args = AgentsArgs { agents: vec![address], agent_secret_file: None };
        let error = args.start(&gathered(line), options.clone()).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{line}: {error:#}");
    }
}

#[test]
fn each_agent_is_judged_by_itself() {
    let limits = AgentLimits { lag_p99_ms_max: 1.0, cpu_share_max: 0.8 };
    for (p99, cpu_s_max, expected) in [
        (0.2, 5.0, &[][..]),
        (3.0, 5.0, &["agent a:1 was 3.0 ms behind at P99; 1 ms is the limit"]),
        (0.2, 9.0, &["a thread of agent a:1 used 90 % of one core; 80 % is the limit"]),
    ] {
        let report = AgentReport {
            name: "a:1".to_owned(),
            lag_ms: Summary { p99, ..Summary::default() },
            cpu_s_max,
            ..AgentReport::default()
        };
        assert_eq!(reasons(&report, Duration::from_secs(10), limits), expected);
    }
}

#[test]
fn an_agent_that_is_missing_is_told_with_a_remedy() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = AgentsArgs { agents: vec![free.to_string()], agent_secret_file: None };
    let target = bulkhead_load::TargetOptions::new(free, bulkhead_load::Protocol::Http2);
    let arrivals = bulkhead_load::Arrivals::Closed { in_flight: 1, think: Duration::ZERO };
    let options = LoadOptions::new(target, arrivals, Duration::from_secs(1));
    let error = format!("{:#}", args.start(&Job::default(), options).unwrap_err());
    assert!(error.contains("bulkhead load agent") && error.contains(&free.to_string()), "{error}");
}
