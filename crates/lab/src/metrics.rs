//! Metrics of a gateway, read from its admin server for abort conditions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
    /// The sum of all series that fit `name` or `name{label="value",…}`; nothing if there is none.
    pub(crate) fn sum(&self, wanted: &str) -> Option<f64> {
        let (name, labels) = parse(wanted)?;
        let mut sum = None;
        for line in self.0.lines().filter(|line| line.starts_with(name)) {
            let Some((series, value)) = split_value(line) else { continue };
            let Some((series_name, series_labels)) = parse(series) else { continue };
            let fits =
                series_name == name && labels.iter().all(|label| series_labels.contains(label));
            if fits && let Ok(value) = value.parse::<f64>() {
                *sum.get_or_insert(0.0) += value;
            }
        }
        sum
    }
}

/// `name{…} value [timestamp]`. A label's value may hold spaces and braces.
fn split_value(line: &str) -> Option<(&str, &str)> {
    let end = match line.rfind('}') {
        Some(brace) => brace + 1,
        None => line.find(' ')?,
    };
    let (series, rest) = line.split_at(end);
    Some((series, rest.split_ascii_whitespace().next()?))
}

/// Name and labels as they stand: `code="503"`.
fn parse(series: &str) -> Option<(&str, Vec<&str>)> {
    let Some((name, rest)) = series.split_once('{') else { return Some((series, Vec::new())) };
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let open = rest.find('"')? + 1;
        let close = open + closing_quote(&rest[open..])?;
        labels.push(rest[..=close].trim());
        rest = rest[close + 1..].trim_start_matches([',', ' ']);
    }
    Some((name, labels))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::{Metrics, Pages, READ_TIMEOUT};

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

    #[test]
    fn series_that_fit_are_added() {
        let page = Metrics(
            "# HELP requests How many.\nrequests{code=\"200\",route=\"a, \\\"b\\\" }\"} 7\n\
             requests{code=\"503\",route=\"x\"} 2 1700000000\nrequests{code=\"503\",route=\"y\"} 3\n\
             requests_total 99\nworkers 4\nnothing{} 1e3\n"
                .to_owned(),
        );
        assert_eq!(page.sum("requests"), Some(12.0));
        assert_eq!(page.sum("requests{code=\"503\"}"), Some(5.0));
        assert_eq!(page.sum("requests{route=\"y\",code=\"503\"}"), Some(3.0));
        assert_eq!(page.sum("requests{route=\"a, \\\"b\\\" }\"}"), Some(7.0));
        assert_eq!(page.sum("workers"), Some(4.0));
        assert_eq!(page.sum("nothing"), Some(1_000.0));
        for missing in ["worker", "requests{code=\"404\"}", "requests{code", "{", ""] {
            assert_eq!(page.sum(missing), None, "{missing}");
        }
    }
}
