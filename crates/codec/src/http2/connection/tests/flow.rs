//! Windows of both levels in both directions, and floods.

use super::*;
use crate::http2::frame::*;

fn narrow(stream_window_bytes: u32) -> Settings {
    Settings { stream_window_bytes, ..Settings::default() }
}

/// Sends `body` on `id` from the client whenever there is room; gives what the server received.
fn upload(pair: &mut Pair, id: StreamId, body: &[u8]) -> usize {
    let mut sent = 0;
    loop {
        let Side { connection, out, .. } = &mut pair.client;
        sent += connection.send_data(id, &body[sent..], true, out).unwrap();
        if sent == body.len() {
            break;
        }
        pair.exchange();
        assert_eq!(pair.client.connection.next_writable(), Some((id, 1)));
        assert_eq!(pair.client.connection.next_writable(), None);
    }
    pair.exchange();
    sent
}

#[test]
fn large_body_through_small_windows() {
    for window in [1, 7, 100, 20_000, 65_535, 1_000_000] {
        let mut pair = Pair::with(100_000, &Settings::default(), &narrow(window));
        let id = pair.open(&post("/"), false, 1);
        let len = if window < 100 { 2_000 } else { 3_000_000 };
        let body: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
        assert_eq!(upload(&mut pair, id, &body), body.len());
        let log = pair.server.take_log();
        let received: String =
            log.lines().filter_map(|line| line.strip_prefix("1 data ")).collect();
        assert_eq!(received.strip_suffix(" end").unwrap().as_bytes(), body);
    }
}

#[test]
fn blocked_streams_take_turns() {
    let mut pair = Pair::new(100_000);
    pair.server.releases = false;
    let ids: Vec<_> = (0..4).map(|tag| pair.open(&post("/"), false, tag)).collect();
    // The connection's window (1 MiB) is shared: nothing is left for anyone when it is used up.
    let body = vec![b'x'; 65_535];
    let more: Vec<_> = (4..17).map(|tag| pair.open(&post("/"), false, tag)).collect();
    let Side { connection, out, .. } = &mut pair.client;
    for &id in ids.iter().chain(&more[..12]) {
        assert_eq!(connection.send_data(id, &body, false, out), Ok(65_535));
    }
    assert_eq!(connection.send_data(more[12], &body, false, out), Ok(16));
    assert_eq!(connection.send_data(more[0], b"y", false, out), Ok(0));
    assert_eq!(connection.next_writable(), None);
    pair.exchange();
    // Half of the window comes back, and a stream's whole window for the first one.
    let Side { connection, out, .. } = &mut pair.server;
    for &id in &ids {
        connection.release(id, 65_535, out);
    }
    for &id in &more[..5] {
        connection.release(id, 65_535, out);
    }
    let bytes = std::mem::take(&mut pair.server.out);
    pair.client.feed(&bytes, 100_000).unwrap();
    let client = &mut pair.client.connection;
    // The stream that waited for the connection only comes first, then the one whose window opened.
    assert_eq!(client.next_writable(), Some((more[12], 16)));
    assert_eq!(client.next_writable(), Some((more[0], 4)));
    assert_eq!(client.next_writable(), None);
}

#[test]
fn window_comes_back_for_streams_that_are_gone() {
    // Neither resets nor a forgetful owner may eat up the connection's window.
    let mut pair = Pair::new(100_000);
    pair.server.releases = false;
    let body = vec![b'x'; 60_000];
    for round in 0..100 {
        let id = pair.open(&post("/"), false, 1);
        let Side { connection, out, .. } = &mut pair.client;
        assert_eq!(connection.send_data(id, &body, false, out), Ok(60_000), "round {round}");
        match round % 3 {
            // We reset, with data on its way.
            0 => {
                let bytes = std::mem::take(&mut pair.client.out);
                let (head, rest) = bytes.split_at(bytes.len() - 1_000);
                pair.server.feed(head, 100_000).unwrap();
                let Side { connection, out, .. } = &mut pair.server;
                connection.reset(id, ErrorCode::CANCEL, out);
                pair.server.feed(rest, 100_000).unwrap();
            }
            // The peer resets.
            1 => pair.client.connection.reset(id, ErrorCode::CANCEL, &mut pair.client.out),
            // It ends well, and the owner releases nothing.
            _ => {
                connection.send_data(id, b"", true, out).unwrap();
                pair.exchange();
                pair.respond(id, &ok(&[]), true);
            }
        }
        pair.exchange();
        assert_eq!(pair.client.connection.active_streams(), 0);
    }
    assert_eq!(
        pair.client.connection.send_window + i64::from(pair.server.connection.owed),
        1 << 20
    );
}

