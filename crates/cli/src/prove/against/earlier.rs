//! Rows of earlier pieces of a comparison, which a run takes into its report.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum as _;
use serde::Deserialize;

use super::{PeerName, PeerResult};
use crate::prove::plan::Plan;

/// What is read of the JSON of an earlier run, or of a piece of one.
#[derive(Debug, Deserialize)]
struct Piece {
    storm: String,
    against: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    result: PeerResult,
}

impl Row {
    /// With its name, if it is one that we know.
    fn known(self) -> Result<PeerResult, String> {
        let name = PeerName::from_str(&self.name, false)?.name();
        Ok(PeerResult { name, ..self.result })
    }
}

/// The rows in these files, in their order.
///
/// # Errors
/// A file cannot be read, is of another storm, or tells of a peer that another one tells of too, or that
/// this run has itself.
pub(crate) fn read(files: &[PathBuf], plan: &Plan) -> anyhow::Result<Vec<PeerResult>> {
    let mut rows: Vec<PeerResult> = Vec::new();
    for file in files {
        let name = file.display();
        let text = fs::read(file).with_context(|| format!("read {name}"))?;
        let piece: Piece = serde_json::from_slice(&text)
            .with_context(|| format!("{name} is no --json of prove with rows of others"))?;
        let own = plan.storm();
        ensure!(
            piece.storm == own,
            "{name} is of another storm: its rows would stand beside figures that they cannot be compared \
             with\n  there: {}\n  here:  {own}",
            piece.storm
        );
        for row in piece.against {
            let row =
                row.known().map_err(anyhow::Error::msg).with_context(|| format!("read {name}"))?;
            let is_twice = rows.iter().any(|it| it.name == row.name)
                || plan.against.iter().any(|it| it.name() == row.name);
            ensure!(!is_twice, "{name} has a row of {}, and there is another one", row.name);
            rows.push(row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use bulkhead_testkit::Scratch;
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::prove::args::ProveArgs;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ProveArgs,
    }

    fn plan(flags: &str) -> Plan {
        let words = std::iter::once("prove").chain(flags.split_whitespace());
        Plan::resolve(&Line::try_parse_from(words).unwrap().args).unwrap()
    }

    #[test]
    fn rows_of_the_same_storm_are_taken_and_others_refused() {
        let scratch = Scratch::new();
        let storm = plan("--rate 100 --seed 1 --against go");
        let row = |name: &'static str| PeerResult { name, p99_ms: 2.5, ..PeerResult::default() };
        let write = |file: &str, storm: &str, rows: &[PeerResult]| {
            scratch.write(file, json!({"schema": 1, "storm": storm, "against": rows}).to_string())
        };
        let one = write("one.json", &storm.storm(), &[row("nginx"), row("envoy")]);
        let two = write("two.json", &storm.storm(), &[row("haproxy")]);
        let rows = read(&[one.clone(), two], &storm).unwrap();
        assert_eq!(rows, [row("nginx"), row("envoy"), row("haproxy")]);
        // What is run here is no matter, what is asked of the storm is.
        assert_eq!(
            read(std::slice::from_ref(&one), &plan("--rate 100 --seed 1")).unwrap().len(),
            2
        );
        for other in [
            "--rate 101 --seed 1",
            "--rate 100 --seed 2",
            "--rate 100 --seed 1 --duration 21s",
            "--rate 100 --seed 1 --link client",
            "--rate 100 --seed 1 --profile soak",
        ] {
            let error = read(std::slice::from_ref(&one), &plan(other)).unwrap_err().to_string();
            assert!(error.contains("another storm"), "{other}: {error}");
        }
        let own = write("own.json", &storm.storm(), &[row("go")]);
        for twice in [&[own][..], &[one.clone(), one]] {
            let error = read(twice, &storm).unwrap_err().to_string();
            assert!(error.contains("there is another one"), "{error}");
        }
        let odd = write("odd.json", &storm.storm(), &[row("caddy")]);
        assert!(read(&[odd], &storm).is_err());
    }
}
