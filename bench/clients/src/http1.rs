//! One request of HTTP/1.1 at a time.

use anyhow::{Context as _, Result, bail, ensure};

use crate::client::Stream;

/// Beyond this a head is none.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends a request and reads its answer whole.
pub(crate) fn ask(stream: &mut dyn Stream) -> Result<()> {
    stream.write_all(b"GET /api/v1/1/feed HTTP/1.1\r\nhost: 0.many.test\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).context("read an answer")?;
        ensure!(count > 0, "the server closed the connection");
        answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        ensure!(answer.len() <= ANSWER_BYTES_MAX, "the answer does not end");
        if let Some(total) = total_bytes(&answer)? {
            if answer.len() == total {
                return Ok(());
            }
            ensure!(answer.len() < total, "more came than one answer");
        }
    }
}

/// Bytes of head and body, once the head is there.
fn total_bytes(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        bail!("the answer is not 200: {head}");
    }
    ensure!(!head.contains("connection: close"), "the server ends the connection: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("find content-length")?.trim().parse()?;
    Ok(Some(end + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_head_and_body() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(total_bytes(&head[..20]).unwrap(), None);
        assert_eq!(total_bytes(head).unwrap(), Some(head.len() + 5));
        total_bytes(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").unwrap_err();
        let last = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        total_bytes(last).unwrap_err();
    }
}
