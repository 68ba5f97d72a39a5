//! The only place that turns a failure into what a client sees: a status with a fixed text, or for
//! gRPC a trailers-only answer with `grpc-status`, or trailers if the answer has begun.

use std::time::Duration;

use bulkhead_message::{
    BodyLength, Failure, FailureKind, Fields, GrpcStatus, Known, ResponseHead, Side, has_grpc_type,
};

/// The answer to a failure. `call`: the content type of a gRPC call. `date`: the current value of that
/// field.
pub(crate) fn of(failure: &Failure, call: Option<&[u8]>, date: &str) -> (ResponseHead, String) {
    match call {
        Some(content_type) => {
            let status = grpc_status(failure).as_str();
            (trailers_only(content_type, status, public_text(failure), date), String::new())
        }
        None => http(failure, date),
    }
}

/// What is said in public: details of the client's own mistakes, only the kind of all others.
fn public_text(failure: &Failure) -> &'static str {
    match failure.side {
        Side::Downstream => failure.detail,
        Side::Upstream | Side::Gateway => match failure.kind {
            FailureKind::NoEndpoint => "no endpoint is available",
            FailureKind::Overloaded => "the gateway is at its limit",
            FailureKind::CircuitOpen => "too many requests have failed",
            FailureKind::Connect | FailureKind::UpstreamTls => "the upstream cannot be reached",
            FailureKind::HeadTimeout | FailureKind::DeadlineExceeded | FailureKind::IdleTimeout => {
                "the upstream did not answer in time"
            }
            FailureKind::Internal => "internal failure",
            _ => "the upstream failed",
        },
    }
}

fn http(failure: &Failure, date: &str) -> (ResponseHead, String) {
    let mut head = ResponseHead::new(failure.status());
    let body = format!("{}: {}\n", failure.kind.as_str(), public_text(failure));
    head.fields.push_known(Known::ContentType, b"text/plain; charset=utf-8");
    head.fields.push_known(Known::Date, date.as_bytes());
    let length = body.len().to_string();
    head.fields.push_known(Known::ContentLength, length.as_bytes());
    head.body = BodyLength::Known(body.len() as u64);
    match failure.kind {
        FailureKind::Unauthenticated => {
            let challenge = bulkhead_filter::bearer_challenge(failure.detail);
            head.fields.push_known(Known::WwwAuthenticate, challenge.as_bytes());
        }
        FailureKind::Overloaded | FailureKind::NoEndpoint | FailureKind::CircuitOpen => {
            head.fields.push_known(Known::RetryAfter, b"1");
        }
        _ => {}
    }
    (head, body)
}

/// Says when it is of use to come back, if the head says anything of that.
pub(crate) fn set_retry_after(head: &mut ResponseHead, after: Duration) {
    if head.fields.contains(Known::RetryAfter) {
        // Whole seconds, and not before the time.
        let seconds = after.as_millis().div_ceil(1_000).max(1).to_string();
        head.fields.set(Known::RetryAfter, seconds.as_bytes());
    }
}

/// The content type of a gRPC call, with what tells the form of its messages, such as `+json`: some
/// clients take no other in an answer. The plain one if a filter has changed it to something else.
pub(crate) fn call_type(request: &Fields) -> &[u8] {
    let whole = request.get(Known::ContentType).filter(|_| has_grpc_type(request));
    let name = whole.and_then(|value| value.split(|byte| matches!(byte, b';' | b' ')).next());
    name.unwrap_or(b"application/grpc")
}

/// The answer to a gRPC call that is all head: no message, and what trailers would say.
pub(crate) fn trailers_only(
    content_type: &[u8],
    status: &str,
    message: &str,
    date: &str,
) -> ResponseHead {
    let mut head = ResponseHead::new(200);
    head.fields.push_known(Known::ContentType, content_type);
    head.fields.push_known(Known::GrpcStatus, status.as_bytes());
    head.fields.push_known(Known::GrpcMessage, message.as_bytes());
    head.fields.push_known(Known::Date, date.as_bytes());
    head
}

/// Makes these the trailers of a gRPC call whose answer has begun.
pub(crate) fn grpc_trailers(failure: &Failure, trailers: &mut Fields) {
    trailers.clear();
    trailers.push_known(Known::GrpcStatus, grpc_status(failure).as_str().as_bytes());
    trailers.push_known(Known::GrpcMessage, public_text(failure).as_bytes());
}

const fn grpc_status(failure: &Failure) -> GrpcStatus {
    match failure.kind {
        FailureKind::Overloaded => GrpcStatus::ResourceExhausted,
        FailureKind::BadRequest => GrpcStatus::Internal,
        _ => GrpcStatus::from_http(failure.status()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_message::Retry;

    #[test]
    fn each_side_tells_what_it_may() {
        let secret = Failure::upstream(FailureKind::Connect, Retry::Always, "10.0.0.7 refused");
        let (head, body) = of(&secret, None, "D");
        assert_eq!(
            (head.status, body.as_str()),
            (502, "connect: the upstream cannot be reached\n")
        );
        let own = Failure::downstream(FailureKind::Unauthenticated, "the token is expired");
        let (head, _) = of(&own, None, "D");
        assert_eq!(head.status, 401);
        assert_eq!(
            head.fields.get(Known::WwwAuthenticate),
            Some(bulkhead_filter::bearer_challenge("the token is expired").as_bytes())
        );
    }

    #[test]
    fn grpc_failures_have_the_type_of_their_call() {
        for (call, expect) in [
            ("application/grpc", "application/grpc"),
            ("application/grpc+json", "application/grpc+json"),
            ("application/grpc+proto; x=1", "application/grpc+proto"),
            ("text/plain", "application/grpc"),
        ] {
            let mut request = Fields::default();
            request.push_known(Known::ContentType, call.as_bytes());
            assert_eq!(call_type(&request), expect.as_bytes(), "{call}");
        }
        assert_eq!(call_type(&Fields::default()), b"application/grpc");
    }

    #[test]
    fn grpc_failures_are_trailers_only_answers() {
        for (kind, expect) in [
            (FailureKind::NoEndpoint, "14"),
            (FailureKind::CircuitOpen, "14"),
            (FailureKind::Overloaded, "8"),
            (FailureKind::DeadlineExceeded, "4"),
            (FailureKind::Unauthenticated, "16"),
            (FailureKind::NoRoute, "12"),
            (FailureKind::Internal, "2"),
        ] {
            let (head, body) = of(&Failure::gateway(kind, "x"), Some(b"application/grpc"), "D");
            assert_eq!((head.status, body.as_str()), (200, ""));
            assert_eq!(head.fields.get(Known::GrpcStatus), Some(expect.as_bytes()), "{kind:?}");
        }
    }
}
