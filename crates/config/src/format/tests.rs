use std::collections::{BTreeMap, HashSet};

use super::{Rule, visit_tables};
use crate::model::{
    AdaptiveConcurrency, Balance, Config, KeepAlive, Maglev, RetryPolicy, RingHash,
};

/// Whoever builds a configuration without a file gets what a file without the keys gives.
#[test]
fn declared_defaults_are_those_of_the_model() {
    let text = "listeners: [{address: '127.0.0.1:0'}]\n\
                routes: [{backends: [upstream]}]\n\
                clusters: {upstream: {endpoints: ['a:1']}}\n";
    let config = crate::parse(text, "a.yaml").unwrap().config;
    let quick = Config::quick("127.0.0.1:0".parse().unwrap(), "http://a:1", None);
    assert_eq!(config, quick.unwrap());
}

/// The same for what is off until its key stands there.
#[test]
fn declared_defaults_of_what_is_off_are_those_of_the_model() {
    let text = "listeners: [{address: '127.0.0.1:0'}]\n\
                limits: {http2_keep_alive: {}}\n\
                routes: [{backends: [a, b], retry: {}}]\n\
                clusters:\n  \
                  a: {endpoints: ['a:1'], adaptive_concurrency: {}, balance: {maglev: {}}}\n  \
                  b: {endpoints: ['b:1'], balance: {ring_hash: {}}}\n";
    let config = crate::parse(text, "a.yaml").unwrap().config;
    assert_eq!(config.limits.http2_keep_alive, Some(KeepAlive::default()));
    assert_eq!(config.routes[0].retry, Some(RetryPolicy::default()));
    let (a, b) = (&config.clusters["a"], &config.clusters["b"]);
    assert_eq!(a.adaptive_concurrency, Some(AdaptiveConcurrency::default()));
    assert_eq!(a.balance, Balance::Maglev(Maglev::default()));
    assert_eq!(b.balance, Balance::RingHash(RingHash::default()));
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
