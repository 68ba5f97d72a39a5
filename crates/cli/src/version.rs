//! `bulkhead version`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::args::VersionArgs;

/// Commit that was built, if the build says.
const COMMIT: Option<&str> = option_env!("BULKHEAD_COMMIT");

pub(crate) fn execute(args: &VersionArgs) -> Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    let text = if args.json {
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let document = serde_json::json!({
            "name": "bulkhead", "version": version, "commit": COMMIT, "target": target,
        });
        format!("{document:#}")
    } else {
        match COMMIT {
            Some(commit) => format!("bulkhead {version} ({commit})"),
            None => format!("bulkhead {version}"),
        }
    };
    writeln!(io::stdout(), "{text}").context("write the version")?;
    Ok(ExitCode::SUCCESS)
}
