use std::path::PathBuf;

use super::*;
use crate::settings::{LoadSettings, Pace};

/// The files that scenarios of the tests name.
pub(super) fn read(name: &str) -> Result<Vec<u8>, String> {
    match name {
        "users.csv" => Ok(b"id,name\n1,ann\n".to_vec()),
        "agents.txt" => Ok(b"one\ntwo\n".to_vec()),
        "broken.csv" => Ok(b"id,name\n1\n".to_vec()),
        "binary" => Ok(vec![0xff]),
        "secret" => Ok(b"short".to_vec()),
        "body.json" => Ok(b"{}".to_vec()),
        _ => Err("no such file".to_owned()),
    }
}

fn outcome(text: &str, file: &str) -> String {
    let check_assertion = |text: &str| {
        if text.starts_with("p99<") { Ok(()) } else { Err("expected `METRIC<VALUE`".to_owned()) }
    };
    match parse(
        text,
        file,
        &Surroundings {
            url: None,
            encode_message: None,
            read: &read,
            check_assertion: &check_assertion,
        },
    ) {
        Ok(scenario) => {
            let warnings = scenario.warnings.iter().map(|found| format!("{found}\n\n"));
            let warnings: String = warnings.collect();
            let classes: String = scenario
                .plan
                .classes()
                .iter()
                .map(|class| format!("{} -> {}\n", class.name, scenario.targets[class.target].name))
                .collect();
            format!("{warnings}{classes}")
        }
        Err(errors) => format!("{errors}\n"),
    }
}

/// Scenarios and what comes of them, side by side; `UPDATE_EXPECT=1` rewrites what is expected.
#[test]
fn scenarios_give_what_is_expected() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let mut wrong = Vec::new();
    for path in &files {
        let name = path.file_name().unwrap().to_string_lossy();
        let found = outcome(&std::fs::read_to_string(path).unwrap(), &name);
        let expect = path.with_extension("expect");
        if update {
            std::fs::write(&expect, &found).unwrap();
        } else if std::fs::read_to_string(&expect).unwrap_or_default() != found {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(files.len() >= 12, "only {}", files.len());
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 accepts:\n{}", wrong.join("\n"));
}

fn load(text: &str) -> LoadSettings {
    let text = format!("targets: {{a: 'http://a'}}\nrequests: [{{get: /}}]\nload: {text}");
    let surroundings =
        Surroundings { url: None, encode_message: None, read: &read, check_assertion: &|_| Ok(()) };
    parse(&text, "a.yaml", &surroundings).unwrap().load.unwrap()
}

#[test]
fn load_has_phases_or_clients() {
    let settings = load("{phases: [{rate: 0.5, duration: 2s}, {from: 1, to: 5, duration: 4s}]}");
    let Pace::Open { phases, .. } = &settings.pace else { panic!("{settings:?}") };
    let found: Vec<_> = phases.iter().map(|phase| (phase.from, phase.to)).collect();
    assert_eq!(found, [(0.5, 0.5), (1.0, 5.0)]);
    assert_eq!((settings.threads, settings.timeout.as_secs(), settings.seed), (1, 10, None));
    let settings = load("{closed: {clients: 5, duration: 2s}, warmup: 0, seed: 9}");
    assert!(matches!(settings.pace, Pace::Closed { clients: 5, .. }));
    assert_eq!((settings.warmup.as_secs(), settings.seed), (0, Some(9)));
}

#[test]
fn every_example_can_be_used() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/load");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            count += 1;
            let name = path.file_name().unwrap().to_string_lossy();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with('#'), "{name} does not say what it shows");
            let read =
                |name: &str| std::fs::read(folder.join(name)).map_err(|cause| cause.to_string());
            let surroundings = Surroundings {
                url: None,
                encode_message: None,
                read: &read,
                check_assertion: &|_| Ok(()),
            };
            let scenario = parse(&text, &name, &surroundings);
            let scenario = scenario.map_err(|errors| errors.to_string()).unwrap();
            assert!(scenario.warnings.is_empty(), "{name}: {:?}", scenario.warnings);
        }
    }
    assert!(count >= 2);
    let page = crate::format::introduction();
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let surroundings =
        Surroundings { url: None, encode_message: None, read: &read, check_assertion: &|_| Ok(()) };
    parse(example, "docs/scenario.md", &surroundings).map_err(|e| e.to_string()).unwrap();
}

#[test]
fn schema_and_reference_are_published() {
    for (file, text) in [
        ("scenario.md", crate::reference()),
        ("scenario.schema.json", format!("{:#}\n", crate::schema())),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/{file} is out of date: UPDATE_EXPECT=1 writes it");
    }
}
