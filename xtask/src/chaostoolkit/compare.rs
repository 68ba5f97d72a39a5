//! Ours beside theirs, class by class.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Class, ours};

/// A case that is not the same.
pub(crate) struct Difference {
    pub(crate) case: String,
    pub(crate) what: String,
}

pub(super) fn all(
    theirs: &Value,
    bulkhead: &Path,
    scratch: &Path,
    corpus: &Path,
    fixtures: &Path,
) -> Result<Vec<Class>> {
    let list = |file: &str| -> Result<Vec<Value>> {
        let text = fs::read_to_string(corpus.join(file))?;
        serde_json::from_str(&text).with_context(|| format!("read {file}"))
    };
    Ok(vec![
        table("tolerances", &list("tolerances.json")?, &theirs["tolerances"], ours::tolerance)?,
        table(
            "substitutions",
            &list("substitutions.json")?,
            &theirs["substitutions"],
            ours::substitution,
        )?,
        valid(&theirs["valid"], fixtures)?,
        runs(&theirs["runs"], bulkhead, scratch, corpus)?,
    ])
}

fn table(
    name: &'static str,
    cases: &[Value],
    theirs: &Value,
    ours: impl Fn(&Value) -> Value,
) -> Result<Class> {
    let theirs = theirs.as_array().context("the driver's answer has no list")?;
    ensure!(theirs.len() == cases.len() && !cases.is_empty(), "cases of {name} were lost");
    let mut differences = Vec::new();
    for (case, their) in cases.iter().zip(theirs) {
        let our = ours(case);
        if our != *their {
            differences.push(Difference {
                case: case.to_string(),
                what: format!("theirs {their}, ours {our}"),
            });
        }
    }
    Ok(Class { name, cases: cases.len(), differences })
}

/// Python's functions cannot be called here: whoever has one runs the file with `chaos run`, and the other
/// way round the package of ours need not be installed there. What is in our extension is nothing to the other.
fn valid(theirs: &Value, fixtures: &Path) -> Result<Class> {
    let theirs = theirs.as_object().context("the driver's answer has no files")?;
    ensure!(!theirs.is_empty(), "there are no fixtures");
    let mut differences = Vec::new();
    let mut cases = 0;
    for (file, their) in theirs {
        let text = fs::read_to_string(fixtures.join(file))?;
        if ["chaosbulkhead", "name: bulkhead"].iter().any(|ours| text.contains(ours)) {
            continue;
        }
        cases += 1;
        let our = json!(ours::valid(&fixtures.join(file))?);
        // What breaks the validation off with an error of Python is not valid either.
        let their = if their.is_string() { &json!(false) } else { their };
        if our != *their {
            let what = format!("theirs {their}, ours {our}");
            differences.push(Difference { case: file.clone(), what });
        }
    }
    Ok(Class { name: "validation", cases, differences })
}

fn runs(theirs: &Value, bulkhead: &Path, scratch: &Path, corpus: &Path) -> Result<Class> {
    let theirs = theirs.as_object().context("the driver's answer has no runs")?;
    ensure!(!theirs.is_empty(), "there are no runs");
    let mut differences = Vec::new();
    for (file, their) in theirs {
        let experiment = corpus.join("runs").join(file);
        let our = ours::journal(bulkhead, &experiment, &scratch.join("ours").join(file))?;
        let (their, our) = (ours::essence(&their["journal"]), ours::essence(&our));
        differences.extend(difference(file, &their, &our));
    }
    Ok(Class { name: "runs", cases: theirs.len(), differences })
}

/// The first part of two journals that is not the same.
pub(super) fn difference(file: &str, their: &Value, our: &Value) -> Option<Difference> {
    let part = their.as_object()?.keys().find(|key| their[key.as_str()] != our[key.as_str()])?;
    let what = format!("{part}: theirs {}, ours {}", their[part.as_str()], our[part.as_str()]);
    Some(Difference { case: file.to_owned(), what })
}
