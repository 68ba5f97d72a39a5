//! gRPC-Web on a route that translates it: where the codec for it stands in the story.

use std::borrow::Cow;

use bulkhead_codec::grpc_web::Call;
use bulkhead_message::{Failure, FailureKind, Fields, ResponseHead};

use crate::exchange_state::Exchange;
use crate::pipe::Pipe;

/// From here on the request is one of gRPC, if it is one of gRPC-Web.
pub(super) fn begin(exchange: &mut Exchange) {
    exchange.grpc_web = Call::begin(&mut exchange.request);
    exchange.is_grpc |= exchange.grpc_web.is_some();
}

/// A piece of request body, as the upstream gets it.
pub(super) fn request_data<'a>(
    call: &mut Option<Call>,
    bytes: &'a [u8],
    end: bool,
) -> Result<Cow<'a, [u8]>, Failure> {
    let Some(call) = call else { return Ok(Cow::Borrowed(bytes)) };
    call.request_data(bytes, end).map_err(|_| {
        Failure::downstream(FailureKind::BadRequest, "the gRPC-Web text is not base64")
    })
}

/// A piece of response body, as the client gets it.
pub(super) fn response_data<'a>(call: Option<&Call>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    call.map_or(Cow::Borrowed(bytes), |call| call.response_data(bytes))
}

/// The head of a response, as the client gets it.
pub(super) fn response_head(call: &mut Option<Call>, head: &mut ResponseHead) {
    if let Some(call) = call {
        call.response_head(head);
    }
}

/// Ends a response in trailers: those of HTTP, or of the translated call a frame of its body.
pub(super) fn end_in_trailers(call: Option<&Call>, body: &mut Pipe, trailers: &mut Fields) {
    body.ended = true;
    match call.filter(|call| call.translates()) {
        Some(call) => {
            let frame = call.trailers(trailers);
            body.total += frame.len() as u64;
            body.push(&frame, 0);
        }
        None => {
            body.has_trailers = true;
            std::mem::swap(&mut body.trailers, trailers);
        }
    }
}
