//! Server names of TLS (RFC 6066 §3) → values: exact names before wildcards, longer wildcards before
//! shorter ones, and one value for whatever is left.

use std::collections::HashMap;

/// See the module. Names are in lower case, on both sides.
#[derive(Clone, Debug)]
pub struct ServerNames<T> {
    exact: HashMap<String, T>,
    /// By what follows `*.`.
    wildcards: HashMap<String, T>,
    any: Option<T>,
}

impl<T> Default for ServerNames<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcards: HashMap::new(), any: None }
    }
}

impl<T> ServerNames<T> {
    /// Adds a name, exact or `*.suffix`. A name that is there already stays as it is.
    pub fn add(&mut self, name: &str, value: T) {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(suffix) => self.wildcards.entry(suffix.to_owned()).or_insert(value),
            None => self.exact.entry(name).or_insert(value),
        };
    }

    /// Adds the value for any name, and for clients that ask for none.
    pub fn add_any(&mut self, value: T) {
        self.any.get_or_insert(value);
    }

    /// The value for the name that a client asks for. A wildcard stands for one label or several.
    pub fn find(&self, name: Option<&str>) -> Option<&T> {
        name.and_then(|name| self.named(name)).or(self.any.as_ref())
    }

    fn named(&self, name: &str) -> Option<&T> {
        if let Some(found) = self.exact.get(name) {
            return Some(found);
        }
        let mut rest = name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.wildcards.get(suffix) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_name_wins() {
        let mut names = ServerNames::default();
        for name in ["a.example", "*.example", "*.b.Example"] {
            names.add(name, name);
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
    }
}
