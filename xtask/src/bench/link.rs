//! `cargo xtask bench link`: what the packet box of the chaos lab moves, at what cost, how punctually
//! and how true to what was asked. The bench itself is that of `bulkhead-lab`; this puts its tables into
//! the page.

use anyhow::{Result, bail, ensure};

use super::machine;
use crate::command::{cargo, output, root};
use crate::markers;

pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let dry = match arguments {
        [] => false,
        ["--dry"] => true,
        other => bail!("unknown options `{}`", other.join(" ")),
    };
    let load = machine::load_average();
    let tables = output(cargo().args(["bench", "-q", "-p", "bulkhead-lab", "--bench", "link"]))?;
    ensure!(tables.starts_with("| "), "the bench told no table:\n{tables}");
    let machine = machine::describe();
    let text = format!(
        "`cargo xtask bench link`, {}, {} × {}, Linux {}, load average {load} at the beginning:\n\n{}\n",
        machine::date(),
        machine["cores"],
        machine["cpu"].as_str().unwrap_or("unknown processor"),
        machine["kernel"].as_str().unwrap_or("unknown"),
        tables.trim_end(),
    );
    println!("{text}");
    if dry { Ok(()) } else { markers::write(&root().join("docs/chaos-network.md"), "link", &text) }
}
