use std::fs;
use std::path::Path;

use bulkhead_testkit::check_golden;
use serde_json::Value;

use super::schema;
use crate::document::{Syntax, read};
use crate::validate::{Environment, parse};

struct Everything;

impl Environment for Everything {
    fn variable(&self, _: &str) -> Option<String> {
        Some("value".to_owned())
    }
    fn is_executable(&self, _: &str) -> bool {
        true
    }
}

fn fixtures(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(directory);
    let mut files: Vec<(String, String)> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 5, "{directory}");
    files
}

fn value(file: &str, text: &str) -> Value {
    let syntax = Syntax::of(file).unwrap();
    read(text, file, syntax, "something", |root, _| root.to_value()).unwrap().0
}

#[test]
fn the_published_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/experiment.schema.json");
    check_golden(Path::new(path), &format!("{:#}\n", schema()));
}

#[test]
fn schema_and_parser_agree_on_what_is_an_experiment() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for (file, text) in fixtures("valid") {
        let errors: Vec<String> = validator
            .iter_errors(&value(&file, &text))
            .map(|e| format!("{e} at {}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{file}: {errors:?}");
        let parsed = parse(&text, &file, Syntax::of(&file).unwrap(), &Everything);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    }
    for (file, text) in fixtures("invalid") {
        assert!(!validator.is_valid(&value(&file, &text)), "{file}");
        assert!(parse(&text, &file, Syntax::of(&file).unwrap(), &Everything).is_err(), "{file}");
    }
}
