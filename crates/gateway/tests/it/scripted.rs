//! An upstream of HTTP/1.1 that answers each request as its test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::support::PATIENCE;

/// What becomes of a request.
pub(crate) enum Reply {
    /// This answer: all of its head and body, without `HTTP/1.1 ` in front.
    Say(&'static str),
    /// No answer, as long as the gateway keeps the connection.
    Stall,
    /// The connection is closed.
    Close,
}

/// An answer without a body.
pub(crate) const UNAVAILABLE: Reply = Reply::Say("503 No\r\ncontent-length: 0\r\n\r\n");
/// A good one.
pub(crate) const FINE: Reply = Reply::Say("200 OK\r\ncontent-length: 3\r\n\r\nyes");

type Script = dyn Fn(usize, &str) -> Reply + Send + Sync;

/// See the module. Requests are numbered from 0, over all connections.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Box<Script>,
    seen: Mutex<Vec<String>>,
    opened: AtomicUsize,
    closed: AtomicUsize,
    over: AtomicBool,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            script: Box::new(script),
            seen: Mutex::default(),
            opened: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let (socket, state) = (socket.expect("a connection"), Arc::clone(&shared));
                state.opened.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    serve(socket, &state);
                    state.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, state }
    }

    /// Heads and bodies of the requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().expect("no panic").clone()
    }

    /// Connections so far.
    pub(crate) fn opened(&self) -> usize {
        self.state.opened.load(Ordering::SeqCst)
    }

    /// Connections that are over.
    pub(crate) fn closed(&self) -> usize {
        self.state.closed.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut socket: TcpStream, state: &State) {
    while let Some(request) = read_request(&mut socket) {
        let number = {
            let mut seen = state.seen.lock().expect("no panic");
            seen.push(request.clone());
            seen.len() - 1
        };
        match (state.script)(number, &request) {
            Reply::Say(answer) => {
                if socket.write_all(format!("HTTP/1.1 {answer}").as_bytes()).is_err() {
                    return;
                }
            }
            Reply::Stall => {
                // A body that goes on counts for nothing; the end does.
                let mut rest = [0; 1024];
                while socket.read(&mut rest).is_ok_and(|count| count > 0) {}
                return;
            }
            Reply::Close => return,
        }
    }
}

/// A request with its body, if that has a declared length; `None`: the connection is over.
fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body).ok()?;
    request.extend_from_slice(&body);
    Some(String::from_utf8_lossy(&request).into_owned())
}

/// Waits for what must come.
#[track_caller]
pub(crate) fn await_until(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert!(is_so());
}
