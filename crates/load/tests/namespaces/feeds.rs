//! The load of the test: feeds, each checked to the byte.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_load::{
    Answer, Arrivals, LoadOptions, Mismatch, Process, Protocol, Request, Schedule, TargetOptions,
    Workload,
};
use bulkhead_origin::feed;

#[derive(Default)]
pub(crate) struct Feeds {
    scratch: Vec<u8>,
}

impl Workload for Feeds {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.key = number;
        request.head.set_authority(b"feed.example");
        self.scratch.clear();
        feed::push_json_path(number, &mut self.scratch);
        request.head.set_target(&self.scratch);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        self.scratch.clear();
        feed::push_json(answer.key, &mut self.scratch);
        if answer.body == self.scratch { Ok(()) } else { Err(Mismatch::Body) }
    }
}

pub(crate) fn options(address: SocketAddr, rate: f64, duration: Duration) -> LoadOptions {
    let target = TargetOptions { connections: 4, ..TargetOptions::new(address, Protocol::Http2) };
    let schedule = Schedule::constant(rate, Process::Constant, 1);
    LoadOptions::new(target, Arrivals::Open(schedule), duration)
}
