use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use bulkhead_config::model::{JwtAlgorithm, JwtKeys, JwtProvider};
use bulkhead_testkit::Scratch;

use super::*;
use crate::plane::fake::{FakePlane, Told};

/// A format of its own, so that the store is tested apart from YAML: a number of workers, or
/// `jwks:` and a file name.
fn parse(text: &str, file: &str) -> Result<Parsed, String> {
    let text = text.trim();
    let mut config = Config::default();
    if let Some(path) = text.strip_prefix("jwks:") {
        let provider = JwtProvider {
            name: "p".to_owned(),
            issuer: None,
            audiences: Vec::new(),
            algorithms: vec![JwtAlgorithm::Rs256],
            keys: JwtKeys::JwksFile(path.into()),
            clock_skew: Duration::ZERO,
            cache_size: 0,
        };
        config.jwt_providers.insert("p".to_owned(), provider);
    } else {
        let workers = text.parse().map_err(|_| format!("{file}:1:1: not a number"))?;
        config.workers = Some(workers);
    }
    Ok(Parsed { config, warnings: Vec::new() })
}

struct Fixture {
    scratch: Scratch,
    store: Store,
    plane: Arc<FakePlane>,
    told: Receiver<Told>,
    events: Arc<Mutex<Vec<Event>>>,
}

fn fixture(text: &str) -> Fixture {
    let scratch = Scratch::new();
    let path = scratch.write("gateway.yaml", text);
    let config = parse(text, "").unwrap().config;
    let (plane, told) = FakePlane::new();
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let heard = Arc::clone(&events);
    let store = Store::new(
        ConfigSource { path, parse },
        text.to_owned(),
        config.clone(),
        Arc::<FakePlane>::clone(&plane),
        Arc::new(Status::new(String::new(), 1, &config, Vec::new())),
        Arc::new(move |event| heard.lock().unwrap().push(event)),
    );
    Fixture { scratch, store, plane, told, events }
}

impl Fixture {
    fn poll(&mut self) -> &'static str {
        self.outcome(false)
    }

    fn force(&mut self) -> &'static str {
        self.outcome(true)
    }

    fn outcome(&mut self, forced: bool) -> &'static str {
        match self.store.poll(forced) {
            Outcome::Unchanged => "unchanged",
            Outcome::Unsettled => "unsettled",
            Outcome::Applied(_) => "applied",
            Outcome::Rejected => "rejected",
        }
    }

    fn last_event(&self) -> Option<Event> {
        self.events.lock().unwrap().last().cloned()
    }
}

#[test]
fn change_is_applied_once_it_has_settled() {
    let mut fixture = fixture("1");
    assert_eq!(fixture.poll(), "unchanged");
    fixture.scratch.write("gateway.yaml", "2");
    assert_eq!(fixture.poll(), "unsettled", "it may still be written");
    fixture.scratch.write("gateway.yaml", "23");
    assert_eq!(fixture.poll(), "unsettled", "indeed it was");
    assert_eq!(fixture.poll(), "applied");
    assert!(
        matches!(fixture.told.try_recv(), Ok(Told::Applied(config)) if config.workers == Some(23))
    );
    assert_eq!(fixture.poll(), "unchanged");
    assert!(fixture.told.try_recv().is_err());
}

#[test]
fn change_that_is_taken_back_is_forgotten() {
    let mut fixture = fixture("1");
    fixture.scratch.write("gateway.yaml", "2");
    assert_eq!(fixture.poll(), "unsettled");
    fixture.scratch.write("gateway.yaml", "1");
    assert_ne!(fixture.poll(), "applied");
    fixture.scratch.write("gateway.yaml", "2");
    assert_eq!(fixture.poll(), "unsettled");
}

