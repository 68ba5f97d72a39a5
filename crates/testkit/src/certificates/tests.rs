use super::*;

#[test]
fn leaf_comes_with_its_chain_and_key() {
    let authority = Authority::new();
    let leaf = authority.issue(&["localhost", "127.0.0.1"]);
    assert_eq!(leaf.chain_pem.matches("-----BEGIN CERTIFICATE-----").count(), 2);
    assert!(leaf.chain_pem.ends_with(&authority.certificate_pem()));
    assert!(leaf.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    KeyPair::from_pem(&leaf.key_pem).unwrap();
}
