//! Puts the commit into the binary, so that a report says what it was made with.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=BULKHEAD_COMMIT");
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/refs/heads");
    if std::env::var_os("BULKHEAD_COMMIT").is_some() {
        return;
    }
    // Outside a checkout, or without git, the commit stays unknown.
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Ok(output) = git
        && output.status.success()
        && let Ok(commit) = String::from_utf8(output.stdout)
    {
        println!("cargo::rustc-env=BULKHEAD_COMMIT={}", commit.trim());
    }
}
