//! Toxiproxy's own tests of its API, and three of its clients, against `bulkhead chaos toxiproxy`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Outcome, Place};
use crate::command::{find_program, output, run as run_command};
use crate::gateway::Guard;
use crate::go;
use crate::python;

const MODULE: &str = "github.com/Shopify/toxiproxy/v2";
/// Where Toxiproxy's tests look for it.
const PORT: u16 = 8475;
const SUPPORT: &str = include_str!("toxiproxy/support_test.go");
const NODE: &str = include_str!("toxiproxy/node.cjs");
const PYTHON: &str = include_str!("toxiproxy/drive.py");
const PYTHON_PACKAGES: [&str; 5] = [
    "toxiproxy-python",
    "requests",
    "future",
    "chaostoolkit-toxiproxy",
    // The one that runs on older versions of Python as well.
    "chaostoolkit-lib==1.44.*",
];
/// Fewer than this means that the tests were not found.
const CASES_MIN: usize = 30;

/// Runs what the machine has languages for; Go must be there.
pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    let Some(go) = go::find() else {
        return Ok(Outcome::Skipped("there is no Go to run Toxiproxy's tests with"));
    };
    let mut command = Command::new(place.bulkhead()?);
    command.args(["chaos", "toxiproxy", "--listen", &format!("127.0.0.1:{PORT}")]);
    let _server = Guard::start(&command, PORT, &scratch.join("bulkhead.log"))?;

    let (version, tests) = api_tests(&go, scratch).context("Toxiproxy's tests of its API")?;
    let node = node(scratch).context("the client of Node.js")?;
    let python = python(scratch).context("the clients of Python")?;
    println!("toxiproxy: {tests} tests of the API, clients: {node}, {python}");
    Ok(Outcome::Passed(format!(
        "Against `bulkhead chaos toxiproxy`.\n\n| what | checks | failed |\n|---|---|---|\n\
         | `api_test.go` of {MODULE} {version} (Go client) | {tests} | 0 |\n\
         | npm `toxiproxy-node-client` | {node} | 0 |\n\
         | PyPI `toxiproxy-python`, `chaostoolkit-toxiproxy` | {python} | 0 |\n\n\
         The tests of the API run as they are, but for their set-up, which starts a server in their own \
         process.\n"
    )))
}

/// Version of the module, and how many tests passed.
fn api_tests(go: &Path, scratch: &Path) -> Result<(String, usize)> {
    let module = scratch.join("go");
    fs::create_dir_all(&module)?;
    let go = |arguments: &[&str]| {
        let mut command = Command::new(go);
        command.current_dir(&module).env("GOFLAGS", "-mod=mod").args(arguments);
        command
    };
    fs::write(module.join("go.mod"), "module conformance\n\ngo 1.22\n")?;
    run_command(&mut go(&["get", &format!("{MODULE}@latest")]))?;
    let sources = output(&mut go(&["list", "-m", "-f", "{{.Dir}} {{.Version}}", MODULE]))?;
    let (sources, version) = sources.trim().rsplit_once(' ').context("find the module")?;
    let tests = fs::read_to_string(Path::new(sources).join("api_test.go"))?;
    fs::write(module.join("api_test.go"), without_server(&tests)?)?;
    fs::write(module.join("support_test.go"), SUPPORT)?;
    run_command(&mut go(&["mod", "tidy"]))?;
    // The version is set when the program is linked; the test asks the server for the same one.
    let linked = format!("-X {MODULE}.Version={}", version.trim_start_matches('v'));
    let text = output(&mut go(&["test", "-count=1", "-v", "-ldflags", &linked, "."]))?;
    let passed = text.lines().filter(|line| line.starts_with("--- PASS")).count();
    ensure!(passed >= CASES_MIN, "only {passed} tests ran:\n{text}");
    Ok((version.to_owned(), passed))
}

/// The tests without the part that starts a server in their own process.
fn without_server(tests: &str) -> Result<String> {
    let (head, rest) = tests.split_once("var testServer").context("find the test server")?;
    let (_, rest) = rest.split_once("func TestRequestId").context("find the first test")?;
    let unused = ["\"time\"", "client_golang/prometheus\"", "rs/zerolog\""];
    let head: Vec<&str> =
        head.lines().filter(|line| !unused.iter().any(|import| line.contains(import))).collect();
    Ok(format!("{}\n\nfunc TestRequestId{rest}", head.join("\n")))
}

/// How many checks passed, or why none ran.
fn node(scratch: &Path) -> Result<String> {
    let (Some(node), Some(npm)) = (find_program("node"), find_program("npm")) else {
        return Ok("skipped: no Node.js".to_owned());
    };
    let directory = scratch.join("node");
    fs::create_dir_all(&directory)?;
    let mut install = Command::new(npm);
    install.current_dir(&directory).args(["install", "--no-audit", "--no-fund", "--silent"]);
    run_command(install.args(["--prefix", ".", "toxiproxy-node-client@4"]))?;
    let script = directory.join("drive.cjs");
    fs::write(&script, NODE)?;
    let mut command = Command::new(node);
    command.current_dir(&directory).arg(script).arg(format!("http://127.0.0.1:{PORT}"));
    Ok(checks(&mut command)?.to_string())
}

fn python(scratch: &Path) -> Result<String> {
    if find_program("python3").is_none() {
        return Ok("skipped: no Python".to_owned());
    }
    let program = python::environment(&scratch.join("python"), &PYTHON_PACKAGES)?;
    let script = scratch.join("drive.py");
    fs::write(&script, PYTHON)?;
    let mut command = Command::new(program);
    Ok(checks(command.arg(script).args(["127.0.0.1", &PORT.to_string()]))?.to_string())
}

/// Lines that begin with `ok` of a program that must succeed.
fn checks(command: &mut Command) -> Result<usize> {
    let text = output(command)?;
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    ensure!(passed > 0, "the client checked nothing:\n{text}");
    Ok(passed)
}
