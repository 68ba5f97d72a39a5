//! What each path asks for. Pure: from a request head to what is to be done.

use bulkhead_message::RequestHead;

use crate::feed;
use crate::session;
use crate::stats::Endpoint;
use crate::websocket::Behaviour;

/// Largest body that `/bytes/{n}` makes.
const BYTES_MAX: u64 = 1 << 30;
/// Longest wait of `/delay/{ms}` and longest work of `/busy/{ms}`.
const DELAY_MS_MAX: u64 = 60_000;

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The JSON feed of a user.
    Feed(u64),
    /// One of the gRPC methods.
    Grpc(Method),
    /// The request's own body and content type.
    Echo,
    /// As [`Self::Echo`], once the request's body is whole.
    Collect,
    /// This status and a short text.
    Status(u16),
    /// A short text after so many milliseconds.
    Delay(u64),
    /// A short text once one of the thread's slots has been busy with it for so many milliseconds.
    Busy(u64),
    /// So many bytes.
    Bytes(u64),
    /// The received header fields as JSON.
    Headers,
    /// A new session: its number as JSON.
    OpenSession,
    /// The session of that number as JSON.
    Session(u64),
    /// Give the stream up.
    Reset,
    /// Close the connection.
    Close,
    /// Another protocol on this connection.
    WebSocket(Behaviour),
}

/// The methods of `feed.v1.Feed`, one for each kind of call, and server reflection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Method {
    /// Unary: the feed of the user.
    #[default]
    Get,
    /// Server streaming: the feeds of five users, from the asked one on.
    Watch,
    /// Client streaming: the feed of the sum of the users.
    Upload,
    /// Bidirectional: a feed for each message, at once.
    Chat,
    /// Bidirectional: an answer for each question about the service, at once.
    Reflect,
}

/// Decides by the path alone; numbers out of range are a 404.
pub(crate) fn of(head: &RequestHead) -> (Endpoint, Answer) {
    let path = head.path();
    if let Some(user) = feed::user_of_json_path(path) {
        return (Endpoint::Feed, Answer::Feed(user));
    }
    if let Some(text) = path.strip_prefix(b"/session/") {
        let answer = session::number_of(text).map_or(Answer::Status(404), Answer::Session);
        return (Endpoint::Session, answer);
    }
    match path {
        b"/session" if head.method() == bulkhead_message::Method::Post => {
            (Endpoint::OpenSession, Answer::OpenSession)
        }
        b"/session" => (Endpoint::Session, Answer::Status(405)),
        b"/feed.v1.Feed/Get" => (Endpoint::GrpcGet, Answer::Grpc(Method::Get)),
        b"/feed.v1.Feed/Watch" => (Endpoint::GrpcWatch, Answer::Grpc(Method::Watch)),
        b"/feed.v1.Feed/Upload" => (Endpoint::GrpcUpload, Answer::Grpc(Method::Upload)),
        b"/feed.v1.Feed/Chat" => (Endpoint::GrpcChat, Answer::Grpc(Method::Chat)),
        b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        | b"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
            (Endpoint::GrpcReflection, Answer::Grpc(Method::Reflect))
        }
        b"/echo" => (Endpoint::Echo, Answer::Echo),
        b"/collect" => (Endpoint::Collect, Answer::Collect),
        b"/headers" => (Endpoint::Headers, Answer::Headers),
        b"/reset" => (Endpoint::Reset, Answer::Reset),
        b"/close" => (Endpoint::Close, Answer::Close),
        b"/ws" => (Endpoint::WebSocket, Answer::WebSocket(Behaviour::Echo)),
        b"/ws-silent" => (Endpoint::WebSocket, Answer::WebSocket(Behaviour::Silent)),
        b"/ws-wrong" => (Endpoint::WebSocket, Answer::WebSocket(Behaviour::Wrong)),
        _ => numbered(path).unwrap_or((Endpoint::Unknown, Answer::Status(404))),
    }
}

