//! TLS on both sides, and tokens.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bulkhead_config::Config;
use bulkhead_config::model::{
    Certificate, Filter, JwtAlgorithm, JwtFilter, JwtKeys, JwtProvider, ListenerTls, Protocol,
    SecretSource, UpstreamTls,
};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::{Authority, Leaf, Scratch, SigningKey};
use bulkhead_transport::{
    CertificatePem, ClientTls, ServerConfig, ServerName, ServerTls, Ticketer,
};
use rustls::{ClientConnection, StreamOwned};

use crate::support::{PATIENCE, address, client, config, feed, origin, read_response, start};

pub(crate) type TlsClient = StreamOwned<ClientConnection, TcpStream>;

/// Puts certificates for these names before the configuration's listener.
pub(crate) fn with_tls(
    config: &mut Config,
    authority: &Authority,
    scratch: &Scratch,
    names: &[&str],
) {
    let certificates = names
        .iter()
        .map(|name| {
            let leaf = authority.issue(&[name]);
            Certificate {
                certificate_file: scratch.write(&format!("{name}.pem"), leaf.chain_pem),
                private_key: SecretSource::File(
                    scratch.write(&format!("{name}.key"), leaf.key_pem),
                ),
                ocsp_file: None,
            }
        })
        .collect();
    config.listeners[0].tls = Some(ListenerTls { certificates, ..ListenerTls::default() });
}

pub(crate) fn connect(
    gateway: &Gateway,
    tls: &Arc<bulkhead_transport::ClientConfig>,
    name: &'static str,
) -> TlsClient {
    connect_to(address(gateway), tls, name)
}

pub(crate) fn connect_to(
    address: SocketAddr,
    tls: &Arc<bulkhead_transport::ClientConfig>,
    name: &'static str,
) -> TlsClient {
    let socket = TcpStream::connect(address).expect("connect");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let name = ServerName::try_from(name).expect("a name");
    let session = ClientConnection::new(tls.clone(), name).expect("a session");
    StreamOwned::new(session, socket)
}

/// Speaks TLS to the clusters, which must be `up.example`.
pub(crate) fn with_upstream_tls(config: &mut Config, authority: &Authority, scratch: &Scratch) {
    let ca_file = scratch.write("upstream-ca.pem", authority.certificate_pem());
    config.clusters.values_mut().for_each(|cluster| {
        cluster.tls = Some(UpstreamTls {
            server_name: Some("up.example".to_owned()),
            ca_file: Some(ca_file.clone()),
            ..UpstreamTls::default()
        });
    });
}

/// Sends a request for a user's feed and reads its answer.
pub(crate) fn ask(client: &mut TlsClient, user: u64) -> Vec<u8> {
    write!(client, "GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n").expect("write");
    let expected = feed(user).len();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head
            && answer.len() >= head + 4 + expected
        {
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            return answer.split_off(head + 4);
        }
        let count = client.read(&mut piece).expect("more of the answer");
        assert!(count > 0, "the answer was cut off");
        answer.extend_from_slice(&piece[..count]);
    }
}

pub(crate) fn trusting(
    authority: &Authority,
    alpn: &[&[u8]],
) -> Arc<bulkhead_transport::ClientConfig> {
    ClientTls::new(Some(authority.certificate_pem().as_bytes()), false, alpn).expect("a config")
}

