//! Every kind against the origin itself where that speaks it, and what is wrong is noticed.

use std::time::Duration;

use bulkhead_load::{
    Arrivals, Load, LoadOptions, Process, Protocol, Schedule, TargetOptions, Upgrade,
};
use bulkhead_message::{Fields, ResponseHead};
use bulkhead_origin::{Origin, OriginOptions};

use super::*;

/// The only class of the generator, of a kind that alone is asked for.
struct Only(usize, Mixed);

impl Workload for Only {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let mine = (0..)
            .map(|step| number * 1_000 + step)
            .find(|&number| draw(&mut Random::numbered(self.1.seed, number)) == self.0);
        self.1.prepare(mine.unwrap(), request);
        request.class = 0;
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        self.1.check(&Answer { class: self.0, ..*answer })
    }
}

#[test]
fn the_origin_gives_the_right_answers() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    for (place, kind) in KINDS.iter().enumerate().filter(|(_, kind)| kind.call != Call::Web) {
        let protocol = match kind.way {
            Way::WebSocket | Way::SecureWebSocket => Protocol::WebSocket,
            Way::Http2 | Way::Https2 => Protocol::Http2,
            Way::Http1 | Way::Https1 | Way::Relay => Protocol::Http1,
        };
        let mut target = TargetOptions::new(origin.addr(), protocol);
        target.websocket = Some(Upgrade::new("/ws", STEADY));
        let arrivals = Arrivals::Open(Schedule::constant(100.0, Process::Constant, 1));
        let options = LoadOptions::new(target, arrivals, Duration::from_millis(50));
        let load = Load::start(options, |_| Box::new(Only(place, Mixed::new(7)))).unwrap();
        let report = load.finish();
        assert_eq!(report.failed, 0, "{}: {:?}", kind.name, report.failure_samples);
        assert!(report.ok > 0, "{}", kind.name);
    }
}

#[test]
fn every_kind_is_drawn() {
    let mut counts = [0; KINDS.len()];
    for number in 0..20_000 {
        counts[draw(&mut Random::numbered(1, number))] += 1;
    }
    assert!(counts.iter().all(|&count| count > 50), "{counts:?}");
}

#[test]
fn anything_wrong_is_noticed() {
    let mut mixed = Mixed::new(1);
    let head = ResponseHead::new(200);
    let ok: Fields = [("grpc-status", "0")].into_iter().collect();
    let none = Fields::new();
    for (class, kind) in KINDS.iter().enumerate().filter(|(_, kind)| kind.call != Call::Message) {
        let mut body = Vec::new();
        push_answer(kind.call, 77, &mut body);
        if kind.call == Call::Web {
            body.extend_from_slice(b"\x80\0\0\0\x0fgrpc-status:0\r\n");
        }
        let answer = Answer { class, key: 77, head: &head, body: &body, trailers: &ok };
        assert_eq!(mixed.check(&answer), Ok(()), "{}", kind.name);
        let cut = &body[..body.len() - 1];
        assert!(mixed.check(&Answer { body: cut, ..answer }).is_err(), "{}", kind.name);
        assert!(mixed.check(&Answer { key: 78, ..answer }).is_err(), "{}", kind.name);
        let wrong = ResponseHead::new(502);
        assert_eq!(mixed.check(&Answer { head: &wrong, ..answer }), Err(Mismatch::Status));
        let is_grpc = matches!(kind.call, Call::Unary | Call::Watch | Call::Upload | Call::Chat);
        let without = mixed.check(&Answer { trailers: &none, ..answer });
        assert_eq!(without.is_err(), is_grpc, "{}", kind.name);
    }
}
