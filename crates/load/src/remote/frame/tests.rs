use std::net::TcpListener;

use super::*;
use crate::Random;
use crate::remote::Secret;
use crate::remote::secret::{Nonces, Side};
use crate::remote::wire::{Order, Told};

/// Two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn keyed(stream: TcpStream, side: Side, secret: &[u8]) -> Frames {
    let secret = Secret::new(secret).unwrap();
    let nonces = Nonces { agent: vec![1; 32], coordinator: vec![2; 32] };
    let mut frames = Frames::new(stream).unwrap();
    frames.authenticate(secret.frame_key(side, &nonces), secret.frame_key(side.other(), &nonces));
    frames
}

const SECRET: &[u8] = b"a secret of 24 letters..";
const WAIT: Duration = Duration::from_secs(10);

fn receive(frames: &mut Frames) -> Result<Told, WireError> {
    frames.receive(1_024, WAIT)
}

#[test]
fn frames_come_as_they_were_sent() {
    let (near, far) = pair();
    let (mut near, mut far) = (Frames::new(near).unwrap(), Frames::new(far).unwrap());
    near.send(&Told::Planned { threads: 3, classes: 2 }).unwrap();
    near.send(&Told::Ready).unwrap();
    assert!(matches!(receive(&mut far), Ok(Told::Planned { threads: 3, classes: 2 })));
    assert!(matches!(receive(&mut far), Ok(Told::Ready)));
    drop(near);
    assert!(matches!(receive(&mut far), Err(WireError::Closed)));
}

#[test]
fn a_frame_may_come_in_pieces() {
    let (mut near, far) = pair();
    let mut far = Frames::new(far).unwrap();
    let body = br#"{"refused":{"reason":"no"}}"#;
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    for byte in frame {
        near.write_all(&[byte]).unwrap();
        if far.buffer.len() < 6 {
            assert!(matches!(far.poll::<Told>(1_024), Ok(None)));
        }
    }
    assert!(matches!(receive(&mut far), Ok(Told::Refused { reason }) if reason == "no"));
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_a_byte_is_read() {
    for length in [1_025_u32, u32::MAX, u32::from_be_bytes(*b"GET ")] {
        let (mut near, far) = pair();
        near.write_all(&length.to_be_bytes()).unwrap();
        let mut far = Frames::new(far).unwrap();
        let error = receive(&mut far).unwrap_err();
        assert!(matches!(error, WireError::TooLong { limit: 1_024, .. }), "{error}");
        assert_eq!(far.buffer.len(), LENGTH_BYTES);
    }
}

#[test]
fn hostile_bytes_are_an_error() {
    let mut random = Random::new(11);
    let mut bodies: Vec<Vec<u8>> =
        (0..200).map(|_| (0..random.below(64)).map(|_| random.next() as u8).collect()).collect();
    for text in [
        "",
        "null",
        "{}",
        r#"{"second":{}}"#,
        r#"{"second":[]}"#,
        r#"{"planned":{"threads":-1,"classes":1}}"#,
        r#"{"planned":{"threads":1.5,"classes":1}}"#,
        r#"{"planned":{"threads":99999999999999999999,"classes":1}}"#,
        r#"{"planned":{"threads":18446744073709551615,"classes":1}}"#,
        r#"{"unknown":1}"#,
    ] {
        bodies.push(text.as_bytes().to_vec());
    }
    bodies.push(vec![b'['; 1_000]);
    for body in bodies {
        let (mut near, far) = pair();
        near.write_all(&(body.len() as u32).to_be_bytes()).unwrap();
        near.write_all(&body).unwrap();
        let told = receive(&mut Frames::new(far).unwrap());
        assert!(
            matches!(told, Err(WireError::Message(_) | WireError::Numbers)),
            "{:?}: {told:?}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn a_frame_that_is_not_the_other_sides_is_refused() {
    // With the same secret.
    let (near, far) = pair();
    let mut near = keyed(near, Side::Agent, SECRET);
    let mut far = keyed(far, Side::Coordinator, SECRET);
    near.send(&Told::Ready).unwrap();
    near.send(&Told::Pong).unwrap();
    assert!(matches!(receive(&mut far), Ok(Told::Ready)));
    assert!(matches!(receive(&mut far), Ok(Told::Pong)));

    // With another, or as the same side, or without one.
    let (near, far) = pair();
    keyed(near, Side::Agent, b"another secret of letters").send(&Told::Ready).unwrap();
    let told = receive(&mut keyed(far, Side::Coordinator, SECRET));
    assert!(matches!(told, Err(WireError::NotAuthentic)), "{told:?}");
    let (near, far) = pair();
    keyed(near, Side::Coordinator, SECRET).send(&Order::Stop).unwrap();
    let told = receive(&mut keyed(far, Side::Coordinator, SECRET));
    assert!(matches!(told, Err(WireError::NotAuthentic)), "{told:?}");
    let (near, far) = pair();
    Frames::new(near).unwrap().send(&Told::Ready).unwrap();
    let told = receive(&mut keyed(far, Side::Coordinator, SECRET));
    assert!(matches!(told, Err(WireError::NotAuthentic)), "{told:?}");
}

#[test]
fn a_frame_cannot_be_repeated() {
    // What was caught of an earlier frame is sent again.
    let (near, mut caught) = pair();
    keyed(near, Side::Agent, SECRET).send(&Told::Ready).unwrap();
    let mut bytes = Vec::new();
    caught.read_to_end(&mut bytes).unwrap();
    let (mut near, far) = pair();
    near.write_all(&bytes).unwrap();
    near.write_all(&bytes).unwrap();
    let mut far = keyed(far, Side::Coordinator, SECRET);
    assert!(matches!(receive(&mut far), Ok(Told::Ready)));
    assert!(matches!(receive(&mut far), Err(WireError::NotAuthentic)));
}
