use bulkhead_config::model::Protocol;

use super::*;

fn address(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 80).into()
}

/// A cluster of `host*weight` or, for 10.0.0.N, `N*weight`.
fn cluster(endpoints: &str) -> Cluster {
    let endpoints = endpoints.split(' ').map(|text| {
        let (place, weight) = text.split_once('*').unwrap();
        let address = match place.parse() {
            Ok(last) => EndpointAddress::Socket(address(last)),
            Err(_) => EndpointAddress::Name { host: place.to_owned(), port: 80 },
        };
        Endpoint { weight: weight.parse().unwrap(), ..Endpoint::new(address) }
    });
    Cluster::new("api", endpoints.collect(), Protocol::Http1)
}

fn config(endpoints: &str) -> Config {
    Config { clusters: [("api".to_owned(), cluster(endpoints))].into(), ..Config::default() }
}

/// Names, known as `host=N,N host=N`.
fn names(text: &str) -> Names {
    let entries = text.split_ascii_whitespace().map(|entry| {
        let (host, addresses) = entry.split_once('=').unwrap();
        let addresses = addresses.split(',').filter(|text| !text.is_empty());
        let addresses = addresses.map(|last| address(last.parse().unwrap())).collect();
        ((host.to_owned(), 80), addresses)
    });
    Names { addresses: entries.collect(), ..Names::default() }
}

#[test]
fn each_address_has_the_weight_of_its_endpoint() {
    for (endpoints, known, expect) in [
        ("1*1 a*9", "a=2", "1*1 2*9"),
        ("a*9 1*2", "a=5,3", "1*2 3*9 5*9"),
        ("a*9 b*2", "a=", ""),
        ("a*9 b*2", "b=7", "7*2"),
        ("a*9 b*2", "a=7 b=7,8", "7*9 8*2"),
    ] {
        let specs = names(known).endpoints(&cluster(endpoints));
        let expect: Vec<_> = expect
            .split_ascii_whitespace()
            .map(|text| text.split_once('*').unwrap())
            .map(|(last, weight)| EndpointSpec {
                weight: weight.parse().unwrap(),
                ..EndpointSpec::new(address(last.parse().unwrap()))
            })
            .collect();
        assert_eq!(specs, expect, "{endpoints} with {known}");
    }
}

#[test]
fn only_what_is_not_known_is_looked_up_and_what_left_is_forgotten() {
    let asked = std::cell::RefCell::new(Vec::new());
    let look_up = |host: &str, _| {
        asked.borrow_mut().push(host.to_owned());
        if host == "new" { vec![address(9)] } else { vec![] }
    };
    let known = names("a=2 gone=3 empty=");
    let found = Names::of(&config("a*1 1*1 new*1 empty*1 new*2"), &known, look_up, |_| Vec::new());
    assert_eq!(found, names("a=2 new=9 empty="));
    assert_eq!(*asked.borrow(), ["new", "empty"]);
}

#[test]
fn what_was_told_while_a_configuration_was_compiled_counts() {
    let compiled = names("a=1 b=2 c=3 d=");
    let before = names("a=5 b= gone=4 d=6");
    assert_eq!(compiled.succeed(&before), names("a=5 b=2 c=3 d=6"));
}

#[test]
fn a_name_takes_other_addresses_and_nobody_takes_those_of_an_unknown_one() {
    let mut known = names("a=1");
    assert!(!known.set("a", 80, vec![address(1)]), "no change");
    assert!(known.set("a", 80, vec![address(2)]));
    assert!(!known.set("a", 81, vec![address(3)]), "another port");
    assert!(!known.set("b", 80, vec![address(3)]));
    assert_eq!(known, names("a=2"));
}

#[test]
fn what_was_found_is_kept_for_its_source_and_takes_its_description_along() {
    let source = Discovery::File("endpoints.yaml".into());
    let other = Discovery::File("other.yaml".into());
    let service = Discovery::DnsSrv("_http._tcp.test".to_owned());
    let looking_at = |source: &Discovery| {
        let mut config = config("1*1");
        let discovery = Some(source.clone());
        let cluster = Cluster { discovery, ..Cluster::new("api", Vec::new(), Protocol::Http1) };
        config.clusters.insert("api".to_owned(), cluster);
        config.zone = Some("a".to_owned());
        config
    };
    let endpoint = |last, zone: &str| Endpoint {
        weight: 7,
        priority: 2,
        zone: Some(zone.to_owned()),
        labels: [("version".to_owned(), "v2".to_owned())].into(),
        ..Endpoint::new(EndpointAddress::Socket(address(last)))
    };
    let read = |path: &Path| match path.to_str() {
        Some("endpoints.yaml") => vec![endpoint(1, "a")],
        _ => Vec::new(),
    };
    let names = |config: &Config, known: &Names| Names::of(config, known, |_, _| Vec::new(), read);
    let config = looking_at(&source);
    let mut known = names(&config, &Names::default());
    assert_eq!(known.endpoints(&config.clusters["api"]).len(), 1, "read at the start");
    assert!(known.set_discovered(&source, vec![endpoint(2, "b"), endpoint(3, "a")]));
    assert!(!known.set_discovered(&source, vec![endpoint(2, "b"), endpoint(3, "a")]), "no news");
    assert!(!known.set_discovered(&other, vec![endpoint(4, "a")]), "nobody looks there");
    let specs = names(&config, &known).succeed(&known).endpoints(&config.clusters["api"]);
    let facts: Vec<_> = specs
        .iter()
        .map(|spec| (spec.address.clone(), spec.local, spec.weight, spec.priority))
        .collect();
    assert_eq!(facts, [(address(2).into(), false, 7, 2), (address(3).into(), true, 7, 2)]);
    assert!(specs.iter().all(|spec| spec.labels.as_ref().is_some_and(|l| l["version"] == "v2")));
    for elsewhere in [other, service] {
        let config = looking_at(&elsewhere);
        assert_eq!(names(&config, &known).endpoints(&config.clusters["api"]), []);
    }
}
