//! The admin server: HTTP/1.1 on an address of its own, loopback unless said otherwise.
//!
//! It tells, carries out operations and, if faults are allowed, injects them; it never changes the
//! configuration, and never shows a secret.

mod faults;
mod operations;
mod pages;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub(crate) use pages::{Answer, Pages, Question};

/// Connections at a time; more are closed at once.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Bytes of a request head.
pub const ADMIN_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a request head.
pub const ADMIN_FIELDS_MAX: usize = 64;
/// Until a request head is there; also how long a connection may be idle.
pub const ADMIN_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// After so long a connection is closed whatever it does.
pub const ADMIN_CONNECTION_LIFETIME: Duration = Duration::from_secs(600);
/// Pause after a failed accept: when file descriptors run out, trying at once is useless.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the admin server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminOptions {
    /// Address; port 0 asks the system for one.
    pub address: SocketAddr,
    /// Whether `POST /workers/{index}/kill` and `/faults` are there.
    pub faults: bool,
    /// Clusters without which the gateway is not ready: each must have a healthy endpoint.
    pub readiness_clusters: Vec<String>,
}

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, pages: Arc<Pages>) {
    let permits = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else { continue };
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            serve_connection(stream, pages).await;
            drop(permit);
        });
    }
}

async fn serve_connection(stream: TcpStream, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(respond(request, pages).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_HEAD_TIMEOUT)
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        .max_headers(ADMIN_FIELDS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or breaks the protocol gets what hyper gives it.
    let _ = tokio::time::timeout(ADMIN_CONNECTION_LIFETIME, connection).await;
}

/// Bodies of requests are read only where they say which fault is meant: else hyper closes the connection
/// if there is much of one.
async fn respond(request: Request<Incoming>, pages: Arc<Pages>) -> Response<Full<Bytes>> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut question = Question {
        from_browser: request.headers().contains_key("origin")
            || request.headers().contains_key("sec-fetch-site"),
        ..Question::new(request.method().as_str(), target)
    };
    let has_body = matches!(question.method.as_str(), "PUT" | "POST");
    if pages.faults && has_body && faults::is_for_faults(&question.path) {
        let Some(body) = body_of(request).await else {
            return response_of(Answer::text(413, "A fault has at most 64 KiB.\n"));
        };
        question.body = body;
    }
    let answer = if question.may_block() {
        tokio::task::spawn_blocking(move || pages.answer(&question))
            .await
            .unwrap_or_else(|_| Answer::text(500, "The request could not be carried out.\n"))
    } else {
        pages.answer(&question)
    };
    response_of(answer)
}

/// `None`: it is too long, too slow or broken off.
async fn body_of(request: Request<Incoming>) -> Option<Vec<u8>> {
    let body = Limited::new(request.into_body(), faults::FAULT_BYTES_MAX).collect();
    let body = tokio::time::timeout(ADMIN_HEAD_TIMEOUT, body).await.ok()?.ok()?;
    Some(body.to_bytes().to_vec())
}

fn response_of(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Some(allow) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}
