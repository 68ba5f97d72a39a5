//! Server names of TLS (RFC 6066 §3) → values: exact names before wildcards, longer wildcards before
//! shorter ones, and one value for whatever is left.

use crate::error::CompileErrorKind;
use crate::host::{Hostname, Hosts};

/// See the module.
#[derive(Clone, Debug)]
pub struct ServerNames<T> {
    /// Hostname → place in `values`.
    hosts: Hosts,
    values: Vec<T>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { hosts: Hosts::default(), values: Vec::new() }
    }
}

impl<T> ServerNames<T> {
    /// Adds a name, exact or `*.suffix`. A name that is there already stays as it is.
    ///
    /// # Errors
    /// It is no hostname.
    pub fn add(&mut self, name: &str, value: T) -> Result<(), CompileErrorKind> {
        self.insert(&Hostname::parse(name)?, value);
        Ok(())
    }

    /// Adds the value for any name, and for clients that ask for none.
    pub fn add_any(&mut self, value: T) {
        self.insert(&Hostname::Any, value);
    }

    fn insert(&mut self, name: &Hostname, value: T) {
        let place = self.values.len();
        if self.hosts.entry(name, || place as u32) as usize == place {
            self.values.push(value);
        }
    }

    /// The value for the name that a client asks for. A wildcard stands for one label or several.
    pub fn find(&self, name: Option<&str>) -> Option<&T> {
        let name = name.unwrap_or_default().as_bytes();
        self.hosts.first(name, |place| self.values.get(place as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_name_wins() {
        let mut names = ServerNames::default();
        for name in ["a.example", "*.example", "*.b.Example"] {
            names.add(name, name).unwrap();
        }
        for (name, expect) in [
            ("a.example", Some("a.example")),
            ("c.example", Some("*.example")),
            ("c.d.example", Some("*.example")),
            ("b.example", Some("*.example")),
            ("c.b.example", Some("*.b.Example")),
            ("example", None),
            ("a.example.org", None),
        ] {
            assert_eq!(names.find(Some(name)).copied(), expect, "{name}");
        }
        assert_eq!(names.find(None), None);
        names.add_any("any");
        assert_eq!(names.find(None), Some(&"any"));
        assert_eq!(names.find(Some("example")), Some(&"any"));
        names.add("a.example", "later").unwrap();
        names.add_any("later");
        assert_eq!(names.find(Some("a.example")), Some(&"a.example"));
        assert_eq!(names.find(None), Some(&"any"));
        assert!(names.add("a b", "never").is_err());
    }
}
