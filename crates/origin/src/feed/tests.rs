use super::*;

fn json(user_id: u64) -> Vec<u8> {
    let mut out = Vec::new();
    push_json(user_id, &mut out);
    out
}

#[test]
fn the_json_feed_is_about_a_kilobyte_and_names_its_user() {
    for user in [0, 7, 1_000_000, u64::MAX] {
        let text = String::from_utf8(json(user)).unwrap();
        assert!((900..1_300).contains(&text.len()), "{}", text.len());
        assert!(text.starts_with(&format!("{{\"user_id\":{user},\"items\":[{{\"id\":\"")));
        assert!(text.ends_with("\"}"));
        assert_eq!(text.matches("\"seen\":false").count(), 12);
    }
}

#[test]
fn feeds_of_different_users_differ_and_of_the_same_do_not() {
    assert_eq!(json(5), json(5));
    assert_ne!(json(5)[13..], json(6)[13..]);
}

#[test]
fn paths_give_their_user() {
    for (path, user) in [
        ("/api/v1/0/feed", Some(0)),
        ("/api/v1/123456/feed", Some(123_456)),
        ("/api/v1/18446744073709551615/feed", Some(u64::MAX)),
        ("/api/v1/18446744073709551616/feed", None),
        ("/api/v1//feed", None),
        ("/api/v1/1a/feed", None),
        ("/api/v1/-1/feed", None),
        ("/api/v1/1/feeds", None),
        ("/api/v1/feed", None),
    ] {
        assert_eq!(user_of_json_path(path.as_bytes()), user, "{path}");
    }
    let mut path = Vec::new();
    push_json_path(42, &mut path);
    assert_eq!(path, b"/api/v1/42/feed");
}

#[test]
fn grpc_messages_carry_their_length_and_their_user() {
    for user in [0, 1, 127, 128, 300, u64::MAX] {
        for push in [push_grpc_request, push_grpc_response] {
            let mut message = Vec::new();
            push(user, &mut message);
            let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
            assert_eq!((message[0], length as usize), (0, message.len() - 5));
        }
        let mut request = Vec::new();
        push_grpc_request(user, &mut request);
        assert_eq!(user_of_grpc_message(&request[5..]), Some(user));
    }
}

#[test]
fn foreign_grpc_messages_have_no_user() {
    for message in [&b"\x08"[..], b"\x08\x80", b"\x0a\x01x", &[0xff; 12]] {
        assert_eq!(user_of_grpc_message(message), None, "{message:?}");
    }
    assert_eq!(user_of_grpc_message(b"\x10\x05\x08\x07"), Some(7));
    // What is 0 is not written.
    assert_eq!((user_of_grpc_message(b""), user_of_grpc_message(b"\x10\x05")), (Some(0), Some(0)));
}
