use std::net::TcpListener;

use super::*;

#[test]
fn reads_by_marker_by_count_and_to_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = RawClient::connect(listener.local_addr().unwrap(), Duration::from_secs(10));
    let (mut server, _) = listener.accept().unwrap();
    client.send("ping");
    let mut received = [0; 4];
    server.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"ping");
    server.write_all(b"head\r\n\r\nbodyrest").unwrap();
    assert_eq!(client.read_until(b"\r\n\r\n"), b"head\r\n\r\n");
    assert_eq!(client.read_exact(4), b"body");
    drop(server);
    assert_eq!(client.read_to_end(), b"rest");
}
