use super::*;

fn existing() -> Existing {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let endpoints = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
    Existing {
        listeners: vec![("web".to_owned(), true), ("mail".to_owned(), false)],
        routes: texts(&["api", "pages"]),
        clusters: vec![
            ("users".to_owned(), endpoints(&["10.0.0.1:80", "10.0.0.2:80"])),
            ("files".to_owned(), endpoints(&["unix:/run/files"])),
        ],
        providers: texts(&["idp"]),
        workers: 2,
    }
}

fn scope(change: impl FnOnce(&mut HttpScope)) -> Result<(), String> {
    let mut scope = HttpScope::all(100.0);
    change(&mut scope);
    existing().check_scope(&scope)
}

#[test]
fn what_is_there_can_be_named() {
    assert_eq!(scope(|_| ()), Ok(()));
    let all = scope(|scope| {
        scope.listener = Some("web".to_owned());
        scope.route = Some("api".to_owned());
        scope.cluster = Some("users".to_owned());
        scope.endpoint = Some("10.0.0.2:80".to_owned());
    });
    assert_eq!(all, Ok(()));
    // Without a cluster it may be anybody's.
    assert_eq!(scope(|scope| scope.endpoint = Some("unix:/run/files".to_owned())), Ok(()));
}

#[test]
fn what_is_not_there_is_told_with_what_was_meant() {
    let name = |text: &str| Some(text.to_owned());
    for (told, expect) in [
        (scope(|scope| scope.route = name("aip")), "no route `aip`; did you mean `api`?"),
        (scope(|scope| scope.route = name("x")), "no route `x`; expected is `api` or `pages`"),
        (scope(|scope| scope.cluster = name("user")), "no cluster `user`; did you mean `users`?"),
        (scope(|scope| scope.listener = name("wbe")), "no listener `wbe`; did you mean `web`?"),
        (scope(|scope| scope.listener = name("mail")), "`mail` passes bytes on"),
        (scope(|scope| scope.endpoint = name("10.0.0.3:80")), "no endpoint `10.0.0.3:80`; did you"),
        (
            scope(|scope| {
                scope.cluster = name("files");
                scope.endpoint = name("10.0.0.1:80");
            }),
            "no endpoint of the cluster `files` `10.0.0.1:80`; expected is `unix:/run/files`",
        ),
    ] {
        let told = told.unwrap_err();
        assert!(told.contains(expect), "{told}");
    }
    let nothing = Existing::default();
    let scope = HttpScope { route: name("api"), ..HttpScope::all(100.0) };
    let told = nothing.check_scope(&scope).unwrap_err();
    assert_eq!(told, "there is no route `api`, nor any other");
}

#[test]
fn faults_of_the_gateway_itself_name_workers_clusters_and_issuers() {
    let own = |declared: serde_json::Value| {
        existing().check_own(&serde_json::from_value(declared).unwrap())
    };
    let json = |text: &str| serde_json::from_str(text).unwrap();
    for fits in [
        r#"{"stall_worker": {"worker": 1}}"#,
        r#"{"shrink_pools": {"connections_max": 1}}"#,
        r#"{"shrink_pools": {"cluster": "users", "connections_max": 1}}"#,
        r#"{"rotate_jwt_keys": {"provider": "idp"}}"#,
        r#"{"rotate_jwt_keys": {}}"#,
        r#"{"slow_log": {"delay_ms": 1}}"#,
    ] {
        assert_eq!(own(json(fits)), Ok(()), "{fits}");
    }
    for (wrong, expect) in [
        (r#"{"stall_worker": {"worker": 2}}"#, "no worker 2; they are numbered 0 to 1"),
        (r#"{"shrink_pools": {"cluster": "usres", "connections_max": 1}}"#, "mean `users`?"),
        (r#"{"expire_certificates": {"cluster": "fiels"}}"#, "mean `files`?"),
        (
            r#"{"rotate_jwt_keys": {"provider": "ipd"}}"#,
            "no JWT provider `ipd`; did you mean `idp`?",
        ),
    ] {
        let told = own(json(wrong)).unwrap_err();
        assert!(told.contains(expect), "{told}");
    }
}
