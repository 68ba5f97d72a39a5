//! Random tables and heads against the rules as written: every match is tried, the best is taken.

use std::cmp::Reverse;
use std::sync::LazyLock;

use bulkhead_message::RequestHead;
use regex::Regex;

use crate::pattern::tests::Seeded;
use crate::spec::{MatchSpec, PathSpec, RouteSpec, TextSpec, ValueSpec};
use crate::table::RouteTable;

const SEGMENTS: &[&str] = &["a", "b", "bb", "17", "", "a1"];
const PATTERNS: &[&str] = &[r"\d+", "[a-z]+", r"a\d*", "(a|bb)", r"\w+", "a|1.*"];
const HOSTS: &[&str] = &["x.com", "*.x.com", "a.x.com", "*.a.x.com", "*", "*.com"];
const AUTHORITIES: &[&str] = &["x.com", "A.x.com:80", "b.x.com", "c.a.x.com", "y.org", "", "com"];
const VALUES: &[&str] = &["1", "2"];
const VALUE_PATTERN: &str = "[13]|x";
static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^(?:[13]|x)$").unwrap());

fn random_path(seeded: &mut Seeded) -> String {
    let segments: Vec<&str> = (0..1 + seeded.below(3)).map(|_| seeded.of(SEGMENTS)).collect();
    format!("/{}", segments.join("/"))
}

fn random_template(seeded: &mut Seeded) -> String {
    let mut text = String::new();
    for number in 0..1 + seeded.below(3) {
        text.push('/');
        text += &match seeded.below(4) {
            0 => format!("{{p{number}}}"),
            1 => format!("{{p{number}:{}}}", seeded.of(PATTERNS)),
            _ => seeded.of(SEGMENTS).to_owned(),
        };
    }
    if seeded.below(4) == 0 { text + "/{rest*}" } else { text }
}

fn random_match(seeded: &mut Seeded) -> MatchSpec {
    let path = match seeded.below(6) {
        0 => PathSpec::Exact(random_path(seeded)),
        1 => PathSpec::Prefix(random_path(seeded)),
        2 => PathSpec::Regex(format!("{}/{}", random_path(seeded), seeded.of(PATTERNS))),
        _ => PathSpec::Template(random_template(seeded)),
    };
    let condition = |seeded: &mut Seeded| ValueSpec {
        name: seeded.of(&["x", "y"]).to_owned(),
        value: match seeded.below(3) {
            0 => TextSpec::Present,
            1 => TextSpec::Regex(VALUE_PATTERN.to_owned()),
            _ => TextSpec::Exact(seeded.of(VALUES).to_owned()),
        },
    };
    let some = |seeded: &mut Seeded| seeded.below(8).saturating_sub(5);
    MatchSpec {
        path,
        method: (seeded.below(4) == 0).then(|| seeded.of(&["GET", "PUT", "PURGE"]).to_owned()),
        headers: (0..some(seeded)).map(|_| condition(seeded)).collect(),
        query: (0..some(seeded)).map(|_| condition(seeded)).collect(),
    }
}

fn random_route(seeded: &mut Seeded) -> RouteSpec {
    RouteSpec {
        hostnames: (0..seeded.below(3)).map(|_| seeded.of(HOSTS).to_owned()).collect(),
        matches: (0..1 + seeded.below(2)).map(|_| random_match(seeded)).collect(),
    }
}

