use std::time::Duration;

use bulkhead_chaos::http::HeaderCondition;

use super::*;

fn rule(percent: f64, change: impl FnOnce(&mut HttpScope)) -> Arc<Rule> {
    let mut scope = HttpScope::all(percent);
    change(&mut scope);
    let fault = HttpFault { effect: HttpEffect::Abort(AbortWith::Status(503)), scope };
    Arc::new(Rule::new(&fault, 7, None).expect("a rule"))
}

fn request(headers: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new();
    for (name, value) in headers {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}

fn asked(request: &RequestHead) -> Asked<'_> {
    Asked {
        point: Point::Request,
        route: "api",
        cluster: "users",
        endpoint: None,
        request,
        client: None,
        now: Instant::now(),
    }
}

fn strikes(rule: &Arc<Rule>, count: usize, request: &RequestHead) -> Vec<bool> {
    (0..count).map(|_| rule.draw(&asked(request)).is_some()).collect()
}

#[test]
fn the_same_seed_strikes_the_same_exchanges() {
    let request = request(&[]);
    let [one, other] = [rule(10.0, |_| ()), rule(10.0, |_| ())];
    let struck = strikes(&one, 10_000, &request);
    assert_eq!(struck, strikes(&other, 10_000, &request));
    let count = struck.iter().filter(|struck| **struck).count();
    // Five standard deviations of a binomial distribution.
    assert!((850..=1_150).contains(&count), "{count}");
    assert_eq!((one.seen(), one.hits(), one.active()), (10_000, count as u64, 0));
}

#[test]
fn all_conditions_must_hold() {
    let plain = request(&[("x-user", "7"), ("x-test", "")]);
    let header = |name: &str, value: Option<&str>| HeaderCondition {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let check = |strikes: bool, change: fn(&mut HttpScope)| {
        assert_eq!(rule(100.0, change).draw(&asked(&plain)).is_some(), strikes);
    };
    check(true, |_| ());
    check(true, |scope| scope.route = Some("api".to_owned()));
    check(false, |scope| scope.route = Some("other".to_owned()));
    check(true, |scope| scope.cluster = Some("users".to_owned()));
    check(false, |scope| scope.cluster = Some("other".to_owned()));
    check(false, |scope| scope.endpoint = Some("10.0.0.1:80".to_owned()));
    for (name, value, strikes) in [
        ("X-User", Some("7"), true),
        ("x-user", Some("8"), false),
        ("x-test", None, true),
        ("x-none", None, false),
    ] {
        let rule = rule(100.0, |scope| scope.headers = vec![header(name, value)]);
        assert_eq!(rule.draw(&asked(&plain)).is_some(), strikes, "{name} {value:?}");
    }
}

#[test]
fn it_befalls_no_more_than_so_many_at_a_time() {
    let request = request(&[]);
    let rule = rule(100.0, |scope| scope.active_max = Some(2));
    let one = rule.draw(&asked(&request)).expect("a fault");
    let _other = rule.draw(&asked(&request)).expect("a fault");
    assert!(rule.draw(&asked(&request)).is_none());
    drop(one);
    assert!(rule.draw(&asked(&request)).is_some());
}

#[test]
fn it_ends_with_its_time_and_when_it_is_taken_back() {
    let request = request(&[]);
    let fault = HttpFault::new(HttpEffect::Goaway, 100.0);
    let now = Instant::now();
    let deadline = now + Duration::from_secs(60);
    let rule = Arc::new(Rule::new(&fault, 7, Some(deadline)).expect("a rule"));
    let at = |now| Asked { now, ..asked(&request) };
    assert!(rule.draw(&at(now)).is_some());
    assert!(rule.draw(&at(deadline)).is_none());
    rule.end();
    assert!(rule.draw(&at(now)).is_none());
}

#[test]
fn groups_are_as_large_as_each_other_and_stay_together() {
    let sticky = Sticky::Header("x-user".to_owned());
    let rule = rule(20.0, |scope| scope.control_group = Some(sticky));
    let group_of = |user: usize| {
        let drawn = rule.draw(&asked(&request(&[("x-user", &user.to_string())])));
        drawn.map(|drawn| (drawn.active.group(), drawn.effect.is_some()))
    };
    let groups: Vec<_> = (0..10_000).map(group_of).collect();
    for (group, strikes) in [(Group::Experiment, true), (Group::Control, false)] {
        let wanted = Some((Some(group), strikes));
        let count = groups.iter().filter(|group| **group == wanted).count();
        assert!((1_800..=2_200).contains(&count), "{group:?}: {count}");
    }
    assert_eq!(groups[..100], (0..100).map(group_of).collect::<Vec<_>>());
    assert!(rule.draw(&asked(&request(&[]))).is_none());
}

#[test]
fn headers_ask_for_no_more_than_is_granted() {
    let header = |fault, percent| {
        let scope = HttpScope::all(percent);
        Arc::new(Rule::with(Strike::Header(fault), scope, 7, None).expect("a rule"))
    };
    let delay =
        HttpEffect::Delay { delay: Duration::from_millis(5), direction: BodyDirection::Request };
    let abort = |status| Some(HttpEffect::Abort(AbortWith::Status(status)));
    for (fault, headers, effect) in [
        (HeaderFault::Delay, vec![("x-envoy-fault-delay-request", "5")], Some(delay)),
        (HeaderFault::Delay, vec![("x-envoy-fault-delay-request", "-5")], None),
        (HeaderFault::Abort, vec![("x-envoy-fault-abort-request", "418")], abort(418)),
        (HeaderFault::Abort, vec![("x-envoy-fault-abort-request", "99")], None),
        (
            HeaderFault::Abort,
            vec![("x-envoy-fault-abort-grpc-request", "14")],
            Some(HttpEffect::Abort(AbortWith::GrpcStatus(14))),
        ),
        (
            HeaderFault::Abort,
            vec![
                ("x-envoy-fault-abort-request", "418"),
                ("x-envoy-fault-abort-request-percentage", "0"),
            ],
            None,
        ),
        (HeaderFault::Abort, vec![], None),
    ] {
        let request = request(&headers);
        let drawn = header(fault, 100.0).draw(&asked(&request));
        assert_eq!(drawn.and_then(|drawn| drawn.effect), effect, "{headers:?}");
    }
}
