//! Metrics of a gateway, read from its admin server for abort conditions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bulkhead_chaos::metric_sum;

use crate::admin::Admin;

/// For the whole of one look at one server. Shorter than the interval of looks, so that a server that
/// hangs does not delay the next one.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// The series of one page.
#[derive(Debug, Default)]
pub(crate) struct Metrics(String);

/// Pages that were read in one look, each once.
#[derive(Debug, Default)]
pub(crate) struct Pages(HashMap<SocketAddr, Option<Metrics>>);

impl Pages {
    /// The page of this server; nothing if it could not be read.
    pub(crate) fn read(&mut self, admin: SocketAddr) -> Option<&Metrics> {
        self.0.entry(admin).or_insert_with(|| fetch(admin).map(Metrics)).as_ref()
    }
}

fn fetch(address: SocketAddr) -> Option<String> {
    let admin = Admin::new(address, Instant::now() + READ_TIMEOUT);
    // HTTP/1.0, so that the answer is neither chunked nor kept open.
    let question = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let answer = String::from_utf8(admin.converse(question.as_bytes()).ok()?).ok()?;
    let (head, page) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then(|| page.to_owned())
}

impl Metrics {
    /// As [`metric_sum`].
    pub(crate) fn sum(&self, wanted: &str) -> Option<f64> {
        metric_sum(&self.0, wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::{Pages, READ_TIMEOUT};

    #[test]
    fn a_server_that_dribbles_holds_nobody_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Each byte comes long before the timeout, and the page never ends; it stops when it is left.
        let dribble = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let began = Instant::now();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nworkers 4\n").unwrap();
            while began.elapsed() < 50 * READ_TIMEOUT && stream.write_all(b"#").is_ok() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            began.elapsed()
        });
        assert!(Pages::default().read(address).is_none());
        assert!(dribble.join().unwrap() < 50 * READ_TIMEOUT, "it was heard to its end");
    }
}
