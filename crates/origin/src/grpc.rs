//! The four methods of `feed.v1.Feed`, and server reflection: length-prefixed messages in,
//! length-prefixed messages out. Knows no connection and no stream.

use crate::answer::Method;
use crate::feed;
use crate::reflection;

/// Largest request message.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Feeds that `Watch` sends.
const WATCH_FEEDS: u64 = 5;

/// State of one call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) method: Method,
    incoming: Vec<u8>,
    /// Sum of the users asked for (for `Get`: the user).
    users: u64,
    messages: u64,
}

impl Call {
    /// Makes it a fresh call of `method`; keeps the memory.
    pub(crate) fn restart(&mut self, method: Method) {
        self.method = method;
        self.incoming.clear();
        self.users = 0;
        self.messages = 0;
    }

    /// Takes body bytes; answers that are due at once are appended to `out`.
    /// `Err` is the gRPC status with which the call ends.
    pub(crate) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), u8> {
        if self.incoming.is_empty() {
            let rest = self.take_messages(bytes, out)?;
            self.incoming.extend_from_slice(rest);
            return Ok(());
        }
        let mut incoming = std::mem::take(&mut self.incoming);
        incoming.extend_from_slice(bytes);
        let rest = self.take_messages(&incoming, out)?.len();
        let consumed = incoming.len() - rest;
        incoming.drain(..consumed);
        self.incoming = incoming;
        Ok(())
    }

    fn take_messages<'a>(
        &mut self,
        mut bytes: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], u8> {
        while let Some((prefix, rest)) = bytes.split_first_chunk::<5>() {
            let [compressed, length @ ..] = *prefix;
            let length = u32::from_be_bytes(length) as usize;
            if compressed != 0 || length > MESSAGE_BYTES_MAX {
                return Err(INVALID_ARGUMENT);
            }
            let Some((message, rest)) = rest.split_at_checked(length) else { break };
            bytes = rest;
            if self.method == Method::Reflect {
                let mut known = Some(());
                feed::push_grpc_message(out, |out| known = reflection::answer(message, out));
                known.ok_or(INVALID_ARGUMENT)?;
                continue;
            }
            let user = feed::user_of_grpc_message(message).ok_or(INVALID_ARGUMENT)?;
            self.users = self.users.wrapping_add(user);
            self.messages += 1;
            if self.method == Method::Chat {
                feed::push_grpc_response(user, out);
            }
        }
        Ok(bytes)
    }

    /// The request has ended: appends what is still to be said and gives the gRPC status.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> u8 {
        let one = self.messages == 1;
        if !self.incoming.is_empty() {
            return INVALID_ARGUMENT;
        }
        match self.method {
            Method::Get if one => feed::push_grpc_response(self.users, out),
            Method::Watch if one => (0..WATCH_FEEDS)
                .for_each(|step| feed::push_grpc_response(self.users.wrapping_add(step), out)),
            Method::Get | Method::Watch => return INVALID_ARGUMENT,
            Method::Upload => feed::push_grpc_response(self.users, out),
            Method::Chat | Method::Reflect => {}
        }
        OK
    }
}

/// gRPC status 0.
pub(crate) const OK: u8 = 0;
/// gRPC status 3.
const INVALID_ARGUMENT: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(users: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        users.iter().for_each(|&user| feed::push_grpc_request(user, &mut out));
        out
    }

    fn feeds(users: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        users.iter().for_each(|&user| feed::push_grpc_response(user, &mut out));
        out
    }

    #[test]
    fn each_kind_of_call_answers_in_its_way_however_the_bytes_are_cut() {
        for (method, asked, answered) in [
            (Method::Get, &[300][..], &[300][..]),
            (Method::Watch, &[7], &[7, 8, 9, 10, 11]),
            (Method::Upload, &[1, 2, 300], &[303]),
            (Method::Upload, &[], &[0]),
            (Method::Chat, &[5, 6], &[5, 6]),
            (Method::Chat, &[], &[]),
        ] {
            for step in [1, 3, 1_000] {
                let mut call = Call::default();
                call.restart(method);
                let mut out = Vec::new();
                for piece in request(asked).chunks(step) {
                    assert_eq!(call.take(piece, &mut out), Ok(()));
                }
                assert_eq!(call.finish(&mut out), OK);
                assert_eq!(out, feeds(answered), "{method:?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn wrong_requests_end_with_invalid_argument() {
        for (method, body) in [
            (Method::Get, &b""[..]),
            (Method::Get, &request(&[1, 2])),
            (Method::Get, b"\0\0\0\0\x02\x08"),
            (Method::Upload, b"\x01\0\0\0\x02\x08\x01"),
            (Method::Chat, b"\0\xff\0\0\0"),
            (Method::Chat, b"\0\0\0\0\x01\x0a"),
        ] {
            let mut call = Call::default();
            call.restart(method);
            let mut out = Vec::new();
            let status = call.take(body, &mut out).err().unwrap_or_else(|| call.finish(&mut out));
            assert_eq!(status, INVALID_ARGUMENT, "{method:?} {body:?}");
        }
    }
}
