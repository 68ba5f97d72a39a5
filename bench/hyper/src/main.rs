//! hyper as a peer of the differential test: an origin that answers every request with its path, or
//! a reverse proxy in front of one upstream. Either way a line per request on standard output says
//! what hyper understood: method, target and the bytes of its body.
//!
//! `bench-hyper LISTEN [UPSTREAM]`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

use std::convert::Infallible;
use std::env;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (listen, upstream) = match arguments.as_slice() {
        [listen] => (listen, None),
        [listen, upstream] => (listen, Some(upstream.parse().context("read UPSTREAM")?)),
        _ => bail!("usage: bench-hyper LISTEN [UPSTREAM]"),
    };
    let listen: SocketAddr = listen.parse().context("read LISTEN")?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(listen, upstream))
}

async fn serve(listen: SocketAddr, upstream: Option<SocketAddr>) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("listen")?;
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await.context("accept")?;
                tokio::task::spawn_local(async move {
                    let service = service_fn(move |request| answer(request, upstream));
                    let served =
                        server::Builder::new().serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = served.await
                        && error.is_parse()
                    {
                        println!("<bad>");
                    }
                });
            }
        })
        .await
}

async fn answer(
    request: Request<Incoming>,
    upstream: Option<SocketAddr>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri.path());
    let Ok(body) = body.collect().await else {
        println!("{line} <cut>");
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let body = body.to_bytes();
    println!("{line} {}", body.len());
    let Some(upstream) = upstream else {
        return Ok(Response::new(Full::new(Bytes::from(head.uri.path().to_owned()))));
    };
    match pass_on(Request::from_parts(head, Full::new(body)), upstream).await {
        Ok(response) => Ok(response),
        Err(_) => Ok(status(StatusCode::BAD_GATEWAY)),
    }
}

/// One request on a connection of its own: what the upstream keeps of it can reach no other.
async fn pass_on(
    request: Request<Full<Bytes>>,
    upstream: SocketAddr,
) -> Result<Response<Full<Bytes>>> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
