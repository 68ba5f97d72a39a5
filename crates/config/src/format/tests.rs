use std::collections::{BTreeMap, HashSet};

use super::{Rule, visit_tables};
use crate::model::{Cluster, Ejection, Limits, Protocol, RetryPolicy, RouteTimeouts};

/// Whoever builds a configuration without a file gets what a file without the keys gives.
#[test]
fn declared_defaults_are_those_of_the_model() {
    let text = "listeners: [{address: '127.0.0.1:0'}]\n\
                routes: [{backends: [a], retry: {}}]\n\
                clusters: {a: {endpoints: ['a:1']}}\n";
    let config = crate::parse(text, "a.yaml").unwrap().config;
    let route = &config.routes[0];
    let cluster = &config.clusters["a"];
    assert_eq!(config.limits, Limits::default());
    assert_eq!(route.timeouts, RouteTimeouts::default());
    assert_eq!(route.retry, Some(RetryPolicy::default()));
    assert_eq!(cluster.ejection, Some(Ejection::default()));
    assert_eq!(*cluster, Cluster::new("a", cluster.endpoints.clone(), Protocol::Http1));
}

#[test]
fn declarations_are_sound() {
    let mut names: BTreeMap<&str, *const super::Table> = BTreeMap::new();
    visit_tables(&crate::format::FILE, &mut |path, table| {
        let first = *names.entry(table.name).or_insert(table);
        assert!(std::ptr::eq(first, table), "two tables are called {}", table.name);
        let mut keys = HashSet::new();
        for key in table.keys {
            assert!(keys.insert(key.name), "{path}: {} is declared twice", key.name);
            assert!(key.about.ends_with('.'), "{path}.{}: not a sentence", key.name);
        }
        for rule in table.rules {
            let (Rule::ExactlyOne(rule) | Rule::AtLeastOne(rule)) = rule;
            assert!(rule.iter().all(|name| keys.contains(name)), "{path}: {rule:?}");
        }
        for (hinted, _) in table.hints {
            assert!(!keys.contains(hinted), "{path}: {hinted} is a key");
        }
    });
    assert!(names.len() > 20);
}