fn numbered(path: &[u8]) -> Option<(Endpoint, Answer)> {
    let text = std::str::from_utf8(path).ok()?;
    let (name, number) = text.strip_prefix('/')?.split_once('/')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match name {
        "status" => u16::try_from(number)
            .ok()
            .filter(|code| (200..=599).contains(code))
            .map(|code| (Endpoint::Status, Answer::Status(code))),
        "delay" => (number <= DELAY_MS_MAX).then_some((Endpoint::Delay, Answer::Delay(number))),
        "busy" => (number <= DELAY_MS_MAX).then_some((Endpoint::Busy, Answer::Busy(number))),
        "bytes" => (number <= BYTES_MAX).then_some((Endpoint::Bytes, Answer::Bytes(number))),
        "ws-close" => Some((Endpoint::WebSocket, Answer::WebSocket(Behaviour::CloseAfter(number)))),
        "ws-cut" => Some((Endpoint::WebSocket, Answer::WebSocket(Behaviour::CutAfter(number)))),
        _ => None,
    }
}

/// Appends received fields as a JSON object of arrays: `{":method":["GET"],"accept":["a","b"]}`.
pub(crate) fn push_headers_json(head: &RequestHead, out: &mut Vec<u8>) {
    let pseudo: [(&[u8], &[u8]); 4] = [
        (b":method", head.method_text()),
        (b":scheme", head.scheme.as_str().as_bytes()),
        (b":authority", head.authority()),
        (b":path", head.target()),
    ];
    let fields = head.fields.iter().map(|field| (field.name, field.value));
    let pairs: Vec<_> = pseudo.into_iter().chain(fields).collect();
    out.push(b'{');
    for (place, (name, _)) in pairs.iter().enumerate() {
        if pairs[..place].iter().any(|(earlier, _)| earlier == name) {
            continue;
        }
        if place > 0 {
            out.push(b',');
        }
        push_json_text(name, out);
        out.extend_from_slice(b":[");
        let values = pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        for (number, value) in values.enumerate() {
            if number > 0 {
                out.push(b',');
            }
            push_json_text(value, out);
        }
        out.push(b']');
    }
    out.push(b'}');
}

/// Bytes outside ASCII are taken as ISO 8859-1, so that each has its own image.
fn push_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x20..=0x7e => out.push(byte),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_decide() {
        for (path, expected) in [
            ("/api/v1/7/feed?x=1", (Endpoint::Feed, Answer::Feed(7))),
            ("/feed.v1.Feed/Get", (Endpoint::GrpcGet, Answer::Grpc(Method::Get))),
            ("/status/503", (Endpoint::Status, Answer::Status(503))),
            ("/status/100", (Endpoint::Unknown, Answer::Status(404))),
            ("/status/+99", (Endpoint::Unknown, Answer::Status(404))),
            ("/delay/60001", (Endpoint::Unknown, Answer::Status(404))),
            ("/bytes/0", (Endpoint::Bytes, Answer::Bytes(0))),
            ("/bytes/99999999999", (Endpoint::Unknown, Answer::Status(404))),
            ("/bytes/", (Endpoint::Unknown, Answer::Status(404))),
            ("/", (Endpoint::Unknown, Answer::Status(404))),
        ] {
            let mut head = RequestHead::new();
            head.set_target(path.as_bytes());
            assert_eq!(of(&head), expected, "{path}");
        }
    }

    #[test]
    fn headers_come_back_as_json() {
        let mut head = RequestHead::new();
        head.set_target(b"/headers");
        head.set_authority(b"a.example");
        head.fields.push(b"x-a", b"1");
        head.fields.push(b"accept", b"q\"\\\xff");
        head.fields.push(b"x-a", b"2");
        let mut out = Vec::new();
        push_headers_json(&head, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{":method":["GET"],":scheme":["http"],":authority":["a.example"],"#,
                r#"":path":["/headers"],"x-a":["1","2"],"accept":["q\"\\\u00ff"]}"#
            )
        );
    }
}
