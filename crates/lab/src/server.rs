//! The lab's API: HTTP/1.1 on a Unix socket or a loopback address. It is a network of its own, so to
//! speak: no fault of the lab strikes it.

mod answer;
mod routes;
mod stream;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use crate::Lab;
use crate::browser::is_from_browser;
use answer::{Answer, ResponseBody};

/// Connections at a time; more are closed at once.
pub const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes and fields of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
const HEAD_FIELDS_MAX: usize = 64;
/// Until a request's head is there; also how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Until a request's body is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept: when file descriptors run out, trying at once is useless.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket, for the user that the lab runs as.
    Unix(PathBuf),
    /// An address.
    Tcp(SocketAddr),
}

/// Why the API could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not be listened there.
    #[error("listen on {place}")]
    Listen {
        /// Where.
        place: String,
        /// What went wrong.
        source: io::Error,
    },
    /// Others could break this machine.
    #[error(
        "{0} is no loopback address; name `actors` with tokens in the policy, or use a Unix socket"
    )]
    Exposed(SocketAddr),
    /// The runtime could not be made.
    #[error("start the server")]
    Start(#[source] io::Error),
}

/// Serves until `end` is ready. `ready` is told where it listens.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    lab: &Arc<Lab>,
    endpoint: &Endpoint,
    ready: impl FnOnce(&Endpoint),
    end: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let served = runtime.block_on(async {
        match endpoint {
            Endpoint::Unix(path) => {
                let listener = listen_unix(path)?;
                ready(endpoint);
                accept(
                    lab,
                    end,
                    async || listener.accept().await.map(|(stream, _)| stream),
                    |it| {
                        it.peer_cred()
                            .map_or_else(|_| "local".to_owned(), |it| format!("uid:{}", it.uid()))
                    },
                )
                .await;
                // The next lab would remove it too, but nobody is to wonder.
                let _ = fs::remove_file(path);
            }
            Endpoint::Tcp(address) => {
                let listener = listen_tcp(lab, *address).await?;
                let bound = listener.local_addr().map_err(ServeError::Start)?;
                ready(&Endpoint::Tcp(bound));
                let next = async || listener.accept().await.map(|(stream, _)| stream);
                accept(lab, end, next, |_| "local".to_owned()).await;
            }
        }
        Ok(())
    });
    // Requests that still wait for an injection must not hold the end up.
    runtime.shutdown_background();
    served
}

/// A socket that is left of a lab that was killed is removed; the lab's lock says that no other runs.
fn listen_unix(path: &Path) -> Result<UnixListener, ServeError> {
    let failed =
        |source: io::Error| ServeError::Listen { place: path.display().to_string(), source };
    if fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
        fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

async fn listen_tcp(lab: &Lab, address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() && lab.policy().actors.is_empty() {
        return Err(ServeError::Exposed(address));
    }
    let place = address.to_string();
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { place, source })
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    lab: &Arc<Lab>,
    end: impl Future<Output = ()>,
    next: impl AsyncFn() -> io::Result<S>,
    local: impl Fn(&S) -> String,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Connections live on this thread, and end with this set.
    let connections = tokio::task::LocalSet::new();
    let accepting = async {
        loop {
            let Ok(stream) = next().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
            let (lab, local) = (Arc::clone(lab), local(&stream));
            tokio::task::spawn_local(async move {
                serve_connection(stream, lab, local).await;
                drop(permit);
            });
        }
    };
    connections
        .run_until(async {
            tokio::select! {
                () = accepting => {}
                () = end => {}
            }
        })
        .await;
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    lab: Arc<Lab>,
    local: String,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (lab, local) = (Arc::clone(&lab), local.clone());
        async move { Ok::<_, Infallible>(respond(request, lab, &local).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or breaks the protocol gets what hyper gives it.
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, lab: Arc<Lab>, local: &str) -> Response<ResponseBody> {
    if is_from_browser(request.headers()) {
        return Answer::error(403, "browsers are refused; use `bulkhead chaos` or curl").into();
    }
    let caller = match lab.policy().caller(token(request.headers()), local) {
        Ok(caller) => caller,
        Err(stranger) => return Answer::error(401, &stranger.to_string()).into(),
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or_default().to_owned();
    if path == "/v1/events" && method == Method::GET {
        return stream::events(&lab, request.headers());
    }
    let body = match read(request.into_body()).await {
        Ok(body) => body,
        Err(answer) => return answer.into(),
    };
    let asked = routes::Asked { method, path, query, body, caller };
    tokio::task::spawn_blocking(move || routes::answer(&lab, &asked))
        .await
        .unwrap_or_else(|_| Answer::error(500, "the request could not be carried out"))
        .into()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn read(body: Incoming) -> Result<Bytes, Answer> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Answer::error(413, "a body may have at most 4 MiB")),
        Err(_) => Err(Answer::error(408, "the body did not come in time")),
    }
}
