//! Happenings as server-sent events (WHATWG HTML, section 9.2). A client that comes again with
//! `Last-Event-ID` gets what it has missed, as far as it is kept; one that does not keep up is told so.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bulkhead_chaos::Happening;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::answer::ResponseBody;
use crate::{Lab, Subscription};

/// Happenings that may wait for a connection.
const FRAMES_WAITING_MAX: usize = 64;
/// A comment is sent so often, so that both sides notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Events(Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

pub(super) fn events(lab: &Lab, headers: &HeaderMap) -> Response<ResponseBody> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    // Without it, from now on: nobody wants yesterday's by surprise.
    let subscription = lab.subscribe(last.unwrap_or(u64::MAX));
    let (sender, receiver) = channel(FRAMES_WAITING_MAX);
    tokio::task::spawn_local(pump(subscription, sender));
    let mut response = Response::new(Events(receiver).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Until the client or the lab is gone.
async fn pump((kept, mut coming): Subscription, sender: Sender<Bytes>) {
    let mut next = Bytes::from_static(b": the lab's events follow\n\n");
    let mut kept = kept.into_iter();
    loop {
        if sender.send(next).await.is_err() {
            return;
        }
        if let Some(happening) = kept.next() {
            next = frame(&happening);
            continue;
        }
        next = match tokio::time::timeout(KEEP_ALIVE, coming.recv()).await {
            Ok(Ok(happening)) => frame(&happening),
            Ok(Err(RecvError::Lagged(missed))) => {
                Bytes::from(format!("event: missed\ndata: {{\"missed\":{missed}}}\n\n"))
            }
            Ok(Err(RecvError::Closed)) => return,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
    }
}

fn frame(happening: &Happening) -> Bytes {
    // A happening is always JSON, and JSON has no line breaks of its own.
    let data = serde_json::to_string(happening).unwrap_or_default();
    Bytes::from(format!("id: {}\nevent: {}\ndata: {data}\n\n", happening.sequence, happening.state))
}
