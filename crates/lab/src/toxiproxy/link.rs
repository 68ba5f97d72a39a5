//! One connection through a proxy: two sockets, a pipeline for each direction.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::pipeline::{Ending, Item, Pipeline};
use super::toxic::{Stream, Toxic};

/// Most bytes that are read at a time.
const READ_BYTES: usize = 32 * 1024;

/// The toxics of a proxy, replaced as a whole, so that changing them waits for no connection.
pub(super) type Toxics = Arc<[Toxic]>;

/// Passes bytes until both sides have finished, or one of them or a toxic ends the connection.
/// Dropping the future closes both sockets.
pub(super) async fn run(
    client: TcpStream,
    server: TcpStream,
    toxics: watch::Receiver<Toxics>,
    seed: u64,
) {
    // Bytes are held back by toxics, not by Nagle's algorithm.
    let _best_effort = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut up = Direction::new(from_client, to_server, Stream::Upstream, toxics.clone(), seed);
    let mut down =
        Direction::new(from_server, to_client, Stream::Downstream, toxics, seed.rotate_left(32));
    let ending = {
        let (mut up, mut down) = (pin!(up.run()), pin!(down.run()));
        tokio::select! {
            ending = &mut up => if ending == Ending::Finished { down.await } else { ending },
            ending = &mut down => if ending == Ending::Finished { up.await } else { ending },
        }
    };
    if ending == Ending::Reset {
        // Closing then sends RST instead of FIN, to both sides.
        for half in [&up.from, &down.from] {
            let _closed_anyway = SockRef::from(half.as_ref()).set_linger(Some(Duration::ZERO));
        }
        // Dropped as they are, they would send FIN first.
        up.to.forget();
        down.to.forget();
    }
}

/// One direction of a connection.
struct Direction {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    stream: Stream,
    toxics: watch::Receiver<Toxics>,
    pipeline: Pipeline,
}

impl Direction {
    fn new(
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        stream: Stream,
        toxics: watch::Receiver<Toxics>,
        seed: u64,
    ) -> Self {
        Self { from, to, stream, toxics, pipeline: Pipeline::new(seed) }
    }

    async fn run(&mut self) -> Ending {
        self.follow_toxics();
        let mut buffer = BytesMut::new();
        loop {
            let next = self.pipeline.advance(Instant::now());
            if let Some(ending) = self.write().await {
                return ending;
            }
            buffer.reserve(READ_BYTES);
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = self.from.read_buf(&mut buffer), if self.pipeline.has_room() => match read {
                    Ok(0) => self.pipeline.offer(Item::End(Ending::Finished)),
                    Ok(_) => {
                        let bytes = buffer.split().freeze();
                        self.pipeline.offer(Item::Data(bytes, Instant::now()));
                    }
                    Err(error) => return broken(&error),
                },
                () = due => {}
                changed = self.toxics.changed() => match changed {
                    Ok(()) => self.follow_toxics(),
                    Err(_) => return Ending::Cut,
                },
            }
        }
    }

    fn follow_toxics(&mut self) {
        let toxics = self.toxics.borrow_and_update().clone();
        let mine = toxics.iter().filter(|toxic| toxic.stream == self.stream);
        self.pipeline.set(Instant::now(), mine);
    }

    /// Sends what has passed. `Some`: that was the end.
    async fn write(&mut self) -> Option<Ending> {
        while let Some(item) = self.pipeline.take() {
            let written = match item {
                Item::Data(bytes, _) => self.to.write_all(&bytes).await,
                Item::End(Ending::Finished) => {
                    let _gone_already = self.to.shutdown().await;
                    return Some(Ending::Finished);
                }
                Item::End(ending) => return Some(ending),
            };
            if let Err(error) = written {
                return Some(broken(&error));
            }
        }
        None
    }
}

/// What one side did is passed on to the other as it was.
fn broken(error: &io::Error) -> Ending {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Ending::Reset,
        _ => Ending::Cut,
    }
}
