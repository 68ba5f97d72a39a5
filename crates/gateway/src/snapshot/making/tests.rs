use bulkhead_config::Config;
use bulkhead_testkit::{Authority, Scratch};

use super::*;
use crate::snapshot::ClusterEntry;
use crate::{Gateway, GatewayOptions};

/// A listener with a certificate, a token issuer for this audience, and TLS towards a cluster.
fn config(scratch: &Scratch, listener: &str, audience: &str, alt_name: &str) -> Config {
    let directory = scratch.path().display();
    let file = format!(
        "workers: 1\n\
         listeners:\n\
         - address: 127.0.0.1:0\n  \
           tls: {{certificates: [{{certificate_file: {directory}/a.pem, \
                  private_key_file: {directory}/a.key}}]}}\n\
         {listener}\
         jwt_providers: {{accounts: {{algorithms: [HS256], audiences: [{audience}], \
                         secret_file: {directory}/secret}}}}\n\
         routes: [{{backends: [a], filters: [{{jwt: {{providers: [accounts]}}}}]}}]\n\
         clusters: {{a: {{endpoints: [\"127.0.0.1:2\"], tls: {{ca_file: {directory}/ca.pem, \
                    server_name: a.test, subject_alt_names: [{alt_name}]}}}}}}\n"
    );
    bulkhead_config::parse(&file, "test.yaml").expect("a configuration").config
}

fn cluster(gateway: &Gateway) -> Arc<ClusterEntry> {
    gateway.shared.state().snapshot.as_ref().unwrap().clusters[0].clone()
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let leaf = authority.issue(&["a.test"]);
    scratch.write("a.pem", &leaf.chain_pem);
    scratch.write("a.key", &leaf.key_pem);
    scratch.write("ca.pem", authority.certificate_pem());
    scratch.write("secret", "a secret of thirty-two bytes, no less");
    let good = || config(&scratch, "", "feed", "a.test");
    let gateway = Gateway::start(good(), GatewayOptions::default()).unwrap();
    let issuer = || gateway.compiler.providers.of(&good()).unwrap()["accounts"].1.clone();
    let (issuer_before, cluster_before) = (issuer(), cluster(&gateway));
    let certificates = gateway.certificates();
    assert_eq!(certificates.total, 1);

    let at_install = "- address: unix:/nonexistent/bulkhead/socket\n";
    let in_compile =
        "- {address: \"127.0.0.1:0\", tls: {certificates_dir: /nonexistent/bulkhead}}\n";
    for listener in [at_install, in_compile] {
        gateway.apply(config(&scratch, listener, "other", "b.test")).unwrap_err();
        let mut none = config(&scratch, listener, "feed", "a.test");
        none.listeners[0].tls = None;
        none.routes.clear();
        none.clusters.clear();
        none.jwt_providers.clear();
        gateway.apply(none).unwrap_err();
        assert_eq!(gateway.certificates(), certificates, "{listener}");
        gateway.apply(good()).unwrap();
        assert!(Arc::ptr_eq(&issuer(), &issuer_before), "{listener}");
        assert!(cluster(&gateway).same_tls(&cluster_before), "{listener}");
    }

    // What is in force is what the next one is compared with.
    gateway.apply(config(&scratch, "", "other", "b.test")).unwrap();
    assert!(!cluster(&gateway).same_tls(&cluster_before));
    assert!(!Arc::ptr_eq(&issuer(), &issuer_before));
}
