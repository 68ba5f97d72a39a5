//! The audit log as text: who did what to what, with which seed and rules. Each line holds the hash
//! of the line before, so that no line can be changed, taken out or put in without all later hashes
//! being wrong. Lines cut off at the end show only against a hash that was kept elsewhere.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands for the hash of the line before the first.
pub const AUDIT_GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Ascending from 1, without gaps.
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Who.
    pub actor: String,
    /// What: `inject`, `refused`, `active`, `lever`, ….
    pub action: String,
    /// On what, with which seed and rules.
    pub detail: Value,
    /// Hash of the line before.
    pub previous: String,
    /// SHA-256 over the line as it would be without this field, in hexadecimal digits. It is the last
    /// field, and the text is hashed as it stands, so that nothing depends on how JSON is written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// The end of a chain, to which entries are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditHead {
    /// Entries so far.
    pub entries: u64,
    /// Hash of the last.
    pub hash: String,
}

/// What is wrong with an audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Not a line of an audit log.
    #[error("line {0} is no entry of an audit log")]
    NoEntry(usize),
    /// The entry is not what it was when it was written.
    #[error("line {0} was changed: its hash is not that of its content")]
    Changed(usize),
    /// Something is missing before it, or was put in, or the order was changed.
    #[error("line {0} does not follow the line before it")]
    Unchained(usize),
    /// The expected hash is at no place of the log.
    #[error("no line has the hash {0}: lines were cut off at the end, or it is another log")]
    HeadMissing(String),
}

impl Default for AuditHead {
    fn default() -> Self {
        Self { entries: 0, hash: AUDIT_GENESIS.to_owned() }
    }
}

impl AuditHead {
    /// The next line, with its line break.
    ///
    /// # Errors
    /// If the detail cannot be JSON.
    pub fn append(
        &mut self,
        unix_ms: u64,
        actor: &str,
        action: &str,
        detail: Value,
    ) -> serde_json::Result<String> {
        let mut entry = AuditEntry {
            sequence: self.entries + 1,
            unix_ms,
            actor: actor.to_owned(),
            action: action.to_owned(),
            detail,
            previous: self.hash.clone(),
            hash: String::new(),
        };
        let content = serde_json::to_string(&entry)?;
        entry.hash = hex_digest(content.as_bytes());
        let line = with_hash(&content, &entry.hash) + "\n";
        self.entries = entry.sequence;
        self.hash = entry.hash;
        Ok(line)
    }

    /// Checks a whole log. `expected`: a hash that must be in it, kept from an earlier time.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(text: &str, expected: Option<&str>) -> Result<Self, AuditError> {
        let mut head = Self::default();
        let mut found = expected.is_none_or(|hash| hash == AUDIT_GENESIS);
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let entry: AuditEntry =
                serde_json::from_str(line).map_err(|_| AuditError::NoEntry(line_number))?;
            let hash = entry.hash;
            let content = line
                .strip_suffix(&with_hash("}", &hash))
                .ok_or(AuditError::NoEntry(line_number))?;
            if hex_digest(format!("{content}}}").as_bytes()) != hash {
                return Err(AuditError::Changed(line_number));
            }
            if entry.previous != head.hash || entry.sequence != head.entries + 1 {
                return Err(AuditError::Unchained(line_number));
            }
            head = Self { entries: entry.sequence, hash };
            found |= expected == Some(head.hash.as_str());
        }
        if found { Ok(head) } else { Err(AuditError::HeadMissing(expected.unwrap_or("").into())) }
    }
}

/// `content`, an object of JSON, with the hash as its last field.
fn with_hash(content: &str, hash: &str) -> String {
    let open = content.strip_suffix('}').unwrap_or(content);
    format!("{open},\"hash\":\"{hash}\"}}")
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
