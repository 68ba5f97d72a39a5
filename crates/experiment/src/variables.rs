//! Where the values of configuration and secrets come from: the file, the environment, the command line,
//! other files; and, when the run begins, probes.

use bulkhead_config::Diagnostics;
use serde_json::{Map, Number, Value};

use crate::document::{Syntax, read};
use crate::model::Experiment;
use crate::python;
use crate::substitution::Variables;
use crate::validate::Environment;

/// Values that go before those of the experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Configuration, of which only names count that the experiment has.
    pub configuration: Map<String, Value>,
    /// Secrets, by group.
    pub secrets: Map<String, Value>,
    /// Environment variables, of files that end in neither `.json` nor `.yaml`.
    pub environment: Vec<(String, String)>,
}

/// Why a value cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// An environment variable is not set, and there is no default.
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    /// A text is not of the type that it is to be.
    #[error("the value of `{name}` is not of the type `{kind}`")]
    Kind {
        /// Of the configuration's entry.
        name: String,
        /// As it was asked for.
        kind: String,
    },
    /// It does not read `NAME=VALUE` or `NAME:TYPE=VALUE`.
    #[error("a variable is written NAME=VALUE or NAME:TYPE=VALUE")]
    Form,
}

impl Given {
    /// Adds one of the command line: `name=value` or `name:type=value`.
    ///
    /// # Errors
    /// If it is written otherwise, or the value is not of its type.
    pub fn add(&mut self, text: &str) -> Result<(), VariableError> {
        let (name, value) = text.split_once('=').ok_or(VariableError::Form)?;
        let (name, kind) = name.rsplit_once(':').unwrap_or((name, "str"));
        let value = convert(name, Some(kind), Value::String(value.to_owned()))?;
        self.configuration.insert(name.to_owned(), value);
        Ok(())
    }

    /// Adds those of a file: JSON or YAML with `configuration` and `secrets`, or lines of environment
    /// variables, `NAME=value`.
    ///
    /// # Errors
    /// What is wrong with the file's syntax.
    pub fn add_file(&mut self, text: &str, file: &str) -> Result<(), Diagnostics> {
        let Some(syntax) = Syntax::of(file) else {
            let lines = text.lines().map(str::trim);
            let variables = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
                line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            });
            self.environment.extend(variables);
            return Ok(());
        };
        let needed = "a file of variables has `configuration` or `secrets`";
        let (value, _) = read(text, file, syntax, needed, |root, _| root.to_value())?;
        for (part, into) in
            [("configuration", &mut self.configuration), ("secrets", &mut self.secrets)]
        {
            into.extend(value.get(part).and_then(Value::as_object).cloned().unwrap_or_default());
        }
        Ok(())
    }
}

