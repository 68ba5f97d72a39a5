//! One call by the generator itself, so that a question to a server takes the same way as the load.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use bulkhead_load::{
    Answer, Arrivals, Load, LoadOptions, Mismatch, Process, Request, Schedule, Workload,
};
use bulkhead_message::Known;

use super::Server;
use super::workload::{grpc_status, write_head};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) grpc_status: Option<String>,
    pub(super) grpc_message: String,
    pub(super) body: Vec<u8>,
}

/// Makes one call and gives its answer, whatever it is.
///
/// # Errors
/// If there is no whole answer.
pub(super) fn once(server: Server<'_>, path: &str, body: &[u8]) -> anyhow::Result<Told> {
    let mut target = server.target.clone();
    (target.connections, target.streams_max) = (1, 1);
    // The first request of a constant schedule is due at once, the second after the end.
    let schedule = Schedule::constant(1.0, Process::Constant, 0);
    let options = LoadOptions {
        timeout: TIMEOUT,
        ..LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_millis(1))
    };
    let told = Arc::default();
    let question = Question {
        authority: server.authority.to_owned(),
        headers: server.headers.to_vec(),
        path: path.to_owned(),
        body: body.to_vec(),
        told: Arc::clone(&told),
    };
    let report = Load::start(options, |_| Box::new(question.clone()))?.finish();
    let answer = told.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(answer) = answer {
        return Ok(answer);
    }
    let sample = report.failure_samples.first().context("the request was not made")?;
    bail!("{}: {}", sample.kind, sample.detail)
}

/// Keeps the answer.
#[derive(Clone, Debug)]
struct Question {
    authority: String,
    headers: Vec<(String, String)>,
    path: String,
    body: Vec<u8>,
    told: Arc<Mutex<Option<Told>>>,
}

impl Workload for Question {
    fn prepare(&mut self, _number: u64, request: &mut Request) {
        write_head(&self.authority, &self.path, &self.headers, request);
        request.body.extend_from_slice(&self.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let message = answer.trailers.get(Known::GrpcMessage);
        let message = message.or_else(|| answer.head.fields.get(Known::GrpcMessage));
        let told = Told {
            status: answer.head.status,
            grpc_status: grpc_status(answer).map(text),
            grpc_message: message.map(text).unwrap_or_default(),
            body: answer.body.to_vec(),
        };
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        Ok(())
    }
}