/// A request, and its parts for the reference.
struct Request {
    head: RequestHead,
    host: String,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

fn random_request(seeded: &mut Seeded) -> Request {
    let pairs = |seeded: &mut Seeded| -> Vec<_> {
        (0..seeded.below(3)).map(|_| (seeded.of(&["x", "y"]), seeded.of(VALUES))).collect()
    };
    let authority = seeded.of(AUTHORITIES);
    let (headers, query) = (pairs(seeded), pairs(seeded));
    let (method, path) = (seeded.of(&["GET", "PUT", "PURGE"]), random_path(seeded));
    let mut head = RequestHead::new();
    head.set_method(method.as_bytes());
    head.set_authority(authority.as_bytes());
    let parameters: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    head.set_target(format!("{path}?{}", parameters.join("&")).as_bytes());
    headers.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
    let host = authority.to_lowercase().replace(":80", "");
    Request { head, host, method, path, headers, query }
}

/// A spec of the table with its expressions, as the reference reads them.
struct Reference {
    place: (u32, u32),
    hostnames: Vec<String>,
    spec: MatchSpec,
    path: Regex,
    strength: Strength,
}

/// Kind of path, then literal bytes or pattern length, parameters, parameters with a pattern.
type Strength = (u8, Reverse<usize>, usize, Reverse<usize>);

fn reference(route: usize, matched: usize, hostnames: &[String], spec: &MatchSpec) -> Reference {
    let anchored = |text: &str| Regex::new(&format!("^(?:{text})$")).unwrap();
    let (path, strength) = match &spec.path {
        PathSpec::Exact(text) => (anchored(&regex::escape(text)), (0, Reverse(0), 0, Reverse(0))),
        PathSpec::Regex(text) => (anchored(text), (2, Reverse(text.len()), 0, Reverse(0))),
        PathSpec::Prefix(text) => {
            let text = text.strip_suffix('/').unwrap_or(text);
            let length = text.len().max(1);
            (
                anchored(&format!("{}(/.*)?", regex::escape(text))),
                (3, Reverse(length), 0, Reverse(0)),
            )
        }
        PathSpec::Template(text) => reference_template(text),
    };
    let hostnames = if hostnames.is_empty() { vec!["*".to_owned()] } else { hostnames.to_vec() };
    let place = (route as u32, matched as u32);
    Reference { place, hostnames, spec: spec.clone(), path, strength }
}

fn reference_template(text: &str) -> (Regex, Strength) {
    let (mut expression, mut kind) = (String::from("^"), 1);
    let (mut literal, mut parameters, mut patterns) = (0, 0, 0);
    for segment in text[1..].split('/') {
        expression.push('/');
        literal += 1;
        let Some(inner) = segment.strip_prefix('{') else {
            expression += &regex::escape(segment);
            literal += segment.len();
            continue;
        };
        parameters += 1;
        let inner = inner.strip_suffix('}').unwrap();
        if let Some((_, pattern)) = inner.split_once(':') {
            expression += &format!("(?:{})", pattern.replace('.', "[^/]"));
            patterns += 1;
        } else if inner.ends_with('*') {
            expression += ".*";
            kind = 3;
        } else {
            expression += "[^/]+";
        }
    }
    let strength = (kind, Reverse(literal), parameters, Reverse(patterns));
    (Regex::new(&(expression + "$")).unwrap(), strength)
}

fn condition_holds(spec: &ValueSpec, values: &[(&str, &str)], first_only: bool) -> bool {
    let mut named = values.iter().filter(|(name, _)| *name == spec.name).map(|(_, value)| *value);
    let mut holds = |value: &str| match &spec.value {
        TextSpec::Exact(text) => text == value,
        TextSpec::Regex(_) => VALUE.is_match(value),
        TextSpec::Present => true,
    };
    if first_only { named.next().is_some_and(holds) } else { named.any(&mut holds) }
}

impl Reference {
    /// How specific the hostname is that takes this host, the most specific first.
    fn host_strength(&self, host: &str) -> Option<(u8, Reverse<usize>)> {
        let strengths = self.hostnames.iter().filter_map(|name| match name.strip_prefix('*') {
            Some("") => Some((2, Reverse(0))),
            Some(suffix) if host.ends_with(suffix) && host.len() > suffix.len() => {
                Some((1, Reverse(suffix.len())))
            }
            Some(_) => None,
            None => (name == host).then_some((0, Reverse(name.len()))),
        });
        strengths.min()
    }

    fn holds(&self, request: &Request) -> bool {
        let spec = &self.spec;
        spec.method.as_ref().is_none_or(|method| method == request.method)
            && spec.headers.iter().all(|c| condition_holds(c, &request.headers, false))
            && spec.query.iter().all(|c| condition_holds(c, &request.query, true))
            && self.path.is_match(&request.path)
    }
}

fn expected(references: &[Reference], request: &Request) -> Option<(u32, u32)> {
    let candidates = references.iter().filter_map(|reference| {
        let host = reference.host_strength(&request.host)?;
        let spec = &reference.spec;
        let conditions =
            (spec.method.is_none(), Reverse(spec.headers.len()), Reverse(spec.query.len()));
        let key = (host, reference.strength, conditions, reference.place);
        reference.holds(request).then_some(key)
    });
    candidates.min().map(|(.., place)| place)
}

#[test]
fn the_table_agrees_with_the_rules() {
    let mut seeded = Seeded(2_026);
    let (mut compared, mut found) = (0, 0);
    for _ in 0..250 {
        let routes: Vec<_> = (0..6 + seeded.below(24)).map(|_| random_route(&mut seeded)).collect();
        let table = RouteTable::compile(&routes).unwrap();
        let mut references = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            for (matched, spec) in route.matches.iter().enumerate() {
                references.push(reference(number, matched, &route.hostnames, spec));
            }
        }
        for _ in 0..440 {
            let request = random_request(&mut seeded);
            let got = table.find(&request.head).map(|found| (found.route, found.matched));
            let expect = expected(&references, &request);
            assert_eq!(got, expect, "{:?}\nof {routes:#?}", request.head);
            compared += 1;
            found += usize::from(got.is_some());
        }
    }
    assert!(compared >= 100_000 && found * 3 > compared, "{found} of {compared} found a route");
}
