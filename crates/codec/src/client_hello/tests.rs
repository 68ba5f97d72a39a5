#![allow(clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;

fn vector16(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vector16(content)].concat()
}

fn server_name(name: &str) -> Vec<u8> {
    let entry = [vec![NAME_HOST], vector16(name.as_bytes())].concat();
    extension(EXTENSION_SERVER_NAME, &vector16(&entry))
}

/// The body of a hello with these extensions; `None`: without the field.
fn body(extensions: Option<&[Vec<u8>]>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(32);
    body.extend([9; 32]);
    body.extend(vector16(&[0x13, 0x01, 0x13, 0x02]));
    body.extend([1, 0]);
    if let Some(extensions) = extensions {
        body.extend(vector16(&extensions.concat()));
    }
    body
}

fn message(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[HANDSHAKE_CLIENT_HELLO], &length[1..], body].concat()
}

/// A message in records of at most `size` bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |piece: &[u8]| [vec![RECORD_HANDSHAKE, 3, 1], vector16(piece)].concat();
    message.chunks(size).flat_map(record).collect()
}

fn whole(extensions: &[Vec<u8>]) -> Vec<u8> {
    records(&message(&body(Some(extensions))), RECORD_BYTES_MAX)
}

#[track_caller]
fn check(input: &[u8], expect: Result<Option<Option<&str>>, HelloError>) {
    let found = parse(input).map(|found| found.map(|hello| hello.server_name));
    assert_eq!(found, expect.map(|found| found.map(|name| name.map(str::to_owned))));
}

#[test]
fn the_name_is_found_among_other_extensions() {
    let other = extension(16, &[0, 3, 2, b'h', b'2']);
    check(
        &whole(&[other.clone(), server_name("A.Example.com"), other]),
        Ok(Some(Some("a.example.com"))),
    );
    check(&whole(&[]), Ok(Some(None)));
    check(&records(&message(&body(None)), RECORD_BYTES_MAX), Ok(Some(None)));
}

#[test]
fn records_may_cut_it_anywhere_and_so_may_reads() {
    let message = message(&body(Some(&[server_name("a.example")])));
    for size in 1..message.len() {
        check(&records(&message, size), Ok(Some(Some("a.example"))));
    }
    let input = records(&message, 40);
    for cut in 0..input.len() {
        check(&input[..cut], Ok(None));
    }
    // What follows in a record of its own is not looked at: it may be early data.
    check(&[input, vec![23, 3, 3, 0, 1, 0]].concat(), Ok(Some(Some("a.example"))));
}

#[test]
fn what_is_no_hello_is_refused_at_its_first_bytes() {
    check(b"G", Err(HelloError::NotTls));
    check(&[RECORD_HANDSHAKE, 2], Err(HelloError::NotTls));
    check(&records(&[2, 0, 0, 0], 16), Err(HelloError::NotTls));
    check(&[RECORD_HANDSHAKE, 3, 1, 0, 0], Err(HelloError::Malformed));
    check(&[RECORD_HANDSHAKE, 3, 1, 0x40, 1], Err(HelloError::Malformed));
    check(
        &[records(&message(&body(None))[..20], 64), vec![21, 3, 1, 0, 2, 1, 0]].concat(),
        Err(HelloError::NotTls),
    );
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let names = |entries: &[u8]| extension(EXTENSION_SERVER_NAME, &vector16(entries));
    let one = |name: &str| [vec![NAME_HOST], vector16(name.as_bytes())].concat();
    for wrong in [
        vec![server_name("a.example"), server_name("b.example")],
        vec![names(&[one("a.example"), one("b.example")].concat())],
        vec![names(&[])],
        vec![names(&[vec![1], vector16(b"a")].concat())],
        vec![extension(EXTENSION_SERVER_NAME, &[vector16(&one("a")), vec![0]].concat())],
        vec![server_name("")],
        vec![server_name("a.example.")],
        vec![server_name("a..example")],
        vec![server_name("a\0.example")],
        vec![server_name("a b.example")],
        vec![server_name(&"a".repeat(64))],
        vec![server_name(&"a.".repeat(130))],
        vec![vec![0, 0, 0]],
    ] {
        check(&whole(&wrong), Err(HelloError::Malformed));
    }
    let long = message(&[body(Some(&[])), vec![0]].concat());
    check(&records(&long, RECORD_BYTES_MAX), Err(HelloError::Malformed));
    let followed = [message(&body(None)), vec![0]].concat();
    check(&records(&followed, RECORD_BYTES_MAX), Err(HelloError::Malformed));
}

#[test]
fn it_is_bounded() {
    let padded = whole(&[extension(21, &vec![0; 15_000]), server_name("a.example")]);
    check(&padded, Ok(Some(Some("a.example"))));
    let length = (HELLO_BYTES_MAX as u32 + 1).to_be_bytes();
    let announced = [&[HANDSHAKE_CLIENT_HELLO], &length[1..]].concat();
    check(&records(&announced, 16), Err(HelloError::TooLong));
    // Records of one byte: six times as long as the message.
    let dribbled = records(&message(&body(Some(&[extension(21, &[0; 4_000])]))), 1);
    check(&dribbled[..HELLO_BYTES_MAX], Err(HelloError::TooLong));
}
