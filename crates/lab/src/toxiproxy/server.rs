//! The server of the API, on a thread of its own, with the proxies behind it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bulkhead_chaos::TIME_TO_LIVE_MAX;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, oneshot};

use super::api::Answer;
use super::collection::Collection;
use super::front::Front;
use super::gateway::Gateway;
use crate::browser::is_from_browser;

/// Connections to the API at a time.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Until a request's head is there.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Until a request is answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
/// For taking back what a gateway has when the server ends.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// How often toxics are looked through for those whose time is over.
const SWEEP: Duration = Duration::from_millis(100);
/// After a failed accept: when descriptors run out, trying at once is useless.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ToxiproxyOptions {
    /// Address of the API; port 0 asks the system for one.
    pub listen: SocketAddr,
    /// Proxies to begin with, as `POST /populate` takes them: a JSON array.
    pub proxies: Option<String>,
    /// Longest life of a toxic, which is also that of one that names none.
    pub life_max: Duration,
    /// Everything random is drawn from it: jitter, slices, which connections a toxic acts on.
    pub seed: u64,
    /// Admin server of a gateway whose listeners are shown as proxies too. It has to allow faults.
    pub gateway: Option<SocketAddr>,
}

impl Default for ToxiproxyOptions {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8474));
        Self { listen, proxies: None, life_max: TIME_TO_LIVE_MAX, seed: 0, gateway: None }
    }
}

/// A running server. Dropping it closes all proxies and their connections, and takes toxics of a gateway back.
#[derive(Debug)]
pub struct Toxiproxy {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Toxiproxy {
    /// Opens the API's address and the proxies that are there from the beginning.
    ///
    /// # Errors
    /// An address cannot be listened on, the proxies make no sense, or the gateway does not answer or allows
    /// no faults.
    pub fn start(options: ToxiproxyOptions) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(options.listen))?;
        let address = listener.local_addr()?;
        let mut collection = Collection::new(options.seed);
        if let Some(proxies) = &options.proxies {
            let (_, error) = runtime.block_on(collection.populate(proxies.as_bytes()));
            if let Some(error) = error {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error.message));
            }
        }
        let find = |admin| runtime.block_on(Gateway::find(admin, options.seed));
        let gateway = options.gateway.map(find).transpose();
        let gateway = gateway.map_err(|error| io::Error::other(error.message))?;
        let server = Arc::new(Server {
            gateway,
            collection: Mutex::new(collection),
            life_max: options.life_max,
            requests: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("toxiproxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server.serve(listener) => {}
                    () = server.sweep() => {}
                    _ = stopped => {}
                }
                if let Some(gateway) = &server.gateway {
                    // What is not taken back by then ends when its life is over.
                    let _in_time = tokio::time::timeout(END_TIMEOUT, gateway.end()).await;
                }
            });
            // What still looks up a name ends by itself.
            runtime.shutdown_background();
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where the API is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Toxiproxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

struct Server {
    gateway: Option<Gateway>,
    collection: Mutex<Collection>,
    life_max: Duration,
    requests: AtomicU64,
}

impl Server {
    async fn serve(self: &Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let server = Arc::clone(self);
            tokio::spawn(async move {
                server.serve_connection(stream).await;
                drop(permit);
            });
        }
    }

    async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.collection.lock().await.expire(Instant::now());
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        });
        // A client that breaks the protocol gets what hyper gives it.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answering = tokio::time::timeout(ANSWER_TIMEOUT, self.answer(request)).await;
        let answer =
            answering.unwrap_or_else(|_| Answer::text(503, "The request took too long.\n"));
        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if let Ok(id) = HeaderValue::from_str(&format!("{number:016x}")) {
            headers.insert("x-toxiproxy-request-id", id);
        }
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if is_from_browser(request.headers()) {
            return Answer::text(403, "User agent not allowed\n");
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Answer::text(413, "The body is too long, or ended early.\n");
        };
        let (method, path) = (head.method.as_str(), head.uri.path());
        let front = Front {
            own: &self.collection,
            gateway: self.gateway.as_ref(),
            life_max: self.life_max,
        };
        front.answer(method, path, &body.to_bytes()).await
    }
}
