//! Requests of an experiment, over HTTP/1.1 with or without TLS. Redirections are followed, as Chaos
//! Toolkit's library does it.

use std::time::Duration;

use bulkhead_experiment::{HttpCall, HttpReply, Outcome};
use bulkhead_transport::{ClientTls, ServerName};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::drive::Cancelled;

mod redirect;

use redirect::redirect;

/// Longest body that is read.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Redirections that are followed.
const REDIRECTIONS_MAX: usize = 30;
/// How often it is looked whether anybody still waits.
const POLL: Duration = Duration::from_millis(20);

/// Where a request goes to.
enum Peer<'p> {
    /// As the URL says.
    Network,
    /// Through this Unix socket, whatever host the URL names.
    Socket(&'p str),
}

/// Sends it and reads the answer, until nobody waits for it.
pub(super) fn call(call: &HttpCall, cancelled: &Cancelled) -> Result<Outcome, String> {
    exchange(call, Peer::Network, cancelled).map(Outcome::Http)
}

/// The same through a Unix socket.
pub(super) fn call_socket(
    call: &HttpCall,
    socket: &str,
    cancelled: &Cancelled,
) -> Result<HttpReply, String> {
    exchange(call, Peer::Socket(socket), cancelled)
}

/// The same, with the answer itself.
pub(super) fn call_network(call: &HttpCall, cancelled: &Cancelled) -> Result<HttpReply, String> {
    exchange(call, Peer::Network, cancelled)
}

fn exchange(call: &HttpCall, peer: Peer<'_>, cancelled: &Cancelled) -> Result<HttpReply, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("start a runtime: {error}"))?;
    runtime.block_on(async {
        tokio::select! {
            reply = follow(call, &peer) => reply,
            () = until(cancelled) => Err("the run was ended".to_owned()),
        }
    })
}

async fn until(cancelled: &Cancelled) {
    while !cancelled.is_set() {
        tokio::time::sleep(POLL).await;
    }
}

async fn follow(call: &HttpCall, peer: &Peer<'_>) -> Result<HttpReply, String> {
    let mut call = call.clone();
    for _ in 0..=REDIRECTIONS_MAX {
        let (reply, location) = once(&call, peer).await?;
        let Some(location) = location.filter(|_| matches!(reply.status, 301..=303 | 307 | 308))
        else {
            return Ok(reply);
        };
        redirect(&mut call, &reply, &location)?;
    }
    Err(format!("redirected more than {REDIRECTIONS_MAX} times"))
}

fn parse(url: &str) -> Result<Uri, String> {
    let without_fragment = url.split('#').next().unwrap_or(url);
    // A blank is the one thing in URLs that people write and that means only itself.
    let url = without_fragment.trim().replace(' ', "%20");
    let uri: Uri = url.parse().map_err(|error| format!("failed to connect to {url}: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() => Ok(uri),
        _ => Err(format!("failed to connect to {url}: it is no http:// or https:// URL")),
    }
}

async fn once(call: &HttpCall, peer: &Peer<'_>) -> Result<(HttpReply, Option<String>), String> {
    let uri = parse(&call.url)?;
    let request = request(call, &uri)?;
    let failed = |error: String| format!("failed to connect to {}: {error}", call.url);
    let too_long = || "activity took too long to complete".to_owned();
    let mut attempt = 0;
    let stream = loop {
        let connecting = tokio::time::timeout(call.connect_timeout, connect(call, &uri, peer));
        match connecting.await {
            Ok(Ok(stream)) => break stream,
            Ok(Err(error)) if attempt == call.max_retries => return Err(failed(error)),
            Err(_) if attempt == call.max_retries => return Err(too_long()),
            _ => attempt += 1,
        }
    };
    let answering = tokio::time::timeout(call.read_timeout, send(stream, request));
    let response = answering.await.map_err(|_| too_long())?.map_err(failed)?;
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    let location = location.map(str::to_owned);
    let (head, body) = response.into_parts();
    let body =
        tokio::time::timeout(call.read_timeout, Limited::new(body, BODY_BYTES_MAX).collect());
    let body = body.await.map_err(|_| too_long())?.map_err(|error| failed(error.to_string()))?;
    let headers = head.headers.iter().map(|(name, value)| {
        (canonical(name.as_str()), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let reply = HttpReply {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: body.to_bytes().to_vec(),
    };
    Ok((reply, location))
}

/// `Content-Type`: how names of fields are written in HTTP/1.1, and looked for in experiments.
fn canonical(name: &str) -> String {
    let mut start = true;
    let letter = |c: char| {
        let shown = if start { c.to_ascii_uppercase() } else { c };
        start = c == '-';
        shown
    };
    name.chars().map(letter).collect()
}

fn request(call: &HttpCall, uri: &Uri) -> Result<Request<Full<Bytes>>, String> {
    let method: Method =
        call.method.parse().map_err(|_| format!("`{}` is no method", call.method))?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let mut request = Request::builder().method(method).uri(target).header("host", host);
    let fields = request.headers_mut().ok_or("the request is wrong")?;
    for (name, value) in [
        ("accept", "*/*"),
        ("user-agent", concat!("bulkhead-chaos/", env!("CARGO_PKG_VERSION"))),
        ("connection", "close"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in &call.headers {
        let field: HeaderName =
            name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
        let text = HeaderValue::from_str(value);
        fields.insert(
            field,
            text.map_err(|_| format!("the header `{name}` has a value that cannot be sent"))?,
        );
    }
    request
        .body(Full::new(Bytes::from(call.body.clone())))
        .map_err(|error| format!("the request is wrong: {error}"))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(call: &HttpCall, uri: &Uri, peer: &Peer<'_>) -> Result<Box<dyn Stream>, String> {
    if let Peer::Socket(path) = peer {
        let stream = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
        return Ok(Box::new(stream));
    }
    let secure = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream =
        TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    if !secure {
        return Ok(Box::new(stream));
    }
    let config = ClientTls::new(None, !call.verify_tls, &[b"http/1.1"]);
    let config = config.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let connecting = tokio_rustls::TlsConnector::from(config).connect(name, stream);
    Ok(Box::new(connecting.await.map_err(|error| error.to_string())?))
}

async fn send(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, String> {
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It ends with the answer; what went wrong shows there as well.
    tokio::task::spawn(async move {
        let _told_by_the_request = connection.await;
    });
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err("the server switched to another protocol".to_owned());
    }
    Ok(response)
}
