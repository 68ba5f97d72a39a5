use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_config::model::{Certificate, JwtAlgorithm, JwtProvider, Listener, ListenerTls};

use super::*;

#[test]
fn all_paths_are_found() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::quick(address, "https://localhost:1", None).unwrap();
    config.listeners = vec![Listener {
        tls: Some(ListenerTls {
            certificates: vec![Certificate {
                certificate_file: "a.pem".into(),
                private_key: SecretSource::File("a.key".into()),
                ocsp_file: None,
            }],
            ..ListenerTls::default()
        }),
        ..Listener::new("https", address)
    }];
    for cluster in config.clusters.values_mut() {
        if let Some(tls) = &mut cluster.tls {
            tls.ca_file = Some("ca.pem".into());
        }
    }
    let provider = JwtProvider {
        name: "p".to_owned(),
        issuer: None,
        audiences: Vec::new(),
        algorithms: vec![JwtAlgorithm::Rs256],
        keys: JwtKeys::JwksFile("jwks.json".into()),
        clock_skew: Duration::ZERO,
        cache_size: 0,
    };
    config.jwt_providers.insert("p".to_owned(), provider);
    config.access_log = Some(AccessLog::File("access.log".into()));
    let found: Vec<PathBuf> = paths(&mut config).into_iter().map(|path| path.clone()).collect();
    assert_eq!(found, ["a.pem", "a.key", "ca.pem", "jwks.json", "access.log"].map(PathBuf::from));
}
