use std::sync::Mutex;

use bulkhead_message::FailureKind;

use super::*;

/// A `GET` as a filter meets it, and the context around it.
pub(crate) struct Exchange {
    pub(crate) request: RequestHead,
    pub(crate) caches: Caches,
    pub(crate) now_unix_s: u64,
    pub(crate) key_rotations: Vec<Arc<KeyRotation>>,
    pub(crate) matched_prefix_len: Option<usize>,
}

impl Exchange {
    pub(crate) fn new(authority: &str, target: &str) -> Self {
        let mut request = RequestHead::new();
        request.set_authority(authority.as_bytes());
        request.set_target(target.as_bytes());
        Self {
            request,
            caches: Caches::new(),
            now_unix_s: 0,
            key_rotations: Vec::new(),
            matched_prefix_len: None,
        }
    }

    pub(crate) fn context(&mut self) -> Context<'_> {
        Context {
            request: &mut self.request,
            client: None,
            now_unix_s: self.now_unix_s,
            secure: false,
            key_rotations: &self.key_rotations,
            caches: &mut self.caches,
            matched_prefix_len: self.matched_prefix_len,
        }
    }

    pub(crate) fn run(&mut self, filter: &impl Filter) -> Result<Flow, Failure> {
        filter.on_request(&mut self.context())
    }

    #[track_caller]
    pub(crate) fn respond(&mut self, filter: &impl Filter) -> Response {
        match self.run(filter).unwrap() {
            Flow::Respond(response) => *response,
            Flow::Continue => panic!("it should have answered"),
        }
    }
}

/// Writes down that it was called; then does what `then` says.
#[derive(Debug)]
struct Step {
    name: &'static str,
    then: Then,
    calls: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Continue,
    OnlyRequest,
    Respond,
    Fail,
}

impl Filter for Step {
    fn on_request(&self, _context: &mut Context<'_>) -> Result<Flow, Failure> {
        self.calls.lock().unwrap().push(format!("{}?", self.name));
        match self.then {
            Then::Continue | Then::OnlyRequest => Ok(Flow::Continue),
            Then::Respond => {
                let head = ResponseHead::new(200);
                Ok(Flow::Respond(Box::new(Response { head, body: Vec::new() })))
            }
            Then::Fail => Err(Failure::downstream(FailureKind::Refused, "no")),
        }
    }

    fn on_response(&self, _response: &mut ResponseHead) {
        self.calls.lock().unwrap().push(format!("{}!", self.name));
    }

    fn touches_response(&self) -> bool {
        self.then != Then::OnlyRequest
    }
}

/// Runs a chain of `a`, `b`, `c` over a request, then over an upstream's response if it gets so far.
#[track_caller]
fn check(steps: [Then; 3], expect: &str) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let step =
        |(name, then)| Arc::new(Step { name, then, calls: Arc::clone(&calls) }) as Arc<dyn Filter>;
    let chain = Chain::new(["a", "b", "c"].into_iter().zip(steps).map(step).collect());
    if let Ok(Flow::Continue) = chain.on_request(&mut Exchange::new("h", "/").context()) {
        chain.on_response(&RequestHead::new(), &mut ResponseHead::new(200));
    }
    assert_eq!(calls.lock().unwrap().join(" "), expect);
}

#[test]
fn requests_go_forth_and_responses_back() {
    use Then::{Continue, Fail, OnlyRequest, Respond};
    check([Continue, Continue, Continue], "a? b? c? c! b! a!");
    check([Continue, OnlyRequest, Continue], "a? b? c? c! a!");
    check([OnlyRequest, OnlyRequest, OnlyRequest], "a? b? c?");
    check([Continue, Respond, Continue], "a? b? a!");
    check([Continue, OnlyRequest, Respond], "a? b? c? a!");
    check([Respond, Continue, Continue], "a?");
    check([Continue, Fail, Continue], "a? b?");
}

#[test]
fn an_empty_chain_continues() {
    let chain = Chain::default();
    assert!(chain.is_empty() && !chain.touches_response());
    let flow = chain.on_request(&mut Exchange::new("h", "/").context()).unwrap();
    assert!(matches!(flow, Flow::Continue));
}
