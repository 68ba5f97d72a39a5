//! What becomes of an exchange that fails: another attempt, an answer that tells the client, or, if
//! the answer has begun, an end that cannot be taken for a good one.

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, FailureKind, Known, Retry};
use bulkhead_upstream::AttemptOutcome;

use super::time_limits::overdue;
use super::{grpc_status, grpc_web};
use crate::arena::Key;
use crate::exchange_state::{Phase, Role};
use crate::failure_response;
use crate::flow::Direction;
use crate::worker::Worker;

impl Worker {
    /// The upstream gave up the stream.
    pub(crate) fn upstream_reset(&mut self, key: Key, code: ErrorCode, by_peer: bool) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.response_ended && exchange.phase != Phase::Tunnel {
            // The answer is whole; the upstream only does not want the rest of the request.
            exchange.request_body.end_sent = true;
            return self.upstream_ended(key);
        }
        // A server of gRPC ends a call so that is beyond its client's deadline, and is no worse for it.
        // It knows no sooner than we do, but our timer is looked at only every few milliseconds.
        let overdue = overdue(exchange, self.now).filter(|_| code == ErrorCode::CANCEL && by_peer);
        let failure = overdue.unwrap_or_else(|| of_reset(code, by_peer));
        self.stream_gone(key);
        self.exchange_failed(key, failure);
    }

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
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        match exchange.role {
            Role::Client => {}
            Role::Hedge(client) => return self.hedge_over(key, client),
            Role::Mirror => {
                exchange.failure = Some(failure);
                return self.finish(key);
            }
        }
        if self.go_on_with_hedge(key, &failure) || self.try_again(key, &failure) {
            return;
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        // An answer that is being ended may fail once more; what counts is why it is ended.
        exchange.failure.get_or_insert(failure);
        if exchange.downstream.is_none() {
            return self.finish(key);
        }
        if exchange.fault.is_some() {
            self.drop_kept_head(key);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        // Its pause, or a delay, is over as well: the timer must not come for it.
        exchange.retry_at = None;
        let phase = exchange.phase;
        if exchange.has_responded() {
            if self.end_grpc_call(key, &failure) {
                return;
            }
            // RFC 9113 §8.5: what befell the other side of a tunnel.
            let code = match phase {
                Phase::Tunnel => ErrorCode::CONNECT_ERROR,
                _ => ErrorCode::INTERNAL_ERROR,
            };
            self.reset_downstream(key, code);
            return self.finish(key);
        }
        let call = exchange.is_grpc.then(|| failure_response::call_type(&exchange.request.fields));
        let (mut head, body) = failure_response::of(&failure, call, self.date.text());
        if let Some(after) = exchange.passes.retry_after {
            failure_response::set_retry_after(&mut head, after);
        }
        self.answer_instead(key, head, body.as_bytes());
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
        let incomplete = messages.incomplete_bytes();
        // Of what is encoded as text, nothing can be taken back.
        let removable = exchange.grpc_web.is_none_or(|call| call.is_binary());
        if uncertain || body.ended || (incomplete > 0 && !removable) || !body.drop_last(incomplete)
        {
            return false;
        }
        let trailers = &mut self.heads.trailers;
        failure_response::grpc_trailers(failure, trailers);
        exchange.grpc_status = grpc_status(trailers.get(Known::GrpcStatus));
        grpc_web::end_in_trailers(exchange.grpc_web.as_ref(), body, trailers);
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

/// What a reset of the upstream's stream says.
fn of_reset(code: ErrorCode, by_peer: bool) -> Failure {
    let (kind, retry, detail) = match code {
        ErrorCode::REFUSED_STREAM if by_peer => {
            (FailureKind::UpstreamRefused, Retry::Always, "the upstream refused the stream")
        }
        _ if by_peer => {
            (FailureKind::UpstreamReset, Retry::IfIdempotent, "the upstream reset the stream")
        }
        _ => (
            FailureKind::UpstreamProtocol,
            Retry::IfIdempotent,
            "the upstream's answer is malformed",
        ),
    };
    Failure::upstream(kind, retry, detail)
}
