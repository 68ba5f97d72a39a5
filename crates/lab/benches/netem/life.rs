//! Whether a netem is there and back: by itself, with the lab killed, with everybody killed. What is
//! there is told by `tc`, which knows nothing of the lab.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bulkhead_chaos::{Caller, EngineOptions, Fault, InjectRequest, Policy, Role, State, Target};
use bulkhead_lab::{
    Bpf, InterfaceInjector, Lab, LabOptions, NetemInjector, NetworkInjector, Nftables, Registry,
    Until,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::site::{Injection, Site, carry_command};

const DELAY: &str = r#"{"delay": {"direction": "upstream", "base_ms": 40}}"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// Faults, and the words of `tc` for them.
const WORDS: [(&str, &str); 9] = [
    (r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#, "loss 12%"),
    (
        r#"{"loss": {"direction": "upstream", "model": {"gilbert_elliott": {"to_bad_percent": 2,
            "to_good_percent": 20, "loss_in_bad_percent": 80, "loss_in_good_percent": 1}}}}"#,
        "loss gemodel p 2% r 20% 1-h 80% 1-k 1%",
    ),
    (DELAY, "delay 40ms"),
    (
        r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 10,
            "distribution": "normal", "reorder": "allow"}}"#,
        "delay 40ms  10ms",
    ),
    (
        r#"{"reorder": {"direction": "upstream", "percent": 5, "hold_back_ms": 20}}"#,
        "delay 20ms reorder 95% gap 1",
    ),
    (r#"{"duplicate": {"direction": "upstream", "percent": 5}}"#, "duplicate 5%"),
    (r#"{"corrupt": {"direction": "upstream", "percent": 5}}"#, "corrupt 5%"),
    (
        r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 10000000,
            "queue_bytes": 150000}}"#,
        "limit 100 rate 10Mbit packetoverhead -14",
    ),
    (r#"{"partition": {"direction": "upstream"}}"#, "loss 100%"),
];

/// Tells what it saw; an error is what was to be otherwise.
type Check = fn(&Site) -> Result<String, String>;

