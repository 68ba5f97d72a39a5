//! Experiments whose faults a real lab carries out at a real gateway and its origins: by the `chaos`
//! command with our package, and by `bulkhead chaos run`.
//!
//! They say the same if status, deviation, all steady states, the outcome of every activity and the
//! roll-backs are the same, every fault that could was seen in force, and neither leaves anything behind.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::compare::{Difference, difference};
use super::{Class, ours};
use crate::command::{output, root, run};
use crate::gateway::{Guard, admin_page, free_port};

/// The subject of the example, with other ports.
const GATEWAY: &str = include_str!("../../../examples/chaos/gateway.yaml");
/// Machines are busy: the attempts of the lab have time.
const ENGINE: &str = r#"{"overall_ms": 10000}"#;
const PACKAGE: &str = "integrations/chaostoolkit-bulkhead";

/// Runs each experiment of `corpus/lab` both ways, one after the other, at one lab.
pub(super) fn faults(
    python: &Path,
    bulkhead: &Path,
    scratch: &Path,
    corpus: &Path,
) -> Result<Class> {
    install(python, scratch)?;
    let scratch = scratch.join("lab");
    let _nothing_there = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch)?;
    let site = Site::start(bulkhead, &scratch)?;
    let mut experiments = Vec::new();
    for entry in fs::read_dir(corpus.join("lab"))? {
        experiments.push(entry?.path());
    }
    experiments.sort();
    ensure!(!experiments.is_empty(), "there are no experiments for a lab");
    let mut differences = Vec::new();
    for experiment in &experiments {
        let file = experiment.file_name().unwrap_or_default().to_string_lossy();
        let mut told = |what| differences.push(Difference { case: file.to_string(), what });
        let mut essences = Vec::new();
        for (who, command) in [("theirs", theirs(python)?), ("ours", our(bulkhead, experiment)?)] {
            let journal = site.journal(command, experiment, &scratch.join(who).join(&*file))?;
            if let Some(left) = site.left_behind()? {
                told(format!("{who} leaves behind: {left}"));
            }
            if let Some(missing) = not_in_force(&journal) {
                told(format!("{who}: {missing}"));
            }
            essences.push(ours::essence(&states_only(journal)));
        }
        if let [their, our] = &essences[..]
            && let Some(difference) = difference(&file, their, our)
        {
            differences.push(difference);
        }
    }
    Ok(Class { name: "runs with faults of a lab", cases: experiments.len(), differences })
}

/// Installs our package as users do; from a copy, since its build leaves files beside its sources.
fn install(python: &Path, scratch: &Path) -> Result<()> {
    let copy = scratch.join("package");
    let _nothing_there = fs::remove_dir_all(&copy);
    for directory in ["", "chaosbulkhead"] {
        fs::create_dir_all(copy.join(directory))?;
        for entry in fs::read_dir(root().join(PACKAGE).join(directory))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), copy.join(directory).join(entry.file_name()))?;
            }
        }
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]);
    // What it needs is there already, and an older state of it is no matter.
    pip.args(["--no-build-isolation", "--no-deps", "--force-reinstall"]).arg(&copy);
    run(&mut pip).context("install chaostoolkit-bulkhead")
}

fn theirs(python: &Path) -> Result<Command> {
    let chaos = python.parent().context("Python has no directory")?.join("chaos");
    // Its first line names the directory in which the environment was made.
    let mut command = Command::new(python);
    command.arg(chaos).args(["--settings", "settings.yaml", "--no-version-check"]).arg("run");
    Ok(command)
}

fn our(bulkhead: &Path, experiment: &Path) -> Result<Command> {
    let mut command = Command::new(bulkhead);
    command.args(["chaos", "run"]).args(ours::default_strategy(experiment)?);
    Ok(command)
}

/// A lab, a gateway and its two origins, each a process of its own that ends with this value.
struct Site {
    lab: String,
    web: SocketAddr,
    admin: SocketAddr,
    origin: SocketAddr,
    bulkhead: PathBuf,
    stoppable: Guard,
    _others: [Guard; 3],
}

