//! How to make the same run again.

use std::time::{SystemTime, UNIX_EPOCH};

/// What a reader needs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The whole command line, as a shell reads it.
    pub(crate) command: String,
    /// Of this program.
    pub(crate) version: String,
    /// When the run ended, in seconds since 1970.
    pub(crate) ended_unix_s: u64,
}

impl Provenance {
    /// Of a run that has ended now; `arguments` are those of the process without its name. A seed that
    /// was drawn is added to them.
    pub(crate) fn new(arguments: impl Iterator<Item = String>, seed: u64) -> Self {
        let arguments: Vec<String> = arguments.collect();
        let seeded = |word: &String| word == "--seed" || word.starts_with("--seed=");
        let mut command = "bulkhead".to_owned();
        for word in &arguments {
            command.push(' ');
            command += &quoted(word);
        }
        if !arguments.iter().any(seeded) {
            command += &format!(" --seed {seed}");
        }
        let commit = option_env!("BULKHEAD_COMMIT").unwrap_or("unknown");
        let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            command,
            version: format!("{} (commit {commit})", env!("CARGO_PKG_VERSION")),
            ended_unix_s: ended.as_secs(),
        }
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::Provenance;

    #[test]
    fn a_shell_reads_the_command_as_it_was_given() {
        let command = |words: &[&str]| {
            Provenance::new(words.iter().map(|word| (*word).to_owned()), 7).command
        };
        assert_eq!(
            command(&["load", "http://a/{u:uniform(1,9)}", "--assert", "p99<10ms"]),
            "bulkhead load 'http://a/{u:uniform(1,9)}' --assert 'p99<10ms' --seed 7"
        );
        assert_eq!(command(&["--body", "it's", "--seed=3"]), r"bulkhead --body 'it'\''s' --seed=3");
        assert_eq!(command(&["", "--seed", "3"]), "bulkhead '' --seed 3");
    }
}
