//! The schema and the reference that are in the repository are those of the code.

use std::fs;
use std::path::PathBuf;

#[track_caller]
fn check(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("the documentation can be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "docs/{file} is out of date: UPDATE_EXPECT=1 writes it");
}

#[test]
fn reference_is_published() {
    check("config.md", &bulkhead_config::reference());
}

#[test]
fn schema_is_published() {
    check("config.schema.json", &format!("{:#}\n", bulkhead_config::schema()));
}
