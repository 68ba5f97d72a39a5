//! The state of an answer that could not be given whole at once.

use crate::answer::Method;
use crate::grpc::Call;
use bulkhead_codec::StreamId;

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Finish {
    /// Not yet: more is to come.
    #[default]
    Open,
    /// With its last byte.
    End,
    /// With trailers that carry this gRPC status.
    Trailers(u8),
}

/// What is done with the request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Intake {
    /// Dropped.
    #[default]
    Ignore,
    /// Sent back.
    Echo,
    /// Sent back once it is whole.
    Collect,
    /// Taken apart into messages.
    Grpc,
}

/// One answer in the making. Recycled: its buffers keep their memory.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Whose it is; 0: nobody's, it may be given to another stream.
    pub(super) stream: StreamId,
    pub(super) intake: Intake,
    pub(super) call: Call,
    /// Bytes to send, from `sent` on.
    pub(super) outgoing: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes of filler still to be made (`/bytes/{n}`), and the place of the next one.
    pub(super) filler: u64,
    pub(super) filler_at: u64,
    pub(super) finish: Finish,
    /// Flow-control bytes of the request that are not given back yet.
    pub(super) held: u32,
}

impl Exchange {
    pub(super) fn restart(&mut self, stream: StreamId, intake: Intake, method: Method) {
        self.stream = stream;
        self.intake = intake;
        self.call.restart(method);
        self.outgoing.clear();
        self.sent = 0;
        self.filler = 0;
        self.filler_at = 0;
        self.finish = Finish::Open;
        self.held = 0;
    }

    /// Makes the next piece of filler if all else is sent.
    pub(super) fn refill(&mut self) {
        const PIECE: u64 = 32 * 1024;
        if self.sent < self.outgoing.len() {
            return;
        }
        self.outgoing.clear();
        self.sent = 0;
        let piece = self.filler.min(PIECE);
        self.outgoing.extend((0..piece).map(|step| filler_byte(self.filler_at + step)));
        self.filler -= piece;
        self.filler_at += piece;
    }
}

/// The byte at a place of `/bytes/{n}`: the alphabet over and over.
const fn filler_byte(place: u64) -> u8 {
    b'a' + (place % 26) as u8
}
