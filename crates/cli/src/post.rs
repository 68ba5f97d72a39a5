//! A blocking POST over HTTP/1.1, on a connection that is kept. It has a time limit and no TLS.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Letters of an answer that are told.
const ANSWER_SHOWN: usize = 200;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    authority: String,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    /// Reads `http://host[:port][/path]`; without a path it is `path`. `what` is to be sent: metrics, say.
    pub(crate) fn parse(text: &str, path: &str, what: &str) -> anyhow::Result<Self> {
        if text.starts_with("https://") {
            bail!(
                "`{text}`: {what} are sent without TLS; use http:// to a receiver or proxy nearby"
            );
        }
        let rest = text
            .strip_prefix("http://")
            .with_context(|| format!("`{text}` is no http:// URL of a receiver of {what}"))?;
        let (authority, given) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        ensure!(!authority.contains('@'), "`{text}`: a receiver with a password is not supported");
        let parsed: hyper::http::uri::Authority =
            authority.parse().with_context(|| format!("`{text}` names no host"))?;
        ensure!(!parsed.host().is_empty(), "`{text}` names no host");
        let path = match given {
            "" | "/" => path.to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            given => given.to_owned(),
        };
        Ok(Self {
            authority: authority.to_owned(),
            host: parsed.host().trim_matches(['[', ']']).to_owned(),
            port: parsed.port_u16().unwrap_or(80),
            path,
        })
    }
}

/// A client of one receiver.
pub(crate) struct Post {
    url: Url,
    agent: &'static str,
    timeout: Duration,
    runtime: tokio::runtime::Runtime,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Post {
    /// `agent` is what the receiver is told of the sender.
    pub(crate) fn new(url: Url, agent: &'static str, timeout: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { url, agent, timeout, runtime, connection: None })
    }

    /// Sends a body; any 2xx is right.
    pub(crate) fn post(&mut self, headers: &[(&str, &str)], body: Bytes) -> anyhow::Result<()> {
        let mut request = Request::post(&self.url.path)
            .header("host", &self.url.authority)
            .header("user-agent", self.agent);
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).context("make the request")?;
        // Kept only if all goes well: a connection with half an answer on it is of no use.
        let kept = self.connection.take();
        let (url, timeout) = (&self.url, self.timeout);
        let exchange = async { tokio::time::timeout(timeout, exchange(url, kept, request)).await };
        let kept = self.runtime.block_on(exchange).with_context(|| {
            format!("{} did not answer within {} ms", url.authority, timeout.as_millis())
        })??;
        self.connection = Some(kept);
        Ok(())
    }
}

async fn exchange(
    url: &Url,
    kept: Option<SendRequest<Full<Bytes>>>,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let mut connection = match kept {
        Some(kept) => kept,
        None => connect(url).await?,
    };
    // The receiver may have closed it since.
    if connection.ready().await.is_err() {
        connection = connect(url).await?;
    }
    let answer = connection.send_request(request).await.context("send to the receiver")?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("read the receiver's answer: {error}"))?;
    if !status.is_success() {
        let text = String::from_utf8_lossy(&body.to_bytes()).trim().replace(['\r', '\n'], " ");
        let shown: String = text.chars().take(ANSWER_SHOWN).collect();
        bail!("{}{} answered {status}: {shown}", url.authority, url.path);
    }
    Ok(connection)
}

async fn connect(url: &Url) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .with_context(|| format!("connect to {}", url.authority))?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.context("begin HTTP/1.1 with the receiver")?;
    // It ends with the connection; what went wrong shows in the request as well.
    tokio::task::spawn(async move {
        let _told_by_the_request = connection.await;
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn addresses_are_read_or_refused_with_a_reason() {
        let url = |text: &str| {
            Url::parse(text, "/v1/metrics", "metrics").map_err(|error| error.to_string())
        };
        let parts = |text: &str| url(text).map(|url| (url.host, url.port, url.path)).unwrap();
        for (text, host, port, path) in [
            ("http://a", "a", 80, "/v1/metrics"),
            ("http://a:4318/", "a", 4318, "/v1/metrics"),
            ("http://127.0.0.1:9/api?x=1", "127.0.0.1", 9, "/api?x=1"),
            ("http://[::1]:9/w", "::1", 9, "/w"),
        ] {
            assert_eq!(parts(text), (host.to_owned(), port, path.to_owned()), "{text}");
        }
        assert!(url("https://a").unwrap_err().contains("without TLS"));
        for bad in ["a:80", "http://", "http://:80", "http://u:p@a", "http://a b"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
