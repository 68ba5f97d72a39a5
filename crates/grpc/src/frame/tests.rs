use super::*;

#[test]
fn messages_come_out_as_they_went_in() {
    for messages in [&[][..], &[&b""[..]], &[b"one"], &[b"one", b"", b"three"]] {
        let mut body = Vec::new();
        messages.iter().for_each(|message| push_message(message, &mut body).unwrap());
        let back: Result<Vec<_>, _> = Messages::new(&body).collect();
        assert_eq!(back.as_deref(), Ok(messages));
        assert_eq!(Messages::new(&body).count_whole(), Ok(messages.len()));
    }
}

#[test]
fn what_is_not_whole_is_an_error_and_the_end() {
    let mut body = Vec::new();
    push_message(b"one", &mut body).unwrap();
    push_message(b"two!", &mut body).unwrap();
    for cut in 1..body.len() {
        let whole = match cut {
            8 => Ok(1),
            _ => Err(FrameError::Truncated),
        };
        let mut messages = Messages::new(&body[..cut]);
        assert_eq!(messages.clone().count_whole(), whole, "{cut}");
        while messages.next().is_some() {}
        assert!(messages.next().is_none());
    }
    for (body, error) in [
        (&b"\x01\0\0\0\0"[..], FrameError::Compressed),
        (b"{\"a\":1}", FrameError::Compressed),
        (b"\0\xff\xff\xff\xff", FrameError::Truncated),
    ] {
        assert_eq!(Messages::new(body).count_whole(), Err(error));
    }
}
