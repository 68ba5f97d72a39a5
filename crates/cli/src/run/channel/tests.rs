use std::net::TcpListener;

use super::*;

fn pair() -> (Channel, Channel) {
    let (own, other) = Channel::pair().unwrap();
    (own, Channel::from_end(other).unwrap())
}

#[test]
fn an_offer_arrives_whole() {
    let (old, new) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut offer = Offer { sockets: Vec::new(), tickets: Some(vec![1, 2, 3]) };
    for owner in [Owner::Listener, Owner::Admin] {
        let descriptor = listener.try_clone().unwrap().into();
        let address = "127.0.0.1:0".to_owned();
        offer.sockets.push(PassedSocket { owner, name: "web".to_owned(), address, descriptor });
    }
    let sender = std::thread::spawn(move || {
        offer.send(&old).unwrap();
        old
    });
    let received = Offer::receive(&new).unwrap();
    assert_eq!(received.tickets, Some(vec![1, 2, 3]));
    assert_eq!(received.sockets.len(), 2);
    assert_eq!(received.sockets[1].owner, Owner::Admin);
    for socket in received.sockets {
        assert_eq!((socket.name.as_str(), socket.address.as_str()), ("web", "127.0.0.1:0"));
        let passed = TcpListener::from(socket.descriptor);
        assert_eq!(passed.local_addr().unwrap(), address);
    }
    drop(sender.join().unwrap());
    assert!(new.receive().unwrap().is_none(), "the other end is gone");
    assert_eq!(new.send(&Message::Ready).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_newer_version_may_say_more_but_not_otherwise() {
    let decoded = |bytes: &[u8]| decode(bytes, None);
    assert!(decoded(&[VERSION, b'?', 7]).unwrap().is_none());
    assert!(matches!(decoded(&[VERSION, b'R']).unwrap(), Some(Message::Ready)));
    for wrong in
        [&[VERSION + 1, b'R'][..], &[VERSION], b"", &[VERSION, b'S', b'L'], &[VERSION, b'N', 0xff]]
    {
        assert_eq!(decoded(wrong).unwrap_err().kind(), io::ErrorKind::InvalidData, "{wrong:?}");
    }
}

#[test]
fn nobody_waits_for_ever() {
    let (_old, new) = pair();
    new.wait_for(Some(Duration::ZERO)).unwrap();
    assert_eq!(new.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(new.try_receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
