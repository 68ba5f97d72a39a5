//! What a process has open, by kind, from `/proc`. It only looks.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use anyhow::{Context as _, Result};

/// State of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Open descriptors by kind: `tcp listening`, `tcp open`, `socket` (of another family, or not
/// connected), `eventpoll`, `eventfd`, `pipe`, `file`, ….
pub(super) type Census = BTreeMap<String, usize>;

/// Counts the descriptors of a process.
pub(super) fn census(process: u32) -> Result<Census> {
    let states = states()?;
    let mut census = Census::new();
    let directory = format!("/proc/{process}/fd");
    for entry in fs::read_dir(&directory).with_context(|| format!("list {directory}"))? {
        // One may be closed while we look.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        *census.entry(kind_of(&target.to_string_lossy(), &states)).or_default() += 1;
    }
    Ok(census)
}

/// Counts the threads of a process, by name without number.
pub(super) fn threads(process: u32) -> Result<Census> {
    let mut census = Census::new();
    for entry in fs::read_dir(format!("/proc/{process}/task")).context("list the threads")? {
        // One may end while we look.
        let Ok(name) = fs::read_to_string(entry?.path().join("comm")) else { continue };
        let name = name.trim_end().trim_end_matches(|letter: char| letter.is_ascii_digit());
        *census.entry(name.trim_end_matches('-').to_owned()).or_default() += 1;
    }
    Ok(census)
}

fn kind_of(target: &str, states: &HashMap<String, String>) -> String {
    if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
        return match states.get(inode).map(String::as_str) {
            Some(LISTEN) => "tcp listening",
            Some(_) => "tcp open",
            None => "socket",
        }
        .to_owned();
    }
    if let Some(name) = target.strip_prefix("anon_inode:") {
        return name.trim_matches(['[', ']']).to_owned();
    }
    if target.starts_with("pipe:") { "pipe" } else { "file" }.to_owned()
}

/// State by inode of every TCP socket here.
fn states() -> Result<HashMap<String, String>> {
    let mut states = HashMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // There may be no IPv6.
        let Ok(text) = fs::read_to_string(table) else { continue };
        states.extend(text.lines().skip(1).filter_map(state));
    }
    Ok(states)
}

fn state(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let state = words.nth(3)?;
    Some((words.nth(5)?.to_owned(), state.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    0 0 44633277 1 0000000000000000 100 0 0 10 0";
        assert_eq!(state(line), Some(("44633277".to_owned(), "0A".to_owned())));
    }

    #[test]
    fn each_kind_of_descriptor_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _other = UnixDatagram::unbound().unwrap();
        // Other tests of this process open and close theirs meanwhile.
        let census = census(std::process::id()).unwrap();
        for kind in ["tcp listening", "tcp open", "socket"] {
            assert!(census.get(kind).is_some_and(|&count| count > 0), "{kind}: {census:?}");
        }
        assert_eq!(kind_of("anon_inode:[eventpoll]", &HashMap::new()), "eventpoll");
        assert_eq!(kind_of("pipe:[7]", &HashMap::new()), "pipe");
        assert_eq!(kind_of("/dev/null", &HashMap::new()), "file");
        assert!(!threads(std::process::id()).unwrap().is_empty());
    }
}
