//! The client against answers that a listener of its own plays.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use super::*;

/// What is read of `text`, after which the connection ends.
fn read(text: &'static str) -> io::Result<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(text.as_bytes()).unwrap();
    });
    let answer = Connection::open(port).unwrap().answer(|| ());
    server.join().unwrap();
    answer
}

#[test]
fn a_body_ends_as_its_head_says() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\na: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    ] {
        let answer = read(text).unwrap();
        assert_eq!(answer, Answer { status: 200, body: b"hello".to_vec(), broken: None }, "{text}");
    }
}

#[test]
fn what_breaks_off_says_so_and_how_far_it_came() {
    for (text, body) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello"),
    ] {
        let answer = read(text).unwrap();
        assert_eq!(answer.body, body.as_bytes());
        assert!(answer.broken.is_some(), "{text}");
    }
    assert!(read("HTTP/1.1 200 OK\r\n").is_err());
}