#[test]
fn tls_connections_carry_requests_and_survive_their_workers() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http2, 3);
    with_tls(&mut config, &authority, &scratch, &["a.example", "b.example"]);
    let gateway = start(config);
    let tls = trusting(&authority, &[b"http/1.1"]);
    let names = ["a.example", "b.example"];
    // Each name is verified against the certificate that SNI chose.
    let mut clients: Vec<_> =
        (0..12).map(|number| connect(&gateway, &tls, names[number % 2])).collect();
    for round in 0..9 {
        for (user, client) in clients.iter_mut().enumerate() {
            assert_eq!(ask(client, user as u64), feed(user as u64), "round {round}");
        }
        gateway.kill_worker(round % 3).expect("kill a worker");
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    // A ticket of a worker that is gone is good at its siblings.
    let mut again = connect(&gateway, &tls, "a.example");
    assert_eq!(ask(&mut again, 1), feed(1));
    assert_eq!(again.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[test]
fn tickets_are_good_at_the_gateway_that_goes_on() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let tls = trusting(&authority, &[b"http/1.1"]);
    let old = start(config.clone());
    assert_eq!(ask(&mut connect(&old, &tls, "a.example"), 1), feed(1));
    let options = GatewayOptions {
        sockets: old.hand_over(),
        // As they go from process to process.
        ticketer: Ticketer::from_bytes(&old.ticketer().to_bytes()),
        ..GatewayOptions::default()
    };
    let new = Gateway::start(config, options).expect("start");
    old.drain_handed_over(PATIENCE);
    let mut again = connect(&new, &tls, "a.example");
    assert_eq!(ask(&mut again, 2), feed(2));
    assert_eq!(again.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[test]
fn alpn_decides_and_cleartext_to_a_tls_port_is_closed() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let gateway = start(config);
    let mut h2 = connect(&gateway, &trusting(&authority, &[b"h2", b"http/1.1"]), "a.example");
    h2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("write");
    let mut frame = [0; 9];
    h2.read_exact(&mut frame).expect("a frame");
    assert_eq!((h2.conn.alpn_protocol(), frame[3]), (Some(&b"h2"[..]), 4), "SETTINGS come first");
    let mut none = connect(&gateway, &trusting(&authority, &[]), "a.example");
    assert_eq!(ask(&mut none, 4), feed(4));
    let mut cleartext = client(&gateway);
    cleartext.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(!cleartext.read_to_end().starts_with(b"HTTP"));
}

pub(crate) fn tls_origin(authority: &Authority, alpn: &[&[u8]]) -> Origin {
    let tls = Some(server_tls(authority, alpn));
    Origin::start(OriginOptions { tls, ..OriginOptions::default() }).expect("start the origin")
}

/// TLS of `up.example`.
pub(crate) fn server_tls(authority: &Authority, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    server_tls_of(&authority.issue(&["up.example"]), alpn)
}

pub(crate) fn server_tls_of(leaf: &Leaf, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let pem = CertificatePem {
        chain_pem: leaf.chain_pem.clone().into_bytes(),
        key_pem: leaf.key_pem.clone().into_bytes(),
    };
    let ticketer = Ticketer::new().expect("keys");
    ServerTls::new(vec![pem], bulkhead_transport::TlsVersion::Tls12, alpn, &ticketer)
        .expect("a config")
}

#[test]
fn upstreams_are_spoken_to_over_tls_and_verified() {
    let (authority, stranger, scratch) = (Authority::new(), Authority::new(), Scratch::new());
    for (protocol, alpn) in [(Protocol::Http1, &b"http/1.1"[..]), (Protocol::Http2, b"h2")] {
        let origin = tls_origin(&authority, &[alpn]);
        let cases = [
            (&authority, "up.example", true),
            (&authority, "other.example", false),
            (&stranger, "up.example", false),
        ];
        for (number, (trusted, name, accepted)) in cases.into_iter().enumerate() {
            let mut config = config(origin.addr(), protocol, 1);
            let ca = scratch.write(&format!("ca-{number}.pem"), trusted.certificate_pem());
            config.clusters.values_mut().for_each(|cluster| {
                cluster.tls = Some(UpstreamTls {
                    server_name: Some(name.to_owned()),
                    ca_file: Some(ca.clone()),
                    ..UpstreamTls::default()
                });
            });
            let gateway = start(config);
            let mut client = client(&gateway);
            for user in 0..3 {
                client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
                let (head, body) = read_response(&mut client);
                if accepted {
                    assert_eq!(body, feed(user), "{protocol:?}: {head}");
                } else {
                    assert!(head.starts_with("HTTP/1.1 502"), "{protocol:?} {name}: {head}");
                }
            }
        }
    }
}

const SECRET: &[u8] = b"a secret of thirty-two bytes, no less";

/// Asks for tokens of the issuer `accounts` that this key has signed under the id `one`.
pub(crate) fn with_tokens(upstream: SocketAddr, key: &SigningKey, scratch: &Scratch) -> Config {
    let mut config = config(upstream, Protocol::Http1, 1);
    let keys = scratch.write("keys.jwks", key.jwks("one"));
    let provider = JwtProvider {
        name: "accounts".to_owned(),
        issuer: Some("https://accounts.example".to_owned()),
        audiences: vec!["feed".to_owned()],
        algorithms: vec![JwtAlgorithm::Es256],
        keys: JwtKeys::JwksFile(keys),
        clock_skew: std::time::Duration::from_secs(5),
        cache_size: 100,
    };
    config.jwt_providers.insert("accounts".to_owned(), provider);
    config.routes[0].filters.push(Filter::Jwt(JwtFilter {
        providers: vec!["accounts".to_owned()],
        optional: false,
        claims_to_headers: [("sub".to_owned(), "x-user".to_owned())].into(),
        forward_token: false,
    }));
    config
}

/// A token that [`with_tokens`] lets in for a minute.
pub(crate) fn good_token(key: &SigningKey) -> String {
    key.token_with_kid("one", &claims(now_s() + 60))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims(expires: u64) -> serde_json::Value {
    serde_json::json!({
        "iss": "https://accounts.example", "aud": "feed", "sub": "ada", "exp": expires,
    })
}

#[test]
fn tokens_are_required_checked_and_turned_into_headers() {
    let (origin, scratch) = (origin(), Scratch::new());
    let (key, other) = (SigningKey::es256(), SigningKey::es256());
    let gateway = start(with_tokens(origin.addr(), &key, &scratch));
    let mut client = client(&gateway);
    let mut ask = |authorization: &str| {
        client.send(format!(
            "GET /headers HTTP/1.1\r\nhost: a\r\nx-user: mallory\r\n{authorization}\r\n"
        ));
        let (head, body) = read_response(&mut client);
        (head, String::from_utf8(body).expect("text"))
    };
    let bearer = |token: String| format!("authorization: Bearer {token}\r\n");

    let good = key.token_with_kid("one", &claims(now_s() + 60));
    for _ in 0..3 {
        let (head, body) = ask(&bearer(good.clone()));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(body.contains("ada") && !body.contains("mallory"), "{body}");
        assert!(!body.contains("uthorization"), "the token stays here: {body}");
    }
    for (what, authorization) in [
        ("none", String::new()),
        ("expired", bearer(key.token_with_kid("one", &claims(now_s() - 60)))),
        ("foreign", bearer(other.token_with_kid("one", &claims(now_s() + 60)))),
        ("unknown key", bearer(key.token_with_kid("two", &claims(now_s() + 60)))),
        ("shared secret", bearer(SigningKey::hs256(SECRET).token(&claims(now_s() + 60)))),
        ("no token", "authorization: Bearer x\r\n".to_owned()),
    ] {
        let (head, body) = ask(&authorization);
        assert!(head.starts_with("HTTP/1.1 401"), "{what}: {head}");
        assert!(head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{what}: {head}");
        assert!(!body.contains("eyJ"), "{what}: nothing of the token is echoed");
    }
}

#[test]
fn new_keys_refuse_old_tokens_and_unchanged_ones_keep_the_cache() {
    let (origin, scratch) = (origin(), Scratch::new());
    let (key, next) = (SigningKey::es256(), SigningKey::es256());
    let gateway = start(with_tokens(origin.addr(), &key, &scratch));
    let mut client = client(&gateway);
    let token = key.token_with_kid("one", &claims(now_s() + 60));
    let mut status = || {
        client.send(format!(
            "GET /headers HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n"
        ));
        read_response(&mut client).0.split(' ').nth(1).map(str::to_owned).expect("a status")
    };
    assert_eq!(status(), "200");
    gateway.apply(with_tokens(origin.addr(), &key, &scratch)).expect("apply the same");
    assert_eq!(status(), "200");
    // The same file name with other keys in it: a provider of another revision.
    gateway.apply(with_tokens(origin.addr(), &next, &scratch)).expect("apply new keys");
    // Workers read their mail at their next turn, not before `apply` comes back.
    let refused = (0..200).any(|_| status() == "401");
    assert!(refused, "the old token is still good");
    assert_eq!(status(), "401");
}
