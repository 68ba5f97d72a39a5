//! Targets as people name them. A process is found by its number, its file, its program or its port when it
//! is ordered; from then on it is the one with that start time, and no later one.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{InterfaceTarget, Target};

/// A target, or how to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedTarget {
    /// As [`Target::Gateway`].
    Gateway {
        /// Admin server.
        admin: SocketAddr,
    },
    /// A process.
    Process(ProcessName),
    /// As [`Target::Link`].
    Link {
        /// The name.
        name: String,
    },
    /// As [`Target::Interface`].
    Interface(InterfaceTarget),
    /// As [`Target::Host`].
    Host,
}

/// What a process is found by. All that is given must fit, and one process alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessName {
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Field 22 of `/proc/PID/stat`; only beside `pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<u64>,
    /// A file that holds its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_file: Option<PathBuf>,
    /// File name of its program, or what it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A TCP port that it listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl ProcessName {
    /// Whether it names anything.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self) -> Result<(), &'static str> {
        let Self { pid, start_time, pid_file, command, port } = self;
        if pid.is_none() && pid_file.is_none() && command.is_none() && port.is_none() {
            return Err("a process is named by `pid`, `pid_file`, `command` or `port`");
        }
        if start_time.is_some() && pid.is_none() {
            return Err("`start_time` belongs to a `pid`");
        }
        if command.as_ref().is_some_and(String::is_empty) {
            return Err("`command` is the name of a program");
        }
        Ok(())
    }
}

impl NamedTarget {
    /// The target, if nothing is to be found; else by what.
    ///
    /// # Errors
    /// By what it is to be found.
    pub fn exact(&self) -> Result<Target, &ProcessName> {
        Ok(match self {
            Self::Gateway { admin } => Target::Gateway { admin: *admin },
            Self::Link { name } => Target::Link { name: name.clone() },
            Self::Interface(interface) => Target::Interface(interface.clone()),
            Self::Host => Target::Host,
            Self::Process(name) => match name {
                ProcessName {
                    pid: Some(pid),
                    start_time: Some(start_time),
                    pid_file: None,
                    command: None,
                    port: None,
                } => Target::Process { pid: *pid, start_time: *start_time },
                name => return Err(name),
            },
        })
    }
}

impl From<Target> for NamedTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Gateway { admin } => Self::Gateway { admin },
            Target::Link { name } => Self::Link { name },
            Target::Interface(interface) => Self::Interface(interface),
            Target::Host => Self::Host,
            Target::Process { pid, start_time } => Self::Process(ProcessName {
                pid: Some(pid),
                start_time: Some(start_time),
                ..ProcessName::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_exact_is_the_same_either_way() {
        for target in [
            json!({"gateway": {"admin": "127.0.0.1:1"}}),
            json!({"process": {"pid": 7, "start_time": 9}}),
            json!({"link": {"name": "a"}}),
            json!({"interface": {"name": "lo", "carrier": "auto"}}),
            json!("host"),
        ] {
            let exact: Target = serde_json::from_value(target.clone()).unwrap();
            let named: NamedTarget = serde_json::from_value(target.clone()).unwrap();
            assert_eq!(named.exact(), Ok(exact.clone()), "{target}");
            assert_eq!(NamedTarget::from(exact), named);
            assert_eq!(serde_json::to_value(named).unwrap(), target);
        }
    }

    #[test]
    fn a_process_is_named_by_something() {
        let read =
            |name: serde_json::Value| -> ProcessName { serde_json::from_value(name).unwrap() };
        for (name, fits) in [
            (json!({"pid": 7}), true),
            (json!({"pid_file": "/run/a.pid", "command": "a"}), true),
            (json!({"port": 80}), true),
            (json!({"pid": 7, "start_time": 9, "command": "a"}), true),
            (json!({}), false),
            (json!({"start_time": 9}), false),
            (json!({"port": 80, "start_time": 9}), false),
            (json!({"command": ""}), false),
        ] {
            let read = read(name.clone());
            assert_eq!(read.check().is_ok(), fits, "{name}");
            assert!(NamedTarget::Process(read).exact().is_err(), "it is to be looked for: {name}");
        }
        assert!(serde_json::from_value::<ProcessName>(json!({"pdi": 7})).is_err());
    }
}
