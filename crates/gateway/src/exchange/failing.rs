//! What becomes of an exchange that fails: another attempt, an answer that tells the client, or, if
//! the answer has begun, an end that cannot be taken for a good one.

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, FailureKind, Known};
use bulkhead_upstream::AttemptOutcome;

use super::grpc_status;
use crate::arena::Key;
use crate::exchange_state::Phase;
use crate::failure_response;
use crate::flow::Direction;
use crate::worker::Worker;

impl Worker {
    /// An attempt or the whole exchange failed: tries again where that is safe, else tells the client.
    pub(crate) fn exchange_failed(&mut self, key: Key, failure: Failure) {
        let Some(exchange) = self.exchanges.get(key) else { return };
        if exchange.phase == Phase::Discarding {
            // The answer was given; only the rest of the request is missing.
            self.reset_downstream(key, ErrorCode::NO_ERROR);
            return self.finish(key);
        }
        self.tell_endpoint(key, AttemptOutcome::of_failure(&failure));
        self.detach_upstream(key, ErrorCode::CANCEL);
        if self.try_again(key, &failure) {
            return;
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        // An answer that is being ended may fail once more; what counts is why it is ended.
        exchange.failure.get_or_insert(failure);
        if exchange.downstream.is_none() {
            return self.finish(key);
        }
        if exchange.has_responded() {
            if self.end_grpc_call(key, &failure) {
                return;
            }
            self.reset_downstream(key, ErrorCode::INTERNAL_ERROR);
            return self.finish(key);
        }
        let (mut head, body) = failure_response::of(&failure, exchange.is_grpc, self.date.text());
        if let Some(after) = exchange.passes.retry_after {
            failure_response::set_retry_after(&mut head, after);
        }
        exchange.grpc_status = grpc_status(head.fields.get(Known::GrpcStatus));
        self.respond(key, &head, body.as_bytes());
    }

    /// Ends a gRPC call, whose answer has begun, in trailers that say what happened. False: its client
    /// has a part of a message already, and trailers behind that would only say that it is broken.
    fn end_grpc_call(&mut self, key: Key, failure: &Failure) -> bool {
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        // Once: what fails while the trailers wait for the client ends in a reset.
        let Some(messages) = exchange.grpc_messages.take() else { return false };
        let body = &mut exchange.response_body;
        // After a panic nobody knows which of the last bytes were passed on.
        let uncertain = failure.kind == FailureKind::Internal;
        if uncertain || body.ended || !body.drop_last(messages.incomplete_bytes()) {
            return false;
        }
        body.ended = true;
        body.has_trailers = true;
        failure_response::grpc_trailers(failure, &mut body.trailers);
        exchange.grpc_status = grpc_status(body.trailers.get(Known::GrpcStatus));
        exchange.response_ended = true;
        self.flush_pipe(key, Direction::Response);
        true
    }

    /// The client's stream is given up.
    pub(super) fn reset_downstream(&mut self, key: Key, code: ErrorCode) {
        let Self { exchanges, connections, .. } = self;
        let Some(leg) = exchanges.get_mut(key).and_then(|exchange| exchange.downstream.take())
        else {
            return;
        };
        if let Some(connection) = connections.get_mut(leg.connection)
            && let Some(codec) = connection.codec.as_mut()
        {
            codec.reset(leg.stream, code, &mut connection.out.bytes);
        }
        self.touch(leg.connection);
    }
}
