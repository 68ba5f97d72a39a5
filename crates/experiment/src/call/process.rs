//! Programs, called as Chaos Toolkit calls them: a list of arguments is passed as it is, a text goes
//! through the shell.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::seconds;
use crate::python;
use crate::substitution::Variables;

/// How long a program may take that says nothing about it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(86_400);

/// A program that is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessCall {
    /// Name or path.
    pub path: String,
    /// What it is given.
    pub arguments: Arguments,
    /// How long it may take.
    pub timeout: Duration,
}

/// Arguments of a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// One by one.
    List(Vec<String>),
    /// What the shell reads behind the path.
    Shell(String),
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessReply {
    /// Exit status; of a signal its number, negative.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl ProcessCall {
    pub(super) fn of(provider: &Value, variables: &Variables) -> Result<Self, String> {
        let get = |key: &str| provider.get(key).unwrap_or(&Value::Null);
        let arguments = match variables.substitute_if_any(get("arguments")) {
            Value::String(text) if !text.is_empty() || get("arguments").is_string() => {
                Arguments::Shell(text)
            }
            Value::Array(items) => Arguments::List(words(items.iter())),
            Value::Object(members) => {
                let pairs: Vec<Value> = members
                    .into_iter()
                    .flat_map(|(name, value)| [Value::String(name), value])
                    .collect();
                Arguments::List(words(pairs.iter()))
            }
            Value::Null => Arguments::List(Vec::new()),
            other => return Err(format!("{other} are no arguments: give a list or a text")),
        };
        let timeout = match get("timeout") {
            Value::Null => TIMEOUT_DEFAULT,
            given => seconds(given)?,
        };
        Ok(Self { path: python::text(get("path")), arguments, timeout })
    }
}

/// What is nothing is left out.
fn words<'v>(items: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let given = items.filter(|item| !item.is_null() && item.as_str() != Some(""));
    given.map(python::text).collect()
}

impl ProcessReply {
    /// `{status, stdout, stderr}`.
    pub(super) fn output(self) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        json!({
            "status": self.status,
            "stdout": text(&self.stdout),
            "stderr": text(&self.stderr),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Arguments, ProcessCall};
    use crate::substitution::Variables;

    #[test]
    fn arguments_are_words_or_a_text_for_the_shell() {
        let mut variables = Variables::default();
        variables.configuration.insert("n".to_owned(), json!(5));
        let call = |arguments| {
            let provider = json!({"path": "p", "arguments": arguments});
            ProcessCall::of(&provider, &variables).unwrap().arguments
        };
        let list =
            |words: &[&str]| Arguments::List(words.iter().map(|w| (*w).to_owned()).collect());
        assert_eq!(call(json!(["-n", "${n}", "", null, true])), list(&["-n", "5", "True"]));
        assert_eq!(call(json!({"-n": "${n}"})), list(&["-n", "5"]));
        assert_eq!(call(json!("-n ${n} | cat")), Arguments::Shell("-n 5 | cat".to_owned()));
        assert_eq!(call(json!(null)), list(&[]));
    }
}
