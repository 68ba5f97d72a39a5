use super::super::ground::Ground;
use super::super::weather::Place;
use super::*;

/// `None`, said on standard error, where links cannot be made.
fn ground(weather: &Weather) -> Option<Ground> {
    match Ground::make(Some(weather)) {
        Ok(ground) => Some(ground),
        Err(error) => {
            eprintln!("skipped: {error:#}");
            None
        }
    }
}

fn imposed(ground: &Ground, weather: &Weather, every: Duration) -> Imposed {
    let keeping = Keeping { every, ..Keeping::default() };
    ground.impose(weather, 7, keeping).unwrap().expect("there is a link")
}

/// Packets that the faults of the link towards the server have met.
fn seen(ground: &Ground) -> Vec<u64> {
    let counted = ground.count().unwrap().expect("there is a link");
    counted.report.upstream.faults.iter().map(|stage| stage.seen).collect()
}

/// Renews once; on a busy machine an attempt may be late.
fn renew(imposed: &mut Imposed) {
    let (before, began) = (imposed.renewals, Instant::now());
    while imposed.renewals == before {
        assert!(imposed.lapsed.is_none() && began.elapsed() < PROBE_TIMEOUT, "no renewal");
        imposed.keep();
    }
}

#[test]
fn faults_are_renewed_when_it_is_time_and_are_the_same_as_before() {
    let weather = Weather::at(Place::Client);
    let Some(ground) = ground(&weather) else { return };
    let mut imposed = imposed(&ground, &weather, Duration::ZERO);
    let (renewals, counts) = (imposed.renewals, seen(&ground));
    let first = imposed.orders[0].0.expires_unix_ms;
    assert!(renewals > 0, "not even before the probes");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    renew(&mut imposed);
    let renewals = imposed.renewals;
    assert!(imposed.orders[0].0.expires_unix_ms >= first);
    let now = seen(&ground);
    assert_eq!(now.len(), weather.faults().len());
    assert!(now.iter().zip(&counts).all(|(now, before)| now >= before), "{now:?} {counts:?}");

    imposed.keeping.every = Duration::from_secs(3_600);
    imposed.keep();
    assert_eq!(imposed.renewals, renewals, "it is not time yet");
    let life = imposed.revert();
    assert_eq!((life.reverted.holds, life.lapsed), (Some(true), None), "{:?}", life.reverted);
    assert!(life.renewals >= renewals);
    assert_eq!(seen(&ground), [] as [u64; 0]);
}

#[test]
fn a_fault_that_ended_meanwhile_is_told_and_not_brought_back() {
    let weather = Weather::at(Place::Client);
    let Some(ground) = ground(&weather) else { return };
    let mut imposed = imposed(&ground, &weather, Duration::from_secs(3_600));
    let (order, handle) = &imposed.orders[0];
    imposed.injector.revert(order, handle, around(COMMAND_TIMEOUT)).unwrap();
    imposed.keeping.every = Duration::ZERO;
    let began = Instant::now();
    while imposed.lapsed.is_none() && began.elapsed() < PROBE_TIMEOUT {
        imposed.keep();
    }
    let life = imposed.revert();
    let lapsed = life.lapsed.expect("nobody saw it");
    assert!(lapsed.contains("does not have this fault any more"), "{lapsed}");
    assert_eq!((life.renewals, life.reverted.holds), (0, Some(true)));
    assert_eq!(seen(&ground), [] as [u64; 0]);
}