/// Values that are known before anything was called, and configuration that probes are to bring.
pub(crate) fn load(
    experiment: &Experiment,
    given: &Given,
    environment: &dyn Environment,
) -> Result<(Variables, Vec<(String, Value)>), VariableError> {
    let mut probes = Vec::new();
    let mut configuration = Map::new();
    for (name, declared) in &experiment.configuration {
        let value = given.configuration.get(name).unwrap_or(declared);
        match kind(value) {
            "env" => {
                configuration.insert(name.clone(), from_environment(name, value, environment)?);
            }
            "probe" => probes.push((name.clone(), value.clone())),
            _ => {
                configuration.insert(name.clone(), value.clone());
            }
        }
    }
    let secrets = secrets(&experiment.secrets, Some(&given.secrets), environment)?;
    Ok((Variables { configuration, secrets }, probes))
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn from_environment(
    name: &str,
    value: &Value,
    environment: &dyn Environment,
) -> Result<Value, VariableError> {
    let key = value.get("key").and_then(Value::as_str).unwrap_or_default();
    let found = environment.variable(key).map(Value::String);
    let found = found.or_else(|| value.get("default").cloned());
    let found = found.ok_or_else(|| VariableError::Unset(key.to_owned()))?;
    convert(name, value.get("env_var_type").and_then(Value::as_str), found)
}

fn secrets(
    declared: &Map<String, Value>,
    given: Option<&Map<String, Value>>,
    environment: &dyn Environment,
) -> Result<Map<String, Value>, VariableError> {
    let mut loaded = Map::new();
    for (name, value) in declared {
        let given = given.and_then(|given| given.get(name)).filter(|given| !given.is_null());
        let secret = match (value, given) {
            (Value::Object(_), Some(given)) => given.clone(),
            (Value::Object(_), None) if kind(value) == "env" => {
                from_environment(name, value, environment)?
            }
            (Value::Object(inner), None) => Value::Object(secrets(inner, None, environment)?),
            (plain, _) => plain.clone(),
        };
        loaded.insert(name.clone(), secret);
    }
    Ok(loaded)
}

/// A value as the type that it is to be.
fn convert(name: &str, kind: Option<&str>, value: Value) -> Result<Value, VariableError> {
    let wrong =
        || VariableError::Kind { name: name.to_owned(), kind: kind.unwrap_or("str").to_owned() };
    let text = || python::text(&value).trim().replace('_', "");
    match kind.unwrap_or("str") {
        "str" | "string" | "bytes" => Ok(value),
        "int" | "integer" => match value.as_f64().filter(|_| value.is_f64()) {
            Some(float) if float.abs() < 9e15 => Ok(Value::from(float as i64)),
            _ => text().parse::<i64>().map(Value::from).map_err(|_| wrong()),
        },
        "float" | "number" => {
            let number = text().parse::<f64>().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or_else(wrong)
        }
        "bool" => Ok(Value::Bool(match &value {
            Value::Bool(truth) => *truth,
            other => {
                let lower = python::text(other).to_lowercase();
                !matches!(lower.as_str(), "false" | "0" | "no")
            }
        })),
        "json" => match &value {
            Value::String(json) if !json.is_empty() => {
                serde_json::from_str(json).map_err(|_| wrong())
            }
            _ => Ok(value),
        },
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Given, VariableError, load};
    use crate::document::Syntax;
    use crate::validate::{Environment, parse};

    struct Fake;

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "PORT").then(|| "8080".to_owned())
        }
        fn is_executable(&self, _: &str) -> bool {
            true
        }
    }

    const EXPERIMENT: &str = "
title: t
description: d
configuration:
  plain: text
  port: {type: env, key: PORT, env_var_type: int}
  host: {type: env, key: HOST, default: localhost}
  ratio: {type: env, key: RATIO, default: '0.5', env_var_type: float}
  flag: {type: env, key: FLAG, default: 'No', env_var_type: bool}
  list: {type: env, key: LIST, default: '[1, 2]', env_var_type: json}
  other: {type: vault, key: x}
  later: {type: probe, name: p, provider: {type: http, url: u}}
secrets:
  group: {token: {type: env, key: PORT}, plain: s}
method: []
";

    #[test]
    fn values_come_from_the_file_the_environment_and_the_command_line() {
        let (experiment, _) = parse(EXPERIMENT, "e.yaml", Syntax::Yaml, &Fake).unwrap();
        let mut given = Given::default();
        given.add("plain:int=7").unwrap();
        given.add("unknown=1").unwrap();
        given.add_file("secrets: {group: {token: given}}", "v.yaml").unwrap();
        given.add_file("# comment\nA=b=c\n", "v.env").unwrap();
        assert_eq!(given.environment, [("A".to_owned(), "b=c".to_owned())]);
        let (variables, probes) = load(&experiment, &given, &Fake).unwrap();
        let expected = json!({
            "plain": 7, "port": 8080, "host": "localhost", "ratio": 0.5, "flag": false,
            "list": [1, 2], "other": {"type": "vault", "key": "x"},
        });
        assert_eq!(json!(variables.configuration), expected);
        assert_eq!(json!(variables.secrets), json!({"group": {"token": "given"}}));
        assert_eq!(probes.len(), 1);
        let (variables, _) = load(&experiment, &Given::default(), &Fake).unwrap();
        assert_eq!(json!(variables.secrets), json!({"group": {"token": "8080", "plain": "s"}}));
    }

    #[test]
    fn variables_of_the_command_line_have_types() {
        let mut given = Given::default();
        for text in ["a=1", "b:int=1", "c:float=1", "d:bool=no", "e:json={\"x\": 1}", "f:str=a:b=c"]
        {
            given.add(text).unwrap();
        }
        let expected = json!({"a": "1", "b": 1, "c": 1.0, "d": false, "e": {"x": 1}, "f": "a:b=c"});
        assert_eq!(json!(given.configuration), expected);
        assert_eq!(given.add("a"), Err(VariableError::Form));
        assert!(given.add("a:int=x").is_err());
        assert!(given.add("a:date=x").is_err());
    }
}