impl Site {
    fn start(bulkhead: &Path, scratch: &Path) -> Result<Self> {
        let local = || Ok::<_, anyhow::Error>(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let (web, admin, origin, other, lab) = (local()?, local()?, local()?, local()?, local()?);
        let start_origin = |address: SocketAddr, name: &str| {
            let mut command = Command::new(bulkhead);
            command.args(["origin", "--listen"]).arg(address.to_string());
            Guard::start(&command, address.port(), &scratch.join(name))
        };
        let stoppable = start_origin(origin, "origin.log")?;
        let second = start_origin(other, "other.log")?;
        let configuration = [
            ("127.0.0.1:9901", admin),
            ("127.0.0.1:8080", web),
            ("127.0.0.1:9001", origin),
            ("127.0.0.1:9002", other),
        ]
        .into_iter()
        .fold(GATEWAY.to_owned(), |text, (old, new)| text.replace(old, &new.to_string()));
        fs::write(scratch.join("gateway.yaml"), configuration)?;
        let mut command = Command::new(bulkhead);
        command.args(["run", "--allow-faults", "--config"]).arg(scratch.join("gateway.yaml"));
        let gateway = Guard::start(&command, web.port(), &scratch.join("gateway.log"))?;
        fs::write(scratch.join("engine.json"), ENGINE)?;
        let mut command = Command::new(bulkhead);
        command.args(["chaos", "serve", "--listen", &lab.to_string()]);
        command.arg("--state").arg(scratch.join("state"));
        command.arg("--engine").arg(scratch.join("engine.json"));
        let serving = Guard::start(&command, lab.port(), &scratch.join("lab.log"))?;
        Ok(Self {
            lab: format!("http://{lab}"),
            web,
            admin,
            origin,
            bulkhead: bulkhead.to_owned(),
            stoppable,
            _others: [serving, gateway, second],
        })
    }

    /// Runs an experiment and reads its journal.
    fn journal(&self, mut command: Command, experiment: &Path, directory: &Path) -> Result<Value> {
        fs::create_dir_all(directory)?;
        let log = fs::File::create(directory.join("log"))?;
        let status = command
            .arg(experiment)
            .current_dir(directory)
            .env("BULKHEAD_LAB", &self.lab)
            .env("BULKHEAD_TEST_GATEWAY", format!("http://{}", self.web))
            .env("BULKHEAD_TEST_ADMIN", self.admin.to_string())
            .env("BULKHEAD_TEST_ORIGIN_PORT", self.origin.port().to_string())
            .env("BULKHEAD_TEST_ORIGIN_PID", self.stoppable.id().to_string())
            .env_remove("BULKHEAD_LAB_TOKEN")
            .env_remove("PYTHONPATH")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("run an experiment")?;
        let text = fs::read_to_string(directory.join("journal.json"))
            .with_context(|| format!("{status}, and no journal in {}", directory.display()))?;
        serde_json::from_str(&text).context("read the journal")
    }

    /// What is still in force: as the lab says, and by looks of our own at the process and the gateway.
    fn left_behind(&self) -> Result<Option<String>> {
        let mut command = Command::new(&self.bulkhead);
        command.args(["chaos", "status", "--json", "--lab", &self.lab]);
        let status: Value = serde_json::from_str(&output(&mut command)?)?;
        if status["live"] != json!([]) {
            return Ok(Some(format!("the lab has {}", status["live"])));
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.stoppable.id()))?;
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if state == Some('T') {
            return Ok(Some("the origin is stopped".to_owned()));
        }
        let faults = admin_page(self.admin.port(), "/faults")?;
        ensure!(
            faults.starts_with("HTTP/1.1 200 "),
            "the gateway does not tell its faults: {faults}"
        );
        let active = faults.replace(' ', "").contains(r#""state":"active""#);
        Ok(active.then(|| format!("the gateway has {faults}")))
    }
}

/// Of what functions of our package returned, states are to be the same: ids and times are not.
fn states_only(mut journal: Value) -> Value {
    let strip = |record: &mut Value| {
        if record["activity"]["provider"]["type"] == "python" {
            strip_output(&mut record["output"]);
        }
    };
    for list in ["run", "rollbacks"] {
        journal[list].as_array_mut().into_iter().flatten().for_each(strip);
    }
    journal
}

fn strip_output(output: &mut Value) {
    match output {
        Value::Array(list) => list.iter_mut().for_each(strip_output),
        Value::Object(members) => members.retain(|key, _| key == "state"),
        _ => {}
    }
}

/// The first fault that was injected, so the journal says, and not seen in force.
fn not_in_force(journal: &Value) -> Option<String> {
    let records = journal["run"].as_array().into_iter().flatten();
    let injected = records.filter(|record| {
        record["activity"]["provider"]["func"] == "inject" && record["status"] == "succeeded"
    });
    injected
        .filter(|record| record["output"]["state"] != "active")
        .map(|record| format!("{} was not in force", record["activity"]["name"]))
        .next()
}
