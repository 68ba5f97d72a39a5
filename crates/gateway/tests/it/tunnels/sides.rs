//! The two sides of a tunnel, of either protocol: clients, and upstreams under the test's control.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use bulkhead_config::Config;
use bulkhead_config::model::{Protocol, Tunnels};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::RawClient;
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::ext::Protocol as Extended;
use h2::{RecvStream, SendStream};
use http::{Method, Request};
use tokio::runtime::Handle;

use crate::http2::connect;
use crate::support::{PATIENCE, address, config, start};

/// The example of RFC 6455 §1.3.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) const ALL_FOUR: [(Protocol, Protocol); 4] = [
    (Protocol::Http1, Protocol::Http1),
    (Protocol::Http1, Protocol::Http2),
    (Protocol::Http2, Protocol::Http1),
    (Protocol::Http2, Protocol::Http2),
];

/// A configuration whose route passes WebSockets and CONNECT on.
pub(super) fn open_config(upstream: SocketAddr, protocol: Protocol, workers: usize) -> Config {
    let mut config = config(upstream, protocol, workers);
    let upgrades = match protocol {
        Protocol::Http1 => vec!["websocket".to_owned(), "foo/1".to_owned()],
        Protocol::Http2 => vec!["websocket".to_owned()],
    };
    config.routes[0].tunnels = Tunnels { upgrades, connect: true };
    config
}

/// Gateways in front of an HTTP/1.1 upstream: with `Http2` there is a second one between, since it
/// takes extended CONNECT. The first one is what is tested.
pub(super) struct Way {
    pub(super) gateway: Gateway,
    _between: Option<Gateway>,
}

impl Way {
    pub(super) fn to(upstream: SocketAddr, protocol: Protocol, workers: usize) -> Self {
        Self::with(upstream, protocol, workers, |_| {})
    }

    /// `change`: of the first gateway's configuration.
    pub(super) fn with(
        upstream: SocketAddr,
        protocol: Protocol,
        workers: usize,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let between = (protocol == Protocol::Http2)
            .then(|| start(open_config(upstream, Protocol::Http1, workers)));
        let next = between.as_ref().map_or(upstream, address);
        let mut config = open_config(next, protocol, workers);
        change(&mut config);
        Self { gateway: start(config), _between: between }
    }
}

/// An HTTP/1.1 upstream that the test plays itself.
pub(super) struct Upstream(TcpListener);

impl Upstream {
    pub(super) fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).expect("a port"))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// The next connection with a request, and the head of that. Others are left: a worker that dies
    /// while it dials leaves a connection behind that nobody may need.
    pub(super) fn accept(&self) -> (RawClient, String) {
        self.0.set_nonblocking(true).expect("a live socket");
        let (until, mut silent) = (Instant::now() + PATIENCE, Vec::<TcpStream>::new());
        let socket = loop {
            if let Ok((socket, _)) = self.0.accept() {
                socket.set_nonblocking(true).expect("a live socket");
                silent.push(socket);
            }
            let speaks = |socket: &TcpStream| matches!(socket.peek(&mut [0]), Ok(1..));
            if let Some(at) = silent.iter().position(speaks) {
                break silent.swap_remove(at);
            }
            assert!(Instant::now() < until, "no request comes");
            std::thread::yield_now();
        };
        socket.set_nonblocking(false).expect("a live socket");
        let mut peer = RawClient::over(socket, PATIENCE);
        let head = read_head(&mut peer);
        (peer, head)
    }

    /// The next connection, whose upgrade to a WebSocket is agreed to.
    pub(super) fn agree(&self) -> RawClient {
        let (mut peer, head) = self.accept();
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let accept = match key {
            Some(key) => tungstenite_accept(key),
            None => String::new(),
        };
        peer.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ));
        peer
    }
}

/// The value that an independent implementation gives.
fn tungstenite_accept(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

pub(super) fn read_head(peer: &mut RawClient) -> String {
    String::from_utf8(peer.read_until(b"\r\n\r\n")).expect("an ASCII head")
}

/// A request for a WebSocket, over HTTP/1.1.
pub(super) fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
    )
}

/// A client's side of a tunnel.
pub(super) enum Client {
    Http1(RawClient),
    Http2(Box<Http2Client>),
}

pub(super) struct Http2Client {
    runtime: Handle,
    _driven: tokio::sync::oneshot::Sender<()>,
    send: SendStream<Bytes>,
    answer: Option<ResponseFuture>,
    receive: Option<RecvStream>,
    pending: Vec<u8>,
}

impl Client {
    /// Asks for a WebSocket. Panics unless it is agreed to.
    pub(super) fn websocket(gateway: &Gateway, protocol: Protocol, path: &str) -> Self {
        let mut client = Self::ask_websocket(gateway, protocol, path);
        client.agreed();
        client
    }

