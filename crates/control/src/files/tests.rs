use std::time::Duration;

use bulkhead_config::model::{
    Certificate, Cluster, JwtAlgorithm, JwtProvider, Listener, ListenerTls, Protocol, UpstreamTls,
};

use super::*;

fn provider(keys: JwtKeys) -> JwtProvider {
    JwtProvider {
        name: String::new(),
        issuer: None,
        audiences: Vec::new(),
        algorithms: vec![JwtAlgorithm::Rs256],
        keys,
        clock_skew: Duration::ZERO,
        cache_size: 0,
    }
}

#[test]
fn every_kind_of_file_is_found_once() {
    let certificate = |name: &str, private_key| Certificate {
        certificate_file: PathBuf::from(name),
        private_key,
        ocsp_file: None,
    };
    let mut cluster = Cluster::new("api", Vec::new(), Protocol::Http2);
    cluster.tls = Some(UpstreamTls { ca_file: Some("ca.pem".into()), ..UpstreamTls::default() });
    let mut config = Config::default();
    config.listeners.push(Listener {
        tls: Some(ListenerTls {
            certificates: vec![
                certificate("a.pem", SecretSource::File("a.key".into())),
                certificate("a.pem", SecretSource::Environment("KEY".to_owned())),
            ],
            ..ListenerTls::default()
        }),
        ..Listener::new("https", ([127, 0, 0, 1], 0))
    });
    config.clusters.insert("api".to_owned(), cluster);
    for (name, keys) in [
        ("inline", JwtKeys::InlineJwks("{}".to_owned())),
        ("jwks", JwtKeys::JwksFile("jwks.json".into())),
        ("pem", JwtKeys::PublicKeyFile("public.pem".into())),
        ("secret", JwtKeys::Secret(SecretSource::File("secret".into()))),
    ] {
        config.jwt_providers.insert(name.to_owned(), provider(keys));
    }
    let expected = ["a.key", "a.pem", "ca.pem", "jwks.json", "public.pem", "secret"];
    assert_eq!(referenced(&config), expected.map(PathBuf::from));
}
