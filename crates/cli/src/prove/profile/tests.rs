use super::*;
use crate::prove::weather::Place;

/// The profile that is taken where none is named.
pub(crate) fn quick() -> Profile {
    Source::built_in(Source::DEFAULT).unwrap().read().unwrap()
}

fn read(text: &str) -> Profile {
    Profile::parse(text, "a.yaml").map_err(|errors| errors.to_string()).unwrap()
}

fn refused(text: &str) -> String {
    Profile::parse(text, "a.yaml").unwrap_err().to_string()
}

#[test]
fn the_built_in_profiles_are_those_of_the_documentation() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let seconds = Duration::from_secs;
    for (name, duration, every, connections, growth, flood, link) in [
        ("quick", seconds(20), 3, 32, 64 << 20, false, None),
        ("standard", minutes(2), 10, 32, 64 << 20, false, None),
        ("article", minutes(15), 30, 256, 20_000_000, false, Some(Weather::at(Place::Client))),
        ("soak", minutes(480), 30, 32, 20_000_000, false, None),
        ("ddos", minutes(2), 10, 32, 64 << 20, true, None),
    ] {
        let profile = Source::built_in(name).unwrap().read().unwrap();
        assert!(!profile.description.is_empty(), "{name}");
        assert_eq!(
            profile.kills,
            Some(KillRounds { every: seconds(every), share: 0.15 }),
            "{name}"
        );
        let traffic = &profile.traffic;
        assert_eq!((profile.duration, traffic.connections), (duration, connections), "{name}");
        assert_eq!((profile.workers, traffic.http2_share, traffic.jwt), (8, 0.72, true), "{name}");
        assert_eq!((traffic.rate, traffic.flood), (None, flood), "{name}");
        assert_eq!(profile.link, link, "{name}");
        let limits = profile.limits;
        assert_eq!((limits.rss_growth_bytes, limits.connections_lost), (growth, 0), "{name}");
        assert_eq!((limits.failed_percent, limits.p99), (0.0, None), "{name}");
    }
}

#[test]
fn everything_may_be_said() {
    let profile = read(
        "description: all of it
duration: 1m
workers: 4
traffic: {rate: 500, http2_percent: 100, connections: 9, connection_life: 2s, timeout: 3s, jwt: false}
kills: {every: 5s, share_percent: 50}
link: {at: upstream, loss_percent: 2.5, delay: 20ms, jitter: 5ms, congestion_control: cubic, kind: veth}
faults:
  - {at: 10s, lasts: 5s, fault: {gateway: {slow_log: {delay_ms: 500}}}}
  - {at: 59s, fault: {gateway: {kill_worker: {worker: 0}}}}
  - {fault: {http: {abort: {status: 503}, percent: 0.5}}}
limits: {rss_growth: 1MB, failed_percent: 0.5, connections_lost: 3, p99: 250ms}
",
    );
    let traffic = &profile.traffic;
    assert_eq!((traffic.rate, traffic.http2_share, traffic.jwt), (Some(500.0), 1.0, false));
    assert_eq!(traffic.timeout, Some(Duration::from_secs(3)));
    assert_eq!(profile.kills.unwrap().share, 0.5);
    let link = profile.link.unwrap();
    assert_eq!((link.place, link.loss_percent), (Place::Upstream, 2.5));
    assert_eq!(link.congestion_control.as_deref(), Some("cubic"));
    assert_eq!(link.kind, bulkhead_lab::LinkKind::Veth);
    let kinds: Vec<_> = profile.faults.iter().map(|timed| timed.fault.kind()).collect();
    assert_eq!(kinds, ["gateway.slow_log", "gateway.kill_worker", "http.abort"]);
    assert_eq!(profile.faults[1].ends(), Duration::from_secs(59));
    let limits = profile.limits;
    assert_eq!((limits.failed_percent, limits.connections_lost), (0.5, 3));
    assert_eq!(limits.p99, Some(Duration::from_millis(250)));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
    let base = "duration: 20s\nkills: {every: 3s}\n";
    let with = |text: &str| format!("{base}{text}");
    for (text, told) in [
        (String::new(), "a profile has at least `duration`"),
        ("duration: 20s\n".to_owned(), "`kills`, `link` or `faults`"),
        (with("kill: 3\n"), "a.yaml:3:1: "),
        (with("rate: 100\n"), "a rate is one of `traffic`"),
        (with("traffic: {rat: 100}\n"), "did you mean `rate`?"),
        (
            with("traffic: {connections: 0}\n"),
            "a.yaml:3:24: `traffic.connections`: `0` is too small",
        ),
        (with("traffic: {jwt: false, flood: true}\n"), "leave `jwt: false` out"),
        (with("link: {at: client}\n"), "a.yaml:3:7: a link without loss and delay shows nothing"),
        (with("link: {at: middle, loss_percent: 2}\n"), "`client` or `upstream`"),
        (
            with("link: {at: client, delay: 40ms, jitter: 50ms}\n"),
            "a.yaml:3:41: a jitter of 50 ms around a delay of 40 ms",
        ),
        (
            with("faults: [{fault: {gateway: {slow_lok: {delay_ms: 5}}}}]\n"),
            "this is no fault: unknown variant",
        ),
        (
            with("faults: [{fault: {gateway: {slow_log: {delay_ms: 0}}}}]\n"),
            "`delay_ms` is 1 to 60000",
        ),
        (with("faults: [{fault: {host: {cpu: {threads: 1, percent: 50.0}}}}]\n"), "not host.cpu"),
        (
            with("faults: [{at: 15s, lasts: 5s, fault: {gateway: {slow_log: {delay_ms: 5}}}}]\n"),
            "a.yaml:3:15: this fault would not be over",
        ),
    ] {
        let errors = refused(&text);
        assert!(errors.contains(told), "{text}: {errors}");
    }
}

#[test]
fn a_profile_is_named_or_a_file() {
    assert_eq!(Source::find("article").unwrap().to_string(), "article");
    let told = Source::find("artcle").unwrap_err();
    assert!(told.contains("did you mean `article`?"), "{told}");
    assert!(Source::built_in("a.yaml").unwrap_err().contains("there are: quick, standard"));
}