    pub(super) fn ask_websocket(gateway: &Gateway, protocol: Protocol, path: &str) -> Self {
        match protocol {
            Protocol::Http1 => {
                let mut client = RawClient::connect(address(gateway), PATIENCE);
                client.send(upgrade(path, ""));
                Self::Http1(client)
            }
            Protocol::Http2 => {
                let mut request = Request::builder()
                    .method(Method::CONNECT)
                    .uri(format!("http://a.example{path}"))
                    .header("sec-websocket-version", "13")
                    .body(())
                    .expect("a request");
                request.extensions_mut().insert(Extended::from_static("websocket"));
                Self::Http2(Box::new(Http2Client::ask(gateway, request)))
            }
        }
    }

    /// Reads an agreement to a WebSocket.
    #[track_caller]
    pub(super) fn agreed(&mut self) {
        match self {
            Self::Http1(client) => {
                let head = read_head(client).to_ascii_lowercase();
                assert!(head.starts_with("http/1.1 101 "), "{head}");
                for field in ["connection: upgrade", "upgrade: websocket"] {
                    assert!(head.lines().any(|line| line == field), "{head}");
                }
                let accept = format!("sec-websocket-accept: {}", ACCEPT.to_ascii_lowercase());
                assert!(head.lines().any(|line| line == accept), "{head}");
            }
            Self::Http2(client) => {
                let head = client.head();
                assert_eq!(head.status, 200);
                for name in ["connection", "upgrade", "sec-websocket-accept", "content-length"] {
                    assert!(!head.headers.contains_key(name), "{head:?}");
                }
            }
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Http1(client) => client.send(bytes),
            Self::Http2(client) => client.send(bytes),
        }
    }

    pub(super) fn finish(&mut self) {
        match self {
            Self::Http1(client) => client.finish(),
            Self::Http2(client) => client.send.send_data(Bytes::new(), true).expect("open"),
        }
    }

    #[track_caller]
    pub(super) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        match self {
            Self::Http1(client) => client.read_exact(count),
            Self::Http2(client) => {
                while client.pending.len() < count {
                    assert!(client.fill().expect("data"), "the end after {:?}", client.pending);
                }
                client.pending.drain(..count).collect()
            }
        }
    }

    /// Everything until the end; `None` over HTTP/2 if it is a reset.
    pub(super) fn read_to_end(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Http1(client) => Some(client.read_to_end()),
            Self::Http2(client) => {
                while client.fill().ok()? {}
                Some(std::mem::take(&mut client.pending))
            }
        }
    }
}

impl Http2Client {
    pub(super) fn ask(gateway: &Gateway, request: Request<()>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (driven, over) = tokio::sync::oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        // Drives the connection also while the test does something else.
        std::thread::spawn(move || runtime.block_on(over));
        let runtime = handle;
        let (answer, send) = runtime.block_on(async {
            let client = connect(address(gateway)).await;
            let mut requests = client.ready().await.expect("a connection");
            if request.extensions().get::<Extended>().is_some() {
                // What the server offers comes with its settings.
                while !requests.is_extended_connect_protocol_enabled() {
                    tokio::task::yield_now().await;
                }
            }
            requests.send_request(request, false).expect("a stream")
        });
        let answer = Some(answer);
        Self { runtime, _driven: driven, send, answer, receive: None, pending: Vec::new() }
    }

    pub(super) fn head(&mut self) -> http::response::Parts {
        let answer = self.answer.take().expect("not read yet");
        let limited = async { tokio::time::timeout(PATIENCE, answer).await };
        let answer = self.runtime.block_on(limited).expect("in time").expect("an answer");
        let (head, receive) = answer.into_parts();
        self.receive = Some(receive);
        head
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        let mut rest = Bytes::copy_from_slice(bytes);
        let stream = &mut self.send;
        let all = async {
            while !rest.is_empty() {
                stream.reserve_capacity(rest.len());
                let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
                let room = room.expect("an open stream").expect("capacity");
                stream
                    .send_data(rest.split_to(room.min(rest.len())), false)
                    .expect("an open stream");
            }
        };
        let limited = async { tokio::time::timeout(PATIENCE, all).await };
        self.runtime.block_on(limited).expect("in time");
    }

    pub(super) fn reset(&mut self) {
        self.send.send_reset(h2::Reason::CANCEL);
    }

    /// Why the stream was given up.
    pub(super) fn reason(&mut self) -> Option<h2::Reason> {
        loop {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return error.reason(),
            }
        }
    }

    /// Reads a piece. False: it was the end.
    fn fill(&mut self) -> Result<bool, h2::Error> {
        let receive = self.receive.as_mut().expect("an answer was read");
        let limited = async { tokio::time::timeout(PATIENCE, receive.data()).await };
        let Some(piece) = self.runtime.block_on(limited).expect("in time") else {
            return Ok(false);
        };
        let piece = piece?;
        receive.flow_control().release_capacity(piece.len())?;
        self.pending.extend_from_slice(&piece);
        Ok(true)
    }
}

/// A frame of a WebSocket client, masked with zeros.
pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length as u8),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The same as a server sends it.
pub(super) fn echoed(payload: &[u8]) -> Vec<u8> {
    let masked = frame(payload);
    let head = masked.len() - payload.len() - 4;
    let mut frame = masked[..head].to_vec();
    frame[1] &= 0x7f;
    frame.extend_from_slice(payload);
    frame
}
