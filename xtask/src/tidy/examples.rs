//! Every example is there for a reason that it states; that they run is shown by tests of their own.

use std::fs;

use anyhow::{Context as _, Result};

use crate::command::root;

pub(crate) fn check(problems: &mut Vec<String>) -> Result<()> {
    let directory = root().join("examples");
    let mut count = 0;
    for entry in fs::read_dir(&directory).context("list the examples")? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let text = fs::read_to_string(&path).context("read an example")?;
        if !text.starts_with('#') {
            problems
                .push(format!("{}: begins without a comment saying what it shows", path.display()));
        }
    }
    if count == 0 {
        problems.push("examples: there are none".to_owned());
    }
    Ok(())
}