/// All checks, each with whether it passed and what was seen.
pub(crate) fn checks(site: &Site) -> Vec<Value> {
    let checks: [(&str, Check); 8] = [
        ("chosen for what filters cannot do, and named", chosen),
        ("each fault is there as `tc` has it, and back", there_and_back),
        ("a queue of somebody else is refused and left", somebody_elses),
        ("a second one is refused", second),
        ("taken back when its time is over, the lab doing nothing", time_over),
        ("taken back when the lab is killed", lab_killed),
        ("noticed when who takes it back is killed", holder_killed),
        ("taken back by the next lab when both are killed", both_killed),
    ];
    let run = |(name, check): (&str, Check)| {
        let result = check(site);
        let row =
            json!({"name": name, "passed": result.is_ok(), "seen": result.unwrap_or_else(|it| it)});
        println!("{row}");
        row
    };
    checks.map(run).into()
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// That of a pair of veth.
fn is_default(told: &str) -> bool {
    told.starts_with("qdisc noqueue 0:")
}

/// Among all carriers of interfaces, as `bulkhead chaos serve` has them.
fn chosen(site: &Site) -> Result<String, String> {
    let carriers = NetworkInjector::new()
        .with(InterfaceInjector::new(Bpf))
        .with(InterfaceInjector::new(Nftables))
        .with(NetemInjector::new(carry_command()));
    let target = Target::Interface(site.target());
    let injection = Injection::prepare(carriers, DELAY, target, 60).map_err(|it| it.to_string())?;
    let handle = &injection.handle;
    ensure(handle["carrier"] == "netem", || handle.to_string())?;
    let passed_over = handle["passed_over"].as_array().map(Vec::len);
    ensure(passed_over == Some(2), || handle.to_string())?;
    injection.inject();
    let evidence = injection.verify();
    let ended = injection.end();
    ensure(evidence.holds && ended.holds, || format!("{}; {}", evidence.seen, ended.seen))?;
    Ok(evidence.seen)
}

fn there_and_back(site: &Site) -> Result<String, String> {
    for (fault, words) in WORDS {
        let injection = site.prepare(fault, 60).map_err(|it| it.to_string())?;
        ensure(is_default(&site.tc("show", "")), || "prepare changed something".to_owned())?;
        injection.inject();
        let evidence = injection.verify();
        ensure(evidence.holds, || evidence.seen.clone())?;
        let told = site.tc("show", "");
        ensure(told.contains(words), || format!("`{words}` is not in `{told}`"))?;
        let ended = injection.end();
        ensure(ended.holds, || ended.seen.clone())?;
        let told = site.tc("show", "");
        ensure(is_default(&told), || format!("left behind: {told}"))?;
    }
    Ok(format!("{} faults", WORDS.len()))
}

fn somebody_elses(site: &Site) -> Result<String, String> {
    site.tc("add", "root handle 1: pfifo limit 7");
    let refused = site.prepare(DELAY, 60).err().map(|it| it.to_string());
    let told = site.tc("show", "");
    site.tc("del", "root");
    ensure(told.starts_with("qdisc pfifo 1:"), || told.clone())?;
    let refused = refused.ok_or("it was not refused")?;
    ensure(refused.contains("a queue that somebody has put there: pfifo 1:"), || refused.clone())?;
    Ok(refused)
}

fn second(site: &Site) -> Result<String, String> {
    let injection = site.prepare(DELAY, 60).map_err(|it| it.to_string())?;
    injection.inject();
    let refused = site.prepare(DELAY, 60).err().map(|it| it.to_string());
    let ended = injection.end();
    ensure(ended.holds, || ended.seen.clone())?;
    refused.ok_or_else(|| "it was not refused".to_owned())
}

/// Until `tc` sees the default again: how long that took.
fn await_default(site: &Site, since: Instant) -> Result<Duration, String> {
    loop {
        let told = site.tc("show", "");
        if is_default(&told) {
            return Ok(since.elapsed());
        }
        ensure(since.elapsed() < PATIENCE, || format!("still there: {told}"))?;
    }
}

fn time_over(site: &Site) -> Result<String, String> {
    let injection = site.prepare(DELAY, 3).map_err(|it| it.to_string())?;
    let since = Instant::now();
    injection.inject();
    ensure(!is_default(&site.tc("show", "")), || "it was never there".to_owned())?;
    let took = await_default(site, since)?;
    ensure(took > Duration::from_secs(2), || format!("after {took:?} already"))?;
    let ended = injection.end();
    ensure(ended.holds, || ended.seen.clone())?;
    Ok(format!("gone {:.0} ms after it was ordered for 3 s", took.as_secs_f64() * 1e3))
}

fn lab_killed(site: &Site) -> Result<String, String> {
    let directory = Scratch::new("killed");
    let mut lab = start_lab(site, &directory.0)?;
    ensure(!is_default(&site.tc("show", "")), || "it was never there".to_owned())?;
    let since = Instant::now();
    kill(&mut lab);
    let took = await_default(site, since)?;
    Ok(format!("gone {:.0} ms after SIGKILL", took.as_secs_f64() * 1e3))
}

fn holder_killed(site: &Site) -> Result<String, String> {
    let injection = site.prepare(DELAY, 60).map_err(|it| it.to_string())?;
    injection.inject();
    for pid in children(std::process::id()) {
        signal(pid, Signal::KILL);
    }
    let since = Instant::now();
    let mut evidence = injection.verify();
    while evidence.holds && since.elapsed() < PATIENCE {
        evidence = injection.verify();
    }
    let told = site.tc("show", "");
    let ended = injection.end();
    ensure(!evidence.holds, || format!("it went unnoticed: {}", evidence.seen))?;
    ensure(ended.holds && is_default(&site.tc("show", "")), || ended.seen.clone())?;
    ensure(!is_default(&told), || "the kernel has taken it away by itself".to_owned())?;
    Ok(evidence.seen)
}

fn both_killed(site: &Site) -> Result<String, String> {
    let directory = Scratch::new("both");
    let mut lab = start_lab(site, &directory.0)?;
    let holders = children(lab.id());
    // So that it does nothing when the process is gone that takes the netem away.
    signal(lab.id(), Signal::STOP);
    holders.iter().for_each(|pid| signal(*pid, Signal::KILL));
    kill(&mut lab);
    let told = site.tc("show", "");
    ensure(told.contains("qdisc netem"), || format!("nothing was left behind: {told}"))?;
    let next = open_lab(&directory.0);
    let ids: Vec<_> = next.injections(false, 10).iter().map(|it| it.id).collect();
    let states: Vec<State> =
        next.wait(&ids, Until::Ended, PATIENCE).iter().map(|it| it.state).collect();
    ensure(states == [State::Reverted], || format!("{states:?}"))?;
    let told = site.tc("show", "");
    ensure(is_default(&told), || format!("left behind: {told}"))?;
    ensure(next.close(PATIENCE) == 0, || "the lab has something left".to_owned())?;
    Ok("left behind with everybody killed; the next lab took it back by its journal".to_owned())
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("bulkhead-netem-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open_lab(directory: &Path) -> Lab {
    let carriers = NetworkInjector::new().with(NetemInjector::new(carry_command()));
    let options = LabOptions {
        directory: directory.to_owned(),
        // An emulated processor is slow.
        engine: EngineOptions { overall_ms: 20_000, ..EngineOptions::default() },
        policy: Policy::default(),
        seed: 1,
    };
    Lab::open(options, Registry::new().with(carriers)).unwrap()
}

/// In a process of its own: a lab that injects one fault, and is killed.
pub(crate) fn be_lab(directory: PathBuf, request: &str) {
    let request: InjectRequest = serde_json::from_str(request).unwrap();
    let lab = open_lab(&directory);
    let caller = Caller { name: "ann".to_owned(), role: Role::Operator };
    let ordered = lab.order(&caller, &request).unwrap();
    let injected = lab.wait(&ordered.ids, Until::Settled, PATIENCE).remove(0);
    println!("state {}", injected.state);
    std::io::stdin().lines().for_each(drop);
}

/// Its fault is in force.
fn start_lab(site: &Site, directory: &Path) -> Result<Child, String> {
    let fault = Fault::Network(serde_json::from_str(DELAY).unwrap());
    let request = InjectRequest::new(fault, Target::Interface(site.target()));
    let mut lab = Command::new(std::env::current_exe().unwrap())
        .arg("lab")
        .arg(directory)
        .arg(serde_json::to_string(&request).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    let state =
        lines.map_while(Result::ok).find_map(|it| it.strip_prefix("state ").map(str::to_owned));
    if state.as_deref() == Some("active") {
        return Ok(lab);
    }
    kill(&mut lab);
    Err(format!("the lab says {state:?}"))
}

fn kill(lab: &mut Child) {
    lab.kill().unwrap();
    lab.wait().unwrap();
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let behind = stat.rsplit(") ").next().unwrap_or_default().to_owned();
        behind.split(' ').nth(1) == Some(parent.to_string().as_str())
    };
    pids.filter(is_child).collect()
}
