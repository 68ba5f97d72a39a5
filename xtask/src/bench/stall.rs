//! `cargo xtask bench stall`: are the latencies of `bulkhead load` true? A server stalls once for a
//! known time, so the latencies are known; what `bulkhead load` tells in an open loop is held against
//! them, and beside it what closed loops tell of the same server.

mod plot;
mod server;
mod theory;

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::load::{h2load_latencies_ms, milliseconds, scratch};
use super::machine;
use crate::command::{find_program, output, root, target_directory};
use crate::gateway::build_release;
use crate::markers;
use plot::{Mark, Series};
use server::Server;
use theory::{Experiment, Percentiles};

const EXPERIMENT: Experiment = Experiment {
    requests_per_second: 1_000,
    duration_ms: 10_000,
    connections: 100,
    answer_ms: 10,
    stall_after_ms: 3_000,
    stall_ms: 2_000,
};
/// So many send 1,000 requests per second in a closed loop, as long as nothing stalls.
const CLOSED_CONNECTIONS: u32 = 10;
/// Largest difference between open loop and theory.
const ERROR_MAX: f64 = 0.02;

/// Runs the experiment, tells it, and draws it.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let dry = match arguments {
        [] => false,
        ["--dry"] => true,
        other => bail!("unknown options `{}`", other.join(" ")),
    };
    for (tool, package) in [("wrk", "wrk"), ("h2load", "nghttp2-client")] {
        ensure!(find_program(tool).is_some(), "`{tool}` is missing: install Debian's `{package}`");
    }
    fs::create_dir_all(target_directory().join("bench/run"))
        .context("create the scratch directory")?;
    let open_theory = EXPERIMENT.open_loop();
    let closed_theory = EXPERIMENT.closed_loop(CLOSED_CONNECTIONS);
    let rate = EXPERIMENT.requests_per_second.to_string();
    let open = bulkhead(EXPERIMENT.connections, &["--rate", &rate])?;
    let closed = bulkhead(CLOSED_CONNECTIONS, &["--closed"])?;
    let h2load = h2load()?;
    let wrk = wrk()?;

    let theory = Percentiles::of(&open_theory);
    let rows = [
        ("theory, open loop", theory),
        ("`bulkhead load --rate 1000`", open),
        ("theory, closed loop", Percentiles::of(&closed_theory)),
        ("`bulkhead load --closed --connections 10`", closed),
        ("`h2load --h1 -c10`", h2load),
        ("`wrk -c10`, which corrects", wrk),
    ];
    let error = open.error(&theory);
    let text = table(&rows, error);
    println!("{text}");
    let series = |name, mark, told| Series { name, mark, told, count: closed_theory.len() };
    let picture = plot::svg(
        "A stall of 2 s in 10 s at 1,000 requests/s, and who tells it",
        &open_theory,
        &closed_theory,
        &[
            Series {
                count: open_theory.len(),
                ..series("bulkhead load, open loop", Mark::Circle, open)
            },
            series("h2load, closed loop", Mark::Square, h2load),
            series("wrk, closed loop with its correction", Mark::Triangle, wrk),
        ],
    );
    if dry {
        let path = scratch("load-stall.svg");
        fs::write(&path, picture).context("write the picture")?;
        println!("the picture is {}", path.display());
    } else {
        fs::write(root().join("docs/images/load-stall.svg"), picture)
            .context("write the picture")?;
        markers::write(&root().join("docs/load.md"), "stall", &text)?;
    }
    let verdict = format!("open loop and theory differ by {:.1} % at most", error * 100.0);
    ensure!(error <= ERROR_MAX, "{verdict}; {:.0} % are allowed", ERROR_MAX * 100.0);
    println!("bar met: {verdict}");
    Ok(())
}

fn table(rows: &[(&str, Percentiles)], error: f64) -> String {
    let mut text = format!(
        "`cargo xtask bench stall`, {}, milliseconds:\n\n\
         | | P50 | P90 | P99 | P99.9 | max |\n|---|---|---|---|---|---|\n",
        machine::date()
    );
    for (name, it) in rows {
        let last = it.p999.map_or_else(|| "–".to_owned(), |p999| format!("{p999:.1}"));
        text.push_str(&format!(
            "| {name} | {:.1} | {:.1} | {:.1} | {last} | {:.1} |\n",
            it.p50, it.p90, it.p99, it.max
        ));
    }
    text.push_str(&format!("\nOpen loop and theory differ by {:.1} % at most.\n", error * 100.0));
    text
}

fn seconds() -> String {
    format!("{}s", EXPERIMENT.duration_ms / 1_000)
}

fn bulkhead(connections: u32, pace: &[&str]) -> Result<Percentiles> {
    let program = build_release()?;
    let server = Server::start(&EXPERIMENT)?;
    let account = scratch("stall.json");
    eprintln!("bulkhead load {}", pace.join(" "));
    output(
        Command::new(program)
            .arg("load")
            .arg(format!("http://127.0.0.1:{}/", server.port()))
            .args(pace)
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &seconds(), "--warmup", "0s", "--json"])
            .arg(&account),
    )?;
    let text = fs::read_to_string(&account).context("read the account")?;
    let account: Value = serde_json::from_str(&text).context("read the account")?;
    ensure!(account["requests"]["failed"] == 0, "requests failed: {}", account["errors"]);
    let told = |name: &str| {
        account["latency_ms"][name].as_f64().with_context(|| format!("find {name} in the account"))
    };
    Ok(Percentiles {
        p50: told("p50")?,
        p90: told("p90")?,
        p99: told("p99")?,
        p999: Some(told("p999")?),
        max: told("max")?,
    })
}

fn h2load() -> Result<Percentiles> {
    let server = Server::start(&EXPERIMENT)?;
    let log = scratch("stall.tsv");
    let _absent = fs::remove_file(&log); // h2load appends
    eprintln!("h2load");
    output(
        Command::new("h2load")
            .args(["--h1", "-t1", &format!("-c{CLOSED_CONNECTIONS}"), "-m1"])
            .arg(format!("-D{}", EXPERIMENT.duration_ms / 1_000))
            .arg("--log-file")
            .arg(&log)
            .arg(format!("http://127.0.0.1:{}/", server.port())),
    )?;
    Ok(Percentiles::of(&h2load_latencies_ms(&log)?))
}

/// It adds latencies that it thinks were left out, one for each mean interval of a slow answer.
fn wrk() -> Result<Percentiles> {
    let server = Server::start(&EXPERIMENT)?;
    eprintln!("wrk");
    let text = output(
        Command::new("wrk")
            .args(["-t1", &format!("-c{CLOSED_CONNECTIONS}"), "-d", &seconds(), "--latency"])
            .args(["--timeout", "10s"])
            .arg(format!("http://127.0.0.1:{}/", server.port())),
    )?;
    let after = |name: &str, skipped: usize| {
        let rest = text.lines().find_map(|line| line.trim().strip_prefix(name))?;
        milliseconds(rest.split_whitespace().nth(skipped)?)
    };
    let told = |name: &str, skipped| {
        after(name, skipped).with_context(|| format!("read wrk's {name} in:\n{text}"))
    };
    Ok(Percentiles {
        p50: told("50%", 0)?,
        p90: told("90%", 0)?,
        p99: told("99%", 0)?,
        p999: None,
        // Average and deviation stand before it; "Latency Distribution" comes later.
        max: told("Latency ", 2).or_else(|_| told("Latency", 2))?,
    })
}