#[test]
fn settings_shift_windows_below_zero_and_back() {
    let mut pair = Pair::new(100_000);
    pair.server.releases = false;
    let id = pair.open(&post("/"), false, 1);
    let Side { connection, out, .. } = &mut pair.client;
    assert_eq!(connection.send_data(id, &[b'x'; 1_000], false, out), Ok(1_000));
    let resize = |window: u32| {
        let mut bytes = Vec::new();
        write_header(6, SETTINGS, 0, 0, &mut bytes);
        bytes.extend_from_slice(&[0, 4]);
        bytes.extend_from_slice(&window.to_be_bytes());
        bytes
    };
    let client = &mut pair.client;
    client.feed(&resize(400), 100).unwrap();
    assert_eq!(client.connection.streams.find_mut(id).unwrap().send_window, -600);
    assert_eq!(client.connection.send_data(id, b"abcdef", false, &mut client.out), Ok(0));
    client.feed(&resize(1_000), 100).unwrap();
    assert_eq!(client.connection.next_writable(), None);
    client.feed(&resize(1_003), 100).unwrap();
    assert_eq!(client.connection.next_writable(), Some((id, 1)));
    assert_eq!(client.connection.send_data(id, b"abcdef", false, &mut client.out), Ok(3));
    // 2^31-1 is more than a window that was already enlarged can bear.
    let mut update = Vec::new();
    write_window_update(id, 0x7fff_ffff - 1_003, &mut update);
    client.feed(&update, 100).unwrap();
    let error = client.feed(&resize(0x7fff_ffff), 100).unwrap_err();
    assert_eq!(error.code, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn data_beyond_the_windows() {
    let mut pair = Pair::with(100_000, &Settings::default(), &narrow(70_000));
    pair.server.releases = false;
    let id = pair.open(&post("/"), false, 1);
    pair.exchange();
    pair.server.take_log();
    let data = |len: usize| {
        let mut bytes = Vec::new();
        write_header(len, DATA, 0, id, &mut bytes);
        bytes.resize(bytes.len() + len, b'x');
        bytes
    };
    for _ in 0..7 {
        pair.server.feed(&data(10_000), 100_000).unwrap();
    }
    pair.server.take_log();
    pair.server.feed(&data(1), 100_000).unwrap();
    assert_eq!(pair.server.take_log(), "1 reset 3 by us");
    // And of the connection: data on the stream that is gone counts there, though it is given back.
    let error = (0..2).find_map(|_| {
        pair.server.connection.receive_window = 16_000;
        pair.server.feed(&data(16_001), 100_000).err()
    });
    assert_eq!(error.unwrap().code, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn windows_cannot_overflow() {
    let mut pair = Pair::new(100_000);
    let id = pair.open(&post("/"), false, 1);
    pair.exchange();
    pair.server.take_log();
    let mut update = Vec::new();
    write_window_update(id, 0x7fff_ffff, &mut update);
    pair.server.feed(&update, 100_000).unwrap();
    assert_eq!(pair.server.take_log(), "1 reset 3 by us");
    update.clear();
    write_window_update(0, 0x7fff_ffff, &mut update);
    let error = pair.server.feed(&update, 100_000).unwrap_err();
    assert_eq!(error.code, ErrorCode::FLOW_CONTROL_ERROR);
}

#[test]
fn bodies_are_cut_into_frames_that_the_peer_takes() {
    let server = Settings { frame_bytes_max: 1 << 20, ..narrow(1 << 20) };
    let mut pair = Pair::with(100_000, &Settings::default(), &server);
    let id = pair.open(&post("/"), false, 1);
    let Side { connection, out, .. } = &mut pair.client;
    out.clear();
    assert_eq!(connection.send_data(id, &[0; 40_000], true, out), Ok(40_000));
    let mut lens = Vec::new();
    let mut rest = &out[..];
    while let Some(header) = Header::parse(rest) {
        lens.push((header.len, header.flags));
        rest = &rest[HEADER_BYTES + header.len..];
    }
    assert_eq!(lens, [(16_384, 0), (16_384, 0), (7_232, FLAG_END_STREAM)]);
}

#[test]
fn a_head_larger_than_a_frame_continues() {
    let limits = Settings { head_bytes_max: 200_000, fields_max: 2_000, ..Settings::default() };
    let mut pair = Pair::with(777, &limits, &limits);
    let mut head = get("/");
    for at in 0..1_000 {
        let (name, value) = (format!("x-{at}"), format!("{at:0>60}"));
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    pair.open(&head, true, 1);
    pair.exchange();
    assert_eq!(pair.server.heads.request.fields, head.fields);
}

/// Feeds the same bytes again and again; gives the number of rounds that went well, and the error.
fn flood(side: &mut Side, bytes: &[u8], rounds: usize) -> Option<(usize, &'static str)> {
    for round in 0..rounds {
        if let Err(error) = side.feed(bytes, usize::MAX) {
            assert_eq!(error.code, ErrorCode::ENHANCE_YOUR_CALM);
            assert!(side.connection.must_close());
            return Some((round, error.reason));
        }
        side.log.clear();
    }
    None
}

/// Many frames in one input, as a flood comes.
fn repeated(count: usize, write: impl Fn(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..count).for_each(|at| write(at, &mut bytes));
    bytes
}

#[test]
fn floods_end_the_connection() {
    let settings = |_, out: &mut Vec<u8>| write_header(0, SETTINGS, 0, 0, out);
    let unknown = |_, out: &mut Vec<u8>| write_header(0, 0x20, 0, 0, out);
    let ping = |_, out: &mut Vec<u8>| write_ping(0, [0; 8], out);
    let update = |_, out: &mut Vec<u8>| write_window_update(0, 1, out);
    for (bytes, reason) in [
        (repeated(5_000, settings), "too many control frames"),
        (repeated(5_000, unknown), "too many control frames"),
        (repeated(5_000, ping), "too many control frames"),
        (repeated(10_000, update), "too many WINDOW_UPDATE frames"),
    ] {
        let mut pair = Pair::new(100_000);
        assert_eq!(flood(&mut pair.server, &bytes, 1), Some((0, reason)));
        assert!(pair.server.out.len() < 70_000);
    }
}

#[test]
fn unread_acknowledgements_are_bounded() {
    // Few enough at a time to pass for keep-alive, but the peer never reads.
    let mut pair = Pair::new(100_000);
    let pings = repeated(5, |_, out| write_ping(0, [0; 8], out));
    let killed = flood(&mut pair.server, &pings, 10_000);
    assert_eq!(killed.map(|(_, reason)| reason), Some("too many acknowledgements unread"));
    assert!(pair.server.out.len() < 70_000);
    // A peer that reads may go on.
    let mut pair = Pair::new(100_000);
    for _ in 0..10_000 {
        assert_eq!(flood(&mut pair.server, &pings, 1), None);
        pair.server.out.clear();
    }
}

#[test]
fn empty_data_floods() {
    let mut pair = Pair::new(100_000);
    let id = pair.open(&post("/"), false, 1);
    pair.exchange();
    for (len, bound) in [(0, 20), (1, 400)] {
        let mut pair = Pair::new(100_000);
        pair.open(&post("/"), false, 1);
        pair.exchange();
        let bytes = repeated(1_000, |_, out| {
            write_header(len, DATA, 0, id, out);
            out.resize(out.len() + len, 0);
        });
        let killed = flood(&mut pair.server, &bytes, bound);
        assert_eq!(killed.map(|(_, reason)| reason), Some("too many tiny DATA frames"), "{len}");
    }
}

#[test]
fn a_million_small_messages_are_no_flood() {
    let mut pair = Pair::new(100_000);
    let ids: Vec<_> = (0..10).map(|tag| pair.open(&post("/"), false, tag)).collect();
    pair.exchange();
    let bytes = repeated(1_000, |at, out| {
        write_header(5, DATA, 0, ids[at % 10], out);
        out.extend_from_slice(&[0; 5]);
    });
    assert_eq!(flood(&mut pair.server, &bytes, 1_000), None);
    // Key strokes: one byte at a time, each in an input of its own.
    let mut stroke = Vec::new();
    write_header(1, DATA, 0, ids[0], &mut stroke);
    stroke.push(b'k');
    assert_eq!(flood(&mut pair.server, &stroke, 200_000), None);
}

#[test]
fn rapid_reset() {
    let mut client = Side::new(Role::Client, &Settings::default());
    let mut server = Side::new(Role::Server, &Settings::default());
    let mut killed = None;
    for round in 0..10_000 {
        if let Ok(id) = client.connection.open(&get("/"), true, 0, &mut client.out) {
            client.connection.reset(id, ErrorCode::CANCEL, &mut client.out);
        }
        let bytes = std::mem::take(&mut client.out);
        if let Err(error) = server.feed(&bytes, usize::MAX) {
            killed = Some((round, error.reason));
            break;
        }
    }
    assert_eq!(killed, Some((512, "too many streams cancelled")));
}

#[test]
fn cancelling_now_and_then_is_no_flood() {
    let mut pair = Pair::new(usize::MAX);
    for _ in 0..2_000 {
        let cancelled = pair.open(&get("/"), true, 0);
        let kept = pair.open(&get("/"), true, 0);
        let client = &mut pair.client;
        client.connection.reset(cancelled, ErrorCode::CANCEL, &mut client.out);
        pair.exchange();
        pair.respond(kept, &ok(&[]), true);
        pair.exchange();
    }
    // Giving up answers that have begun is ordinary.
    for _ in 0..2_000 {
        let id = pair.open(&get("/"), true, 0);
        pair.exchange();
        pair.respond(id, &ok(&[]), false);
        pair.exchange();
        let client = &mut pair.client;
        client.connection.reset(id, ErrorCode::CANCEL, &mut client.out);
        pair.exchange();
    }
}

#[test]
fn made_you_reset() {
    let mut pair = Pair::new(usize::MAX);
    let mut rounds = 0;
    let error = loop {
        let id = pair.open(&get("/"), true, 0);
        let mut bytes = std::mem::take(&mut pair.client.out);
        // The request has ended, so this makes the server reset it.
        write_window_update(id, 0, &mut bytes);
        rounds += 1;
        if let Err(error) = pair.server.feed(&bytes, usize::MAX) {
            break error;
        }
        let bytes = std::mem::take(&mut pair.server.out);
        pair.client.feed(&bytes, usize::MAX).unwrap();
    };
    assert_eq!((rounds, error.reason), (513, "too many streams in error"));
    assert_eq!(pair.server.connection.take_counters().unwrap().resets_forced, 512);
}

#[test]
fn requests_above_the_limit_are_refused_then_a_flood() {
    let mut pair = Pair::new(usize::MAX);
    pair.client.connection.peer.streams_max = 10_000;
    for _ in 0..256 {
        pair.open(&get("/"), true, 0);
    }
    pair.exchange();
    let refused = pair.open(&get("/"), true, 9);
    pair.exchange();
    assert_eq!(pair.client.take_log(), format!("{refused} reset 7 by peer"));
    let killed = (0..1_000).find_map(|_| {
        pair.open(&get("/"), true, 0);
        let bytes = std::mem::take(&mut pair.client.out);
        pair.server.feed(&bytes, usize::MAX).err()
    });
    assert_eq!(killed.unwrap().reason, "too many streams in error");
    assert_eq!(pair.server.connection.active_streams(), 256);
}
