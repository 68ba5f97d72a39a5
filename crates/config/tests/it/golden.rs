//! Files and what comes of them, side by side: `data/*.yaml` and `data/*.expect`.
//!
//! `UPDATE_EXPECT=1 cargo test -p bulkhead-config` rewrites what is expected.

use std::fs;
use std::path::PathBuf;

/// The rendered outcome of a file: its diagnostics, or the configuration and its warnings.
fn outcome(text: &str, file: &str) -> String {
    match bulkhead_config::parse(text, file) {
        Ok(checked) => {
            let warnings = checked.warnings.iter().map(|found| format!("{found}\n\n"));
            format!("{}{:#?}\n", warnings.collect::<String>(), checked.config)
        }
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn files_give_what_is_expected() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml")) {
        count += 1;
        let name = path.file_name().unwrap().to_string_lossy();
        let found = outcome(&fs::read_to_string(path).unwrap(), &name);
        let expect = path.with_extension("expect");
        if update {
            fs::write(&expect, &found).unwrap();
        } else if fs::read_to_string(&expect).unwrap_or_default() != found {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(count >= 60, "only {count} files");
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 accepts:\n{}", wrong.join("\n"));
}
