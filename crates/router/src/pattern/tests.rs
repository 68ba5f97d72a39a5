//! Chains against the engine, prefixes against texts, the index against a scan.

mod index;

use regex::bytes::RegexBuilder;

use super::chain::Chain;
use super::{PatternId, PatternsBuilder, literal_prefix, parse_chains};
use crate::error::CompileErrorKind;

/// A seeded source of numbers below `bound`.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    pub(crate) fn of<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const CHAINS: &[&str] = &[
    r"\d+",
    "[0-9]+",
    "[a-z0-9-]+",
    r"\w+",
    r"svc17-\d+",
    r"v\d{1,3}",
    "[0-9a-f]{8}-[0-9a-f]{4}",
    "abc",
    r"\d+-[a-c]*",
    "a?b",
    "[^/]+",
    ".*",
    r"^\d+$",
    r"\.json",
    "[-a]+",
    "[a-]+",
    r"[\d.]+",
    r"\D\d",
    r"\W+\w*",
    "[^0-9-]{2,}",
    "x{0}y",
    "a*b?c+",
    r"[\-\]]+",
    "/v1/[^/]+/x",
    "a-b_c~",
    "[a-c]{2}[b-d]{3}",
];

const ENGINE: &[&str] = &[
    "a|b",
    "(ab)+",
    r"\d+1",
    "a*a",
    "[a-z]+z?",
    r"\bx",
    "(?i)abc",
    "[[:alpha:]]+",
    r"\d+?",
    "a{2,}?",
    "x*y*x",
    r"\s+",
    "[a&&b]",
    r"\x41",
    "ü",
];

#[test]
fn which_patterns_are_chains() {
    for text in CHAINS {
        assert!(Chain::parse(text).is_some(), "{text}");
    }
    for text in ENGINE {
        assert!(Chain::parse(text).is_none(), "{text}");
        assert!(PatternsBuilder::default().intern(text).is_ok(), "{text}");
    }
}

#[test]
fn wrong_patterns_are_refused() {
    for text in [
        "(",
        "[a",
        "a)|(b",
        "a{2,1}",
        "*",
        "a**b{",
        "[z-a]",
        r"\",
        r"\q",
        "a{1001}{1001}",
        "a(+)",
        "a{1(,)2}",
        r"\pL",
    ] {
        let result = PatternsBuilder::default().intern(text);
        let Err(CompileErrorKind::Pattern { pattern, reason }) = result else {
            panic!("{text} was taken: {result:?}")
        };
        assert_eq!(pattern, text);
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    }
}

fn random_text(seeded: &mut Seeded) -> Vec<u8> {
    let bytes = b"abcdxyz0123-._/vsc17 \nA\xff";
    (0..seeded.below(9)).map(|_| bytes[seeded.below(bytes.len())]).collect()
}

/// A pattern out of pieces, some of which are not chains.
fn random_pattern(seeded: &mut Seeded) -> String {
    let items =
        ["a", "b", "-", r"\d", r"\w", "[a-c]", "[^a]", "[b-d-]", ".", r"\.", "[0-1x]", "/", r"\D"];
    let repetitions = ["", "", "", "+", "*", "?", "{2}", "{1,2}", "{2,}", "{0,1}"];
    (0..1 + seeded.below(4))
        .map(|_| format!("{}{}", seeded.of(&items), seeded.of(&repetitions)))
        .collect()
}

#[test]
fn chains_agree_with_the_engine() {
    let mut seeded = Seeded(1);
    let mut patterns: Vec<String> = CHAINS.iter().map(|text| (*text).to_owned()).collect();
    patterns.extend((0..600).map(|_| random_pattern(&mut seeded)));
    let mut chains = 0;
    for pattern in &patterns {
        let Some(chain) = Chain::parse(pattern) else { continue };
        chains += 1;
        let engine = RegexBuilder::new(&format!("^(?:{pattern})$")).unicode(false).build().unwrap();
        let prefix = chain.literal_prefix();
        for _ in 0..300 {
            let text = random_text(&mut seeded);
            let matches = engine.is_match(&text);
            assert_eq!(
                chain.is_match(&text),
                matches,
                "{pattern} on {:?}",
                text.escape_ascii().to_string()
            );
            assert!(!matches || text.starts_with(prefix), "{pattern} begins with {prefix:?}");
        }
    }
    assert!(chains > 200, "only {chains} of the patterns are chains");
}

#[test]
fn choices_of_chains_agree_with_the_engine() {
    let mut seeded = Seeded(3);
    let mut choices = 0;
    for _ in 0..400 {
        let [a, b, c, d] = std::array::from_fn(|_| random_pattern(&mut seeded));
        let forms = [format!("{a}|{b}"), format!("{a}({b}|{c}){d}"), format!("(?:{a}|{b}|){c}")];
        let pattern = &forms[seeded.below(3)];
        let Some(chains) = parse_chains(pattern) else { continue };
        choices += 1;
        let mut builder = PatternsBuilder::default();
        let (id, prefix) = builder.intern(pattern).unwrap();
        let patterns = builder.finish();
        assert_eq!(patterns.chains.len(), chains.len());
        let engine = RegexBuilder::new(&format!("^(?:{pattern})$")).unicode(false).build().unwrap();
        for _ in 0..200 {
            let text = random_text(&mut seeded);
            let matches = engine.is_match(&text);
            assert_eq!(patterns.is_match(id, &text), matches, "{pattern} on {text:?}");
            assert!(!matches || text.starts_with(&prefix), "{pattern} begins with {prefix:?}");
        }
    }
    assert!(choices > 50, "only {choices} of the patterns are choices of chains");
}

#[test]
fn literal_prefixes() {
    for (pattern, expect) in [
        ("abc", "abc"),
        ("abc(d|e)", "abc"),
        ("abc(?:d|e)(f|g)", "abc"),
        ("abc|d", ""),
        ("abc(d)|e", ""),
        (r"abc\(d|e", ""),
        ("abc[(]|d", ""),
        ("abc(?x: # ( \n)|d", ""),
        ("abc(de)", "abc"),
        ("abc?", "ab"),
        ("abc*d", "ab"),
        ("abc{2}", "ab"),
        ("abc+", "ab"),
        (r"abc\d", "abc"),
        ("^abc", ""),
        ("(?i)abc", ""),
        ("?", ""),
        ("", ""),
    ] {
        assert_eq!(literal_prefix(pattern), expect.as_bytes(), "{pattern}");
    }
}

#[test]
fn equal_patterns_are_compiled_once() {
    let mut builder = PatternsBuilder::default();
    let ids: Vec<PatternId> = [r"\d+", "(a|b)+", r"\d+", "(a|b)+", "(c)+"]
        .iter()
        .map(|text| builder.intern(text).unwrap().0)
        .collect();
    assert_eq!((ids[0], ids[1]), (ids[2], ids[3]));
    let patterns = builder.finish();
    assert_eq!((patterns.chains.len(), patterns.regexes.len()), (1, 2));
    assert!(patterns.is_match(ids[1], b"ab") && !patterns.is_match(ids[1], b"c"));
}
