//! What the load generator asks for, and what the right answers are, to the byte. Everything follows
//! from a request's key, so a body that is cut, changed or another client's is noticed.

use bulkhead_load::{Answer, Mismatch, Random, Request, Workload};
use bulkhead_message::Known;
use bulkhead_origin::feed;

use super::configuration::{FLOCK, STEADY};

/// Users that feeds are asked for.
const USERS: u64 = 1_000_000;
/// Messages of a call that streams.
const STREAMED: u64 = 20;
/// Feeds that `Watch` answers with.
const WATCHED: u64 = 5;
/// Bodies that may be sent again: below `limits.replay_bytes_max`.
const SMALL_BYTES: u64 = 20_000;
/// Bodies that are streamed.
const LARGE_BYTES: u64 = 600_000;

/// A connection's kind; the order of the generator's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// HTTP/1.1 in cleartext.
    Http1,
    /// HTTP/2 in cleartext.
    Http2,
    /// HTTP/1.1 over TLS, sessions resumed.
    Https1,
    /// HTTP/2 over TLS, never resumed.
    Https2,
    /// WebSocket.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
    /// HTTP/1.1 to the endpoint itself, as bytes.
    Relay,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// A user's feed.
    Feed,
    /// The body again, of up to so many bytes, by POST.
    Echo(u64),
    /// The body again by PUT, answered only when it is whole: may be repeated until then.
    Collect,
    /// One feed by gRPC.
    Unary,
    /// One message up, many feeds down.
    Watch,
    /// Many messages up, one feed down.
    Upload,
    /// Many messages up, as many feeds down.
    Chat,
    /// One feed by gRPC-Web.
    Web,
    /// A WebSocket message.
    Message,
}

/// A kind of request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) way: Way,
    host: &'static str,
    call: Call,
    weight: u64,
}

impl Kind {
    /// Does each request have a record of the gateway? Messages and what a relay carries have none.
    pub(super) const fn is_recorded(&self) -> bool {
        !matches!(self.way, Way::WebSocket | Way::SecureWebSocket | Way::Relay)
    }
}

const fn kind(name: &'static str, way: Way, host: &'static str, call: Call, weight: u64) -> Kind {
    Kind { name, way, host, call, weight }
}

/// All kinds; none of their requests may fail. Towards the flock all can be sent again.
pub(super) const KINDS: [Kind; 21] = [
    kind("http/1.1 GET, dying endpoints", Way::Http1, FLOCK, Call::Feed, 20),
    kind("http/1.1 PUT, dying endpoints", Way::Http1, FLOCK, Call::Collect, 8),
    kind("http/1.1 POST", Way::Http1, STEADY, Call::Echo(SMALL_BYTES), 8),
    kind("http/1.1 POST, large", Way::Http1, STEADY, Call::Echo(LARGE_BYTES), 1),
    kind("http/2 GET, dying endpoints", Way::Http2, FLOCK, Call::Feed, 20),
    kind("http/2 PUT, dying endpoints", Way::Http2, FLOCK, Call::Collect, 8),
    kind("http/2 POST", Way::Http2, STEADY, Call::Echo(SMALL_BYTES), 8),
    kind("http/2 POST, large", Way::Http2, STEADY, Call::Echo(LARGE_BYTES), 1),
    kind("https/1.1 GET, resumed, dying endpoints", Way::Https1, FLOCK, Call::Feed, 8),
    kind("https/1.1 POST, resumed", Way::Https1, STEADY, Call::Echo(SMALL_BYTES), 4),
    kind("https/2 GET, full handshakes, dying endpoints", Way::Https2, FLOCK, Call::Feed, 8),
    kind("https/2 POST, large", Way::Https2, STEADY, Call::Echo(LARGE_BYTES), 1),
    kind("grpc unary, dying endpoints", Way::Http2, FLOCK, Call::Unary, 12),
    kind("grpc unary over TLS, dying endpoints", Way::Https2, FLOCK, Call::Unary, 4),
    kind("grpc server streaming", Way::Http2, STEADY, Call::Watch, 4),
    kind("grpc client streaming", Way::Http2, STEADY, Call::Upload, 4),
    kind("grpc both streaming", Way::Http2, STEADY, Call::Chat, 4),
    kind("grpc-web", Way::Http1, STEADY, Call::Web, 4),
    kind("websocket", Way::WebSocket, STEADY, Call::Message, 12),
    kind("websocket over TLS", Way::SecureWebSocket, STEADY, Call::Message, 6),
    kind("tcp relay", Way::Relay, STEADY, Call::Echo(SMALL_BYTES), 8),
];

/// Draws requests by weight.
pub(super) struct Mixed {
    seed: u64,
    scratch: Vec<u8>,
}

impl Mixed {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, scratch: Vec::new() }
    }
}

