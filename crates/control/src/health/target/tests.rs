//! What follows from configuration and endpoints in force.

use std::time::Duration;

use bulkhead_config::model::{Discovery, Endpoint, EndpointAddress};

use super::*;

fn cluster(probe: HealthProbe, tls: Option<UpstreamTls>) -> Cluster {
    let address: SocketAddr = ([10, 0, 0, 1], 8080).into();
    let endpoint = Endpoint::new(EndpointAddress::Socket(address));
    Cluster {
        health_check: Some(HealthCheck {
            probe,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            jitter_percent: 10,
            port: Some(9_000),
            initially_healthy: true,
        }),
        tls,
        ..Cluster::new("api", vec![endpoint], Protocol::Http1)
    }
}

fn checks(cluster: Cluster) -> Checks {
    let clusters = [(cluster.name.clone(), cluster)].into();
    Checks::of(&Config { clusters, ..Config::default() })
}

fn endpoint(cluster: &str, address: &str, host: Option<&str>) -> CheckedEndpoint {
    let (cluster, host) = (cluster.to_owned(), host.map(str::to_owned));
    CheckedEndpoint { cluster, address: address.parse().unwrap(), host }
}

#[test]
fn authority_is_what_clients_of_the_endpoint_write() {
    let probe = |host: Option<&str>| HealthProbe::Grpc {
        service: String::new(),
        host: host.map(str::to_owned),
    };
    // Configured host, TLS, address, its name; authority.
    for (configured, tls, address, host, authority) in [
        (None, false, "10.0.0.1:8080", None, "10.0.0.1:8080"),
        (None, false, "[::1]:80", None, "[::1]:80"),
        (None, false, "10.0.0.1:8080", Some("api.test"), "api.test:8080"),
        (None, false, "10.0.0.1:80", Some("api.test"), "api.test"),
        (None, true, "10.0.0.1:443", Some("api.test"), "api.test"),
        (None, true, "10.0.0.1:80", Some("api.test"), "api.test:80"),
        (Some("health.test"), true, "10.0.0.1:80", Some("api.test"), "health.test"),
    ] {
        let tls = tls.then(UpstreamTls::default);
        let checks = checks(cluster(probe(configured), tls));
        let target = checks.target(endpoint("api", address, host)).unwrap();
        assert_eq!(target.authority, authority);
        assert_eq!(target.address().inet().unwrap().port(), 9_000);
        assert_eq!(target.endpoint, address.parse().unwrap());
    }
}

#[test]
fn a_unix_socket_has_no_port_and_no_name() {
    let probe = HealthProbe::Grpc { service: String::new(), host: None };
    let checks = checks(cluster(probe, Some(UpstreamTls::default())));
    let target = checks.target(endpoint("api", "unix:/run/api.sock", None)).unwrap();
    assert_eq!(target.authority, "localhost");
    assert_eq!(target.address().to_string(), "unix:/run/api.sock");
    // The configuration's checks ask for a name.
    let nameless = Tls::On(ClientTls::new(None, false, &[]).unwrap(), None);
    assert!(nameless.target(&target.address()).is_err());
}

#[test]
fn only_clusters_with_checks_have_targets() {
    let unchecked = Cluster { health_check: None, ..cluster(HealthProbe::Tcp, None) };
    assert!(checks(unchecked.clone()).is_empty());
    assert_eq!(checks(unchecked).target(endpoint("api", "10.0.0.1:80", None)), None);
    let checked = checks(cluster(HealthProbe::Tcp, None));
    assert_eq!(checked.target(endpoint("other", "10.0.0.1:80", None)), None);
    assert!(checked.target(endpoint("api", "10.0.0.1:80", None)).is_some());
}

#[test]
fn tls_that_cannot_be_used_is_a_reason() {
    let missing = UpstreamTls { ca_file: Some("/nowhere/ca.pem".into()), ..UpstreamTls::default() };
    let checks = checks(cluster(HealthProbe::Tcp, Some(missing)));
    let reason = checks.tls("api").target(&([10, 0, 0, 1], 80).into()).unwrap_err();
    assert!(reason.starts_with("read the CA file"), "{reason}");
}

#[test]
fn tls_asks_for_the_name_that_connections_of_requests_ask_for() {
    let found = Cluster {
        endpoints: Vec::new(),
        discovery: Some(Discovery::DnsSrv("_https._tcp.api.test".to_owned())),
        ..cluster(HealthProbe::Tcp, Some(UpstreamTls::default()))
    };
    let set = UpstreamTls { server_name: Some("set.test".to_owned()), ..UpstreamTls::default() };
    let set = Cluster { tls: Some(set), ..found.clone() };
    for (cluster, name) in [(found, "api.test"), (set, "set.test")] {
        let target = checks(cluster).tls("api").target(&([10, 0, 0, 1], 443).into()).unwrap();
        assert_eq!(target.unwrap().server_name, ServerName::try_from(name).unwrap());
    }
}

#[test]
fn a_port_of_its_own_gets_no_proxy_header() {
    let mut cluster = Cluster {
        proxy_protocol: Some(ProxyProtocolVersion::V2),
        ..cluster(HealthProbe::Tcp, None)
    };
    let proxied = |cluster: &Cluster| {
        let target = checks(cluster.clone()).target(endpoint("api", "10.0.0.1:80", None));
        target.unwrap().proxy_protocol
    };
    assert_eq!(proxied(&cluster), None);
    cluster.health_check.as_mut().unwrap().port = None;
    assert_eq!(proxied(&cluster), Some(ProxyProtocolVersion::V2));
}
