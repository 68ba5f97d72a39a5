use super::*;

#[test]
fn targets_are_allowed_by_network_address_or_name() {
    let resolve = |host: &str| match host {
        "origin.example" => vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        _ => Vec::new(),
    };
    for (rules, address, allowed) in [
        (&[][..], "203.0.113.1", true),
        (&["10.0.0.0/8"][..], "10.255.0.1", true),
        (&["10.0.0.0/8"], "11.0.0.1", false),
        (&["10.0.0.0/8"], "::ffff:10.0.0.1", true),
        (&["10.0.0.0/8"], "::1", false),
        (&["10.1.2.3/8"], "10.255.0.1", true),
        (&["0.0.0.0/0"], "203.0.113.1", true),
        (&["0.0.0.0/0"], "2001:db8::1", false),
        (&["192.0.2.7"], "192.0.2.7", true),
        (&["192.0.2.7"], "192.0.2.8", false),
        (&["2001:db8::/33"], "2001:db8:7fff::1", true),
        (&["2001:db8::/33"], "2001:db8:8000::1", false),
        (&["10.0.0.0/8", "origin.example"], "192.0.2.7", true),
        (&["origin.example"], "2001:db8::7", true),
        (&["origin.example"], "192.0.2.8", false),
        (&["unknown.example"], "192.0.2.7", false),
    ] {
        let rules: Vec<String> = rules.iter().map(|&rule| rule.to_owned()).collect();
        let parsed = AllowedTargets::parse(&rules).unwrap();
        assert_eq!(
            parsed.allows_with(address.parse().unwrap(), resolve),
            allowed,
            "{rules:?} {address}"
        );
    }
}

#[test]
fn what_is_no_target_is_refused() {
    for rule in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "host.example:80", "http://a", "a b/8"] {
        let error = AllowedTargets::parse(&[rule.to_owned()]).unwrap_err();
        assert!(error.contains("is no target"), "{rule}: {error}");
    }
}
