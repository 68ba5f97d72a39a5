//! One file at a time: its name, its module documentation, calls that have a better replacement.

use super::Source;

/// Names that gather what has no home.
const NAMES: [&str; 8] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "types"];

/// Something not to be written, why, and where it is right after all.
struct Ban {
    text: &'static str,
    instead: &'static str,
    allowed: &'static [&'static str],
}

/// The crates that touch the world. All others are told what time it is.
const SHELL: &[&str] = &[
    "crates/gateway/",
    "crates/lab/",
    "crates/load/",
    "crates/origin/",
    "crates/control/",
    "crates/cli/",
    "crates/telemetry/",
    "crates/testkit/",
    "xtask/",
    "bench/",
];

const BANS: [Ban; 9] = [
    Ban { text: "Instant::now()", instead: "take `now` as an argument", allowed: SHELL },
    Ban { text: "SystemTime::now()", instead: "take `now` as an argument", allowed: SHELL },
    Ban { text: "unbounded_channel", instead: "a channel with a named limit", allowed: &[] },
    Ban { text: "mpsc::channel()", instead: "`sync_channel` with a named limit", allowed: &[] },
    Ban { text: "env::set_var", instead: "pass the value: it races", allowed: &[] },
    Ban { text: "process::exit(", instead: "return an ExitCode", allowed: &["crates/cli/"] },
    Ban { text: "todo!(", instead: "finish it", allowed: &[] },
    Ban { text: "unimplemented!(", instead: "finish it", allowed: &[] },
    Ban { text: "dyn Any", instead: "an enum", allowed: &["crates/gateway/"] },
];

/// Beginnings of paths on somebody's own machine.
const LOCAL_PATHS: [&str; 4] = ["/home/", "/root/", "/Users/", "/work/"];

pub(crate) fn check(source: &Source, problems: &mut Vec<String>) {
    let path = &source.path;
    let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or("");
    if NAMES.contains(&stem) {
        problems.push(format!("{path}: `{stem}` says nothing: name the idea that it holds"));
    }
    // The rules' own text and table would trip them.
    if path.starts_with("xtask/src/tidy") {
        return;
    }
    for (number, line) in source.text.lines().enumerate() {
        if LOCAL_PATHS.iter().any(|local| line.contains(local)) {
            problems.push(format!("{path}:{}: a path of somebody's machine", number + 1));
        }
    }
    if source.is_test() {
        return;
    }
    let documented = source.text.lines().find(|line| !line.trim().is_empty());
    if !documented.is_some_and(|line| line.starts_with("//!")) {
        problems.push(format!("{path}: begins without a `//!` that says what it is for"));
    }
    for (number, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for ban in &BANS {
            if code.contains(ban.text) && !ban.allowed.iter().any(|start| path.starts_with(start)) {
                let (text, instead) = (ban.text, ban.instead);
                problems.push(format!("{path}:{}: not `{text}`: {instead}", number + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests;
