use super::*;

#[test]
fn every_peer_waits_as_long_as_we_do_and_has_as_many_streams() {
    let address = SocketAddr::from(([127, 0, 0, 1], 8_080));
    for (name, jwt, waits) in [
        (PeerName::Haproxy, false, 4),
        (PeerName::Haproxy, true, 4),
        (PeerName::Envoy, false, 4),
        (PeerName::Envoy, true, 4),
        (PeerName::Nginx, false, 8),
    ] {
        let peer = Peer {
            name,
            program: PathBuf::new(),
            directory: Directory(PathBuf::from("/nowhere")),
            workers: 3,
            patience: Duration::from_secs(977),
            address,
            upstream: address,
        };
        let text = peer.render(name.template(jwt), [address; 2]);
        assert!(!text.contains("@PATIENCE@") && !text.contains("@CONNECT@"), "{text}");
        assert_eq!(text.matches("977s").count(), waits, "{text}");
        assert!(text.contains(&format!("{}s", CONNECT_TIMEOUT.as_secs())), "{text}");
        assert!(text.contains("256"), "streams: {text}");
        // HAProxy writes `@` before an address; nothing else is left of the template.
        let left =
            text.split_whitespace().filter(|word| word.starts_with('@') && word.ends_with('@'));
        assert_eq!(left.count(), 0, "{text}");
    }
}
