//! The question of a check and what comes of it, as bytes in and out: no sockets, no clock.

use bulkhead_codec::{Codec, Event, Heads, Role, http1, http2};
use bulkhead_config::model::{HealthProbe, Protocol};
use bulkhead_grpc::{Messages, push_message};
use bulkhead_message::{BodyLength, Fields, Known, RequestHead};
use prost::Message;

use super::target::Target;

/// Largest body of an answer that is kept, in bytes; a `HealthCheckResponse` has two.
const BODY_BYTES_MAX: usize = 1024;
/// Largest input that may wait for its rest, in bytes: a head, or an HTTP/2 frame.
const INPUT_BYTES_MAX: usize = 128 * 1024;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: i32 = 1;

/// What passes.
#[derive(Clone, Debug)]
enum Expected {
    /// One of these statuses.
    Statuses(Vec<u16>),
    /// A gRPC answer that says SERVING.
    Serving,
}

/// One question on a connection of its own.
#[derive(Debug)]
pub(super) struct Conversation {
    codec: Codec,
    heads: Heads,
    expected: Expected,
    /// What has come and makes no whole piece yet.
    input: Vec<u8>,
    output: Vec<u8>,
    body: Vec<u8>,
}

impl Conversation {
    /// Asks. A target without a question is not for here.
    ///
    /// # Errors
    /// If the question cannot be written.
    pub(super) fn begin(target: &Target) -> Result<Self, String> {
        let (head, body, expected) = question(target);
        let mut codec = match target.protocol {
            Protocol::Http1 => {
                let settings = http1::Settings::default();
                Codec::Http1(Box::new(http1::Connection::new(Role::Client, &settings)))
            }
            Protocol::Http2 => {
                let settings = http2::Settings::default();
                Codec::Http2(Box::new(http2::Connection::new(Role::Client, &settings)))
            }
        };
        let mut output = Vec::new();
        codec.start(&mut output);
        let end = body.is_empty();
        let stream = codec.open(&head, end, 0, &mut output).map_err(|error| error.to_string())?;
        if !end {
            let sent = codec.send_data(stream, &body, true, &mut output);
            sent.map_err(|error| error.to_string())?;
        }
        let (input, body) = (Vec::new(), Vec::new());
        Ok(Self { codec, heads: Heads::default(), expected, input, output, body })
    }

    /// What is to be written now.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes bytes of the endpoint; none: it has ended. Gives the verdict once there is one.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<Result<(), String>> {
        if bytes.is_empty() {
            return Some(Err("the connection ended before the answer was whole".to_owned()));
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut rest = input.as_slice();
        loop {
            let event = self.codec.next_event(&mut rest, &mut self.heads, &mut self.output);
            let step = match event {
                Ok(None) => break,
                Ok(Some(event)) => react(&self.expected, &self.heads, &mut self.body, event),
                Err(error) => Some(Err(format!("the answer is malformed: {error}"))),
            };
            if step.is_some() {
                return step;
            }
        }
        self.input = rest.to_vec();
        let too_long = self.input.len() > INPUT_BYTES_MAX;
        too_long.then(|| Err("the answer is too long".to_owned()))
    }
}

/// Head, body, and what passes.
fn question(target: &Target) -> (RequestHead, Vec<u8>, Expected) {
    let mut head = RequestHead::new();
    head.scheme = target.scheme;
    head.set_authority(target.authority.as_bytes());
    head.fields.push(b"user-agent", b"bulkhead-health-check");
    match &target.check.probe {
        HealthProbe::Http { path, method, expected_statuses, .. } => {
            head.set_method(method.as_bytes());
            head.set_target(path.as_bytes());
            if method == "POST" {
                head.body = BodyLength::Known(0);
            }
            (head, Vec::new(), Expected::Statuses(expected_statuses.clone()))
        }
        HealthProbe::Grpc { service, .. } => {
            head.set_method(b"POST");
            head.set_target(b"/grpc.health.v1.Health/Check");
            head.fields.push_known(Known::ContentType, b"application/grpc");
            head.fields.push(b"te", b"trailers");
            head.body = BodyLength::Unknown;
            let request = HealthCheckRequest { service: service.clone() }.encode_to_vec();
            let mut body = Vec::new();
            // Only a message of 4 GiB cannot be framed, and then the empty body fails the check.
            let _ = push_message(&request, &mut body);
            (head, body, Expected::Serving)
        }
        HealthProbe::Tcp => (head, Vec::new(), Expected::Statuses(Vec::new())),
    }
}

/// What an event means: a verdict, or nothing yet.
fn react(
    expected: &Expected,
    heads: &Heads,
    body: &mut Vec<u8>,
    event: Event<'_>,
) -> Option<Result<(), String>> {
    match event {
        Event::Response { end, .. } => {
            let head = &heads.response;
            if head.is_interim() {
                return None;
            }
            match expected {
                Expected::Statuses(statuses) if statuses.contains(&head.status) => Some(Ok(())),
                Expected::Statuses(_) => Some(Err(format!("it answered {}", head.status))),
                Expected::Serving if head.status != 200 => {
                    Some(Err(format!("it answered {}", head.status)))
                }
                Expected::Serving if end => Some(serving(&head.fields, body)),
                Expected::Serving => None,
            }
        }
        Event::Data { bytes, end, .. } => {
            if body.len() + bytes.len() > BODY_BYTES_MAX {
                return Some(Err("the answer is too long".to_owned()));
            }
            body.extend_from_slice(bytes);
            end.then(|| Err("the answer has no grpc-status".to_owned()))
        }
        Event::Trailers { .. } => Some(serving(&heads.trailers, body)),
        Event::Reset { .. } => Some(Err("it gave up the stream".to_owned())),
        Event::Request { .. } | Event::GoAway { .. } | Event::Ready | Event::Pong(_) => None,
    }
}

/// What a finished call says.
fn serving(trailers: &Fields, body: &[u8]) -> Result<(), String> {
    let status = trailers.get(Known::GrpcStatus).unwrap_or(b"none");
    if status != b"0" {
        return Err(format!("it answered grpc-status {}", String::from_utf8_lossy(status)));
    }
    let message = Messages::new(body).next().and_then(Result::ok);
    let answer = message.and_then(|message| HealthCheckResponse::decode(message).ok());
    match answer.map(|answer| answer.status) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(format!("it answered {}", status_name(status))),
        None => Err("the answer is no HealthCheckResponse".to_owned()),
    }
}

fn status_name(status: i32) -> &'static str {
    match status {
        0 => "UNKNOWN",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "a status that is not known",
    }
}

#[cfg(test)]
mod tests;