#[test]
fn bad_file_is_told_once_and_changes_nothing() {
    let mut fixture = fixture("1");
    let path = fixture.scratch.write("gateway.yaml", "nonsense");
    assert_eq!(
        (fixture.poll(), fixture.poll(), fixture.poll()),
        ("unsettled", "rejected", "unchanged")
    );
    assert!(fixture.told.try_recv().is_err());
    assert_eq!(*fixture.plane.rejected.lock().unwrap(), 1);
    let reason = format!("{}:1:1: not a number", path.display());
    assert_eq!(
        fixture.last_event(),
        Some(Event::ConfigRejected { path: path.clone(), reason: reason.clone() })
    );
    assert_eq!(fixture.store.status.to_json()["last_error"]["reason"], reason.as_str());
    // Asked again, it answers again.
    assert_eq!(fixture.force(), "rejected");

    std::fs::remove_file(&path).unwrap();
    assert_eq!((fixture.poll(), fixture.poll()), ("unsettled", "rejected"));
    assert!(
        matches!(fixture.last_event(), Some(Event::ConfigRejected { reason, .. }) if reason.contains("No such file"))
    );

    fixture.scratch.write("gateway.yaml", "5");
    assert_eq!((fixture.poll(), fixture.poll()), ("unsettled", "applied"));
    assert!(fixture.store.status.to_json()["last_error"].is_null());
    assert_eq!(fixture.store.status.to_json()["revision"], 2);
}

#[test]
fn a_text_that_is_wrong_keeps_no_file_from_being_renewed() {
    let scratch = Scratch::new();
    let keys = scratch.write("keys.jwks", "one");
    let mut fixture = fixture(&format!("jwks:{}", keys.display()));
    fixture.scratch.write("gateway.yaml", "nonsense");
    assert_eq!((fixture.poll(), fixture.poll()), ("unsettled", "rejected"));
    assert!(fixture.told.try_recv().is_err(), "no file has changed");

    scratch.write("keys.jwks", "another");
    assert_eq!((fixture.poll(), fixture.poll()), ("unsettled", "rejected"));
    let renewed = fixture.told.try_recv();
    assert!(matches!(renewed, Ok(Told::Applied(config)) if config.jwt_providers.contains_key("p")));
    assert!(fixture.told.try_recv().is_err(), "once");
    assert!(!fixture.store.status.to_json()["last_error"].is_null());
    assert_eq!(fixture.poll(), "unchanged");
}

#[test]
fn force_applies_what_has_not_changed() {
    let mut fixture = fixture("4");
    assert_eq!(fixture.force(), "applied");
    assert!(
        matches!(fixture.told.try_recv(), Ok(Told::Applied(config)) if config.workers == Some(4))
    );
}

#[test]
fn file_referred_to_is_watched() {
    let keys = Scratch::new();
    let jwks = keys.write("jwks.json", "{}");
    let mut fixture = fixture(&format!("jwks:{}", jwks.display()));
    assert_eq!(fixture.poll(), "unchanged");
    keys.write("jwks.json", "{ }");
    assert_eq!(
        (fixture.poll(), fixture.poll(), fixture.poll()),
        ("unsettled", "applied", "unchanged")
    );
}

#[test]
fn refused_configuration_is_tried_again_when_its_file_appears() {
    let keys = Scratch::new();
    let mut fixture = fixture("1");
    let jwks = keys.path().join("jwks.json");
    *fixture.plane.refusal.lock().unwrap() =
        Some(vec!["read jwks.json".to_owned(), "and more".to_owned()]);
    fixture.scratch.write("gateway.yaml", format!("jwks:{}", jwks.display()));
    assert_eq!(
        (fixture.poll(), fixture.poll(), fixture.poll()),
        ("unsettled", "rejected", "unchanged")
    );
    assert!(
        matches!(fixture.last_event(), Some(Event::ConfigRejected { reason, .. }) if reason == "read jwks.json\nand more")
    );

    *fixture.plane.refusal.lock().unwrap() = None;
    keys.write("jwks.json", "{}");
    assert_eq!((fixture.poll(), fixture.poll()), ("unsettled", "applied"));
}

#[test]
fn oversized_file_is_not_read_whole() {
    let scratch = Scratch::new();
    let path = scratch.path().join("gateway.yaml");
    std::fs::File::create(&path).unwrap().set_len(CONFIG_BYTES_MAX + 1).unwrap();
    let error = ConfigSource { path, parse }.read().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn only_what_is_read_at_start_needs_a_restart() {
    let mut fixture = fixture("1");
    fixture.scratch.write("gateway.yaml", "2");
    fixture.store.poll(true);
    let events = fixture.events.lock().unwrap();
    let needs_restart = events.iter().any(|event| matches!(event, Event::NeedsRestart { .. }));
    assert!(!needs_restart, "the pool is resized: {events:?}");
}
