//! The configurations that users start from have no fault, and know every key.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bulkhead_config::{parse, schema};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

const FULL: &str = include_str!("../../../../examples/full.yaml");

#[test]
fn examples_parse_without_warnings() {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let checked = parse(&fs::read_to_string(&path).unwrap(), &name)
            .unwrap_or_else(|errors| panic!("{errors}"));
        assert!(checked.warnings.is_empty(), "{name}: {}", checked.warnings[0]);
        names.insert(name);
    }
    for name in ["full", "grpc", "jwt", "minimal", "sni-passthrough", "tcp", "tls"] {
        assert!(names.contains(&format!("{name}.yaml")), "examples/{name}.yaml is missing");
    }
}

/// Names of all keys in the schema.
fn keys() -> BTreeSet<String> {
    let schema = schema();
    let mut keys = BTreeSet::new();
    for table in schema["$defs"].as_object().into_iter().flat_map(|defs| defs.values()) {
        keys.extend(
            table["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned()),
        );
    }
    keys.extend(schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned()));
    keys
}

/// A word of the file that is followed by a colon.
struct Word<'a> {
    text: &'a str,
    /// Byte where it starts.
    at: usize,
}

/// The keys of the format in `text`, comments left out.
fn words<'a>(text: &'a str, keys: &BTreeSet<String>) -> Vec<Word<'a>> {
    let mut words = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split_once('#').map_or(line, |(code, _)| code);
        let mut at = 0;
        for piece in code.split_inclusive([' ', '{', '[', ',']) {
            if let Some(word) = piece.trim_end().strip_suffix(':')
                && keys.contains(word)
            {
                words.push(Word { text: word, at: line_start + at });
            }
            at += piece.len();
        }
        line_start += line.len();
    }
    words
}

#[test]
fn full_example_has_every_key() {
    let (text, keys) = (FULL, keys());
    let found: BTreeSet<String> = words(text, &keys).iter().map(|word| word.text.into()).collect();
    assert!(keys.len() > 80, "{keys:?}");
    let missing: Vec<_> = keys.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Slips of the kind that fingers make.
fn slips(word: &str) -> Vec<String> {
    let middle = word.len() / 2;
    let (front, back) = word.split_at(middle);
    let doubled = format!("{front}{}{back}", &back[..1]);
    let mut swapped: Vec<char> = word.chars().collect();
    swapped.swap(middle - 1, middle);
    let mut slips = vec![doubled, swapped.into_iter().collect()];
    if word.len() > 4 {
        slips.push(format!("{front}{}", &back[1..]));
    }
    slips.retain(|slip| slip != word);
    slips
}

#[test]
fn each_misspelled_key_is_found_and_understood() {
    let (text, keys) = (FULL, keys());
    let mut tried = 0;
    for word in words(text, &keys) {
        for slip in slips(word.text).into_iter().filter(|slip| !keys.contains(slip)) {
            let wrong = format!("{}{slip}{}", &text[..word.at], &text[word.at + word.text.len()..]);
            let errors = parse(&wrong, "full.yaml").expect_err(&slip).0;
            let before = &text[..word.at];
            let line = before.matches('\n').count() + 1;
            let column = word.at - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
            let place = |error: &&bulkhead_config::Diagnostic| {
                (error.line, error.column) == (line, column) && error.message.contains(&slip)
            };
            let error = errors.iter().find(place);
            let error = error.unwrap_or_else(|| panic!("{slip} at {line}:{column}: {errors:?}"));
            assert_eq!(error.suggestion.as_deref(), Some(word.text), "{error}");
            tried += 1;
        }
    }
    assert!(tried > 250, "only {tried} slips tried");
}
