use super::*;

fn nonces(agent: u8, coordinator: u8) -> Nonces {
    Nonces { agent: vec![agent; NONCE_BYTES], coordinator: vec![coordinator; NONCE_BYTES] }
}

#[test]
fn a_proof_is_of_one_secret_one_side_and_one_session() {
    let secret = Secret::new(b"  correct horse battery\n").unwrap();
    let proof = secret.prove(Side::Agent, &nonces(1, 2));
    for (secret, side, nonces, right) in [
        (b"correct horse battery", Side::Agent, nonces(1, 2), true),
        (b"correct horse batterz", Side::Agent, nonces(1, 2), false),
        // What one side has proved cannot be sent back as the other's proof.
        (b"correct horse battery", Side::Coordinator, nonces(1, 2), false),
        (b"correct horse battery", Side::Agent, nonces(1, 3), false),
        (b"correct horse battery", Side::Agent, nonces(2, 1), false),
    ] {
        let secret = Secret::new(secret).unwrap();
        assert_eq!(secret.is_proof(side, &nonces, &proof), right, "{side:?} {nonces:?}");
    }
    assert!(!secret.is_proof(Side::Agent, &nonces(1, 2), &proof[..31]));
    assert!(!secret.is_proof(Side::Agent, &nonces(1, 2), &[]));
}

#[test]
fn a_secret_is_long_enough_and_never_shown() {
    assert_eq!(Secret::new(b"fifteen letters").err(), Some(SecretError(15)));
    assert_eq!(Secret::new(b"     \n\n         \n          ").err(), Some(SecretError(0)));
    assert!(Secret::new(&[b'x'; 5_000]).is_err());
    assert_eq!(format!("{:?}", Secret::new(&[b'x'; 16]).unwrap()), "Secret(…)");
    assert_ne!(nonce().unwrap(), nonce().unwrap());
}
