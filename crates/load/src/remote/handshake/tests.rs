use std::net::{TcpListener, TcpStream};

use super::*;

const SECRET: &[u8] = b"a secret of 24 letters..";

fn pair() -> (Frames, Frames) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    (Frames::new(near).unwrap(), Frames::new(far).unwrap())
}

/// What the coordinator and the agent say, each with its secret.
fn greet(
    coordinator: Option<&[u8]>,
    agent: Option<&[u8]>,
) -> (Result<(), WireError>, Result<(), WireError>) {
    let secret = |bytes: Option<&[u8]>| bytes.map(|bytes| Secret::new(bytes).unwrap());
    let (coordinator, agent) = (secret(coordinator), secret(agent));
    let (mut near, mut far) = pair();
    let accepting = std::thread::spawn(move || accept(&mut far, agent.as_ref()));
    let connected = connect(&mut near, coordinator.as_ref());
    drop(near);
    (connected, accepting.join().unwrap())
}

#[test]
fn both_sides_need_the_same_secret_or_none() {
    assert!(matches!(greet(Some(SECRET), Some(SECRET)), (Ok(()), Ok(()))));
    assert!(matches!(greet(None, None), (Ok(()), Ok(()))));

    let (coordinator, agent) = greet(Some(b"another secret of letters"), Some(SECRET));
    let told = coordinator.unwrap_err().to_string();
    assert!(told.contains("not the same"), "{told}");
    assert!(!told.contains("letters"), "{told}");
    assert!(matches!(agent, Err(WireError::OtherSecret)));

    // Neither side serves, or is served, without a proof if it has a secret.
    assert!(matches!(greet(None, Some(SECRET)).0, Err(WireError::NoSecretHere)));
    assert!(matches!(greet(Some(SECRET), None).0, Err(WireError::NoSecretThere)));
}

#[test]
fn an_agent_that_only_claims_to_have_the_secret_is_found_out() {
    let (mut near, mut far) = pair();
    let impostor = std::thread::spawn(move || {
        far.send(&AgentGreeting {
            protocol: PROTOCOL.to_owned(),
            version: VERSION,
            nonce: Hex(vec![7; NONCE_BYTES]),
            secret: true,
        })
        .unwrap();
        let theirs: CoordinatorGreeting =
            far.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT).unwrap();
        // The coordinator's own proof, sent back.
        far.send(&Welcome::Welcome { proof: theirs.proof }).unwrap();
    });
    let connected = connect(&mut near, Some(&Secret::new(SECRET).unwrap()));
    assert!(matches!(connected, Err(WireError::OtherSecret)));
    impostor.join().unwrap();
}

#[test]
fn another_version_or_protocol_is_told() {
    for (protocol, version, nonce, expected) in [
        (PROTOCOL, VERSION + 1, NONCE_BYTES, "version 2, we speak 1"),
        ("other", VERSION, NONCE_BYTES, "no load agent"),
        (PROTOCOL, VERSION, 3, "nonce"),
    ] {
        let protocol = protocol.to_owned();
        let (mut near, mut far) = pair();
        far.send(&AgentGreeting {
            protocol: protocol.clone(),
            version,
            nonce: Hex(vec![7; nonce]),
            secret: false,
        })
        .unwrap();
        let error = connect(&mut near, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");

        // The agent tells the coordinator as well.
        let (mut near, mut far) = pair();
        let accepting = std::thread::spawn(move || accept(&mut far, None));
        let _: AgentGreeting = near.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT).unwrap();
        near.send(&CoordinatorGreeting {
            protocol,
            version,
            nonce: Hex(vec![7; nonce]),
            proof: None,
        })
        .unwrap();
        let told: Welcome = near.receive(GREETING_BYTES_MAX, GREETING_TIMEOUT).unwrap();
        assert!(matches!(told, Welcome::Refused { reason } if reason.contains(expected)));
        assert!(accepting.join().unwrap().is_err());
    }
}