impl Workload for Mixed {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let mut random = Random::numbered(self.seed, number);
        request.class = draw(&mut random);
        request.key = random.next();
        let kind = &KINDS[request.class];
        let head = &mut request.head;
        head.set_authority(kind.host.as_bytes());
        match kind.call {
            Call::Feed => {
                self.scratch.clear();
                feed::push_json_path(request.key % USERS, &mut self.scratch);
                head.set_target(&self.scratch);
            }
            Call::Echo(_) => {
                head.set_method(b"POST");
                head.set_target(b"/echo");
            }
            Call::Collect => {
                head.set_method(b"PUT");
                head.set_target(b"/collect");
            }
            Call::Message => {}
            call => {
                head.set_method(b"POST");
                head.set_target(grpc_path(call).as_bytes());
                let web = call == Call::Web;
                let content: &[u8] =
                    if web { b"application/grpc-web+proto" } else { b"application/grpc" };
                head.fields.push_known(Known::ContentType, content);
                if !web {
                    head.fields.push_known(Known::Te, b"trailers");
                }
            }
        }
        push_body(kind.call, request.key, &mut request.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let call = KINDS[answer.class].call;
        let status = if call == Call::Message { 101 } else { 200 };
        if answer.head.status != status {
            return Err(Mismatch::Status);
        }
        let is_grpc = matches!(call, Call::Unary | Call::Watch | Call::Upload | Call::Chat);
        if is_grpc && answer.trailers.get(Known::GrpcStatus) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        self.scratch.clear();
        push_answer(call, answer.key, &mut self.scratch);
        let Some(rest) = answer.body.strip_prefix(&*self.scratch) else {
            return Err(Mismatch::Body);
        };
        match call {
            Call::Web if is_web_end(rest) => Ok(()),
            Call::Web => Err(Mismatch::GrpcStatus),
            _ if rest.is_empty() => Ok(()),
            _ => Err(Mismatch::Body),
        }
    }
}

fn draw(random: &mut Random) -> usize {
    let mut place = random.below(KINDS.iter().map(|kind| kind.weight).sum());
    KINDS
        .iter()
        .position(|kind| {
            let is_it = place < kind.weight;
            place = place.saturating_sub(kind.weight);
            is_it
        })
        .unwrap_or_default()
}

const fn grpc_path(call: Call) -> &'static str {
    match call {
        Call::Watch => "/feed.v1.Feed/Watch",
        Call::Upload => "/feed.v1.Feed/Upload",
        Call::Chat => "/feed.v1.Feed/Chat",
        _ => feed::GRPC_PATH,
    }
}

/// Bytes of this length that follow from the key.
pub(super) fn push_noise(key: u64, length: u64, out: &mut Vec<u8>) {
    let mut random = Random::new(key);
    let end = out.len() + length as usize;
    while out.len() < end {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
    out.truncate(end);
}

fn push_body(call: Call, key: u64, out: &mut Vec<u8>) {
    match call {
        Call::Feed => {}
        Call::Echo(most) => push_noise(key, key % most, out),
        Call::Collect => push_noise(key, key % SMALL_BYTES, out),
        // An empty message is no request for the generator.
        Call::Message => push_noise(key, 1 + key % SMALL_BYTES, out),
        Call::Unary | Call::Watch | Call::Web => feed::push_grpc_request(key % USERS, out),
        Call::Upload | Call::Chat => {
            (0..STREAMED).for_each(|step| feed::push_grpc_request(key % USERS + step, out));
        }
    }
}

fn push_answer(call: Call, key: u64, out: &mut Vec<u8>) {
    let user = key % USERS;
    match call {
        Call::Feed => feed::push_json(user, out),
        Call::Echo(_) | Call::Collect | Call::Message => push_body(call, key, out),
        Call::Unary | Call::Web => feed::push_grpc_response(user, out),
        Call::Watch => (0..WATCHED).for_each(|step| feed::push_grpc_response(user + step, out)),
        Call::Chat => (0..STREAMED).for_each(|step| feed::push_grpc_response(user + step, out)),
        Call::Upload => {
            feed::push_grpc_response((0..STREAMED).map(|step| user + step).sum(), out);
        }
    }
}

/// The frame of trailers that ends an answer of gRPC-Web, with status 0.
fn is_web_end(frame: &[u8]) -> bool {
    let Some((prefix, trailers)) = frame.split_first_chunk::<5>() else { return false };
    let [flag, length @ ..] = *prefix;
    let whole = u32::from_be_bytes(length) as usize == trailers.len();
    let text = String::from_utf8_lossy(trailers).replace(' ', "");
    flag == 0x80 && whole && text.split("\r\n").any(|line| line == "grpc-status:0")
}

#[cfg(test)]
mod tests;
