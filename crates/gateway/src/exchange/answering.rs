//! What the client is told: the final head, interim ones, and answers of the gateway itself.

use bulkhead_message::{BodyLength, Failure, FailureKind, Known, ResponseHead, Retry};

use super::{grpc_status, grpc_web};
use crate::arena::Key;
use crate::exchange_state::Phase;
use crate::flow::Direction;
use crate::worker::Worker;

impl Worker {
    /// Passes `heads.response` on as the final head.
    pub(super) fn send_head(&mut self, key: Key, end: bool) {
        let Some(exchange) = self.exchanges.get(key) else { return };
        let (is_hedged, is_faulty) = (exchange.hedge != Key::NONE, exchange.fault.is_some());
        if is_hedged {
            self.drop_hedge(key);
        }
        if is_faulty && self.keep_head(key, end) {
            return;
        }
        let Self { exchanges, connections, heads, spare_buffers, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.hedge_at = None;
        exchange.phase = Phase::Responding;
        exchange.status = heads.response.status;
        if let Some(ids) = &exchange.snapshot.intake.request_ids {
            ids.tell(&exchange.request.fields, &mut heads.response.fields);
        }
        let Some(leg) = exchange.downstream else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        let out = connection.out.buffer(spare_buffers);
        let sent = codec.respond(leg.stream, &heads.response, end, out);
        if end {
            exchange.response_body.ended = true;
            exchange.response_body.end_sent = true;
        }
        self.touch(leg.connection);
        if sent.is_err() {
            let detail = "the response cannot be expressed in the client's protocol";
            let failure = Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail);
            self.exchange_failed(key, failure);
        }
    }

    pub(super) fn send_interim(&mut self, key: Key, head: &ResponseHead) {
        let Self { exchanges, connections, .. } = self;
        let Some(leg) = exchanges.get(key).and_then(|exchange| exchange.downstream) else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        if let Some(codec) = connection.codec.as_mut() {
            // An interim head that cannot be sent is no loss.
            let _ = codec.respond(leg.stream, head, false, &mut connection.out.bytes);
        }
        self.touch(leg.connection);
    }

    /// Answers from the gateway itself, in place of an upstream: in the terms of gRPC-Web, and with what
    /// the route's filters add to any answer.
    pub(super) fn answer_instead(&mut self, key: Key, mut head: ResponseHead, body: &[u8]) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.grpc_status = grpc_status(head.fields.get(Known::GrpcStatus));
        grpc_web::response_head(&mut exchange.grpc_web, &mut head);
        if let Some(route) = exchange.route {
            exchange.snapshot.route(route).chain.on_failure(&exchange.request, &mut head);
        }
        self.respond(key, &head, body);
    }

    /// Answers from the gateway itself.
    pub(crate) fn respond(&mut self, key: Key, head: &ResponseHead, body: &[u8]) {
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        let head_only = body.is_empty() || exchange.is_head;
        heads.response.clear();
        heads.response.status = head.status;
        heads.response.fields.clone_from(&head.fields);
        heads.response.body = if body.is_empty() && head.body == BodyLength::None {
            BodyLength::None
        } else {
            BodyLength::Known(body.len() as u64)
        };
        exchange.response_ended = true;
        if !head_only {
            exchange.response_body.push(body, 0);
            exchange.response_body.total = body.len() as u64;
            exchange.response_body.ended = true;
        }
        self.send_head(key, head_only);
        if !head_only {
            self.flush_pipe(key, Direction::Response);
        }
        self.response_sent(key);
    }
}
