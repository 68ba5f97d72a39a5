//! Golden files: bytes from the peer and what the HTTP/1 codec makes of them, side by side.
//!
//! In `tests/wire/http1_*.txt` a case begins with `=== title`. Lines with `> ` are input, each ended by
//! CRLF; lines with `>. ` are input as it stands. Escapes: `\r \n \t \0 \\ \xHH`, and `\{3*ab}` for
//! repetition. `- METHOD` (client files) says what was asked; `GET` if nothing does. Lines with `= `
//! are the outcome, written by a run with `UPDATE_EXPECT=1` and reviewed by eye.
//!
//! The server answers each request with 200 as soon as it is whole, so that what was smuggled behind
//! it would show. Each case is run once in one piece and then cut in two at every byte and into single
//! bytes: the outcome must be the same.

use std::path::{Path, PathBuf};

use bulkhead_codec::http1::{Connection, Settings};
use bulkhead_codec::{Event, Heads, Role};
use bulkhead_message::{Fields, RequestHead, ResponseHead};

#[test]
fn server() {
    check_files("http1_server", Role::Server);
}

#[test]
fn client() {
    check_files("http1_client", Role::Client);
}

#[test]
fn smuggling() {
    check_files("http1_smuggling", Role::Server);
}

#[track_caller]
fn check_files(file: &str, role: Role) {
    let golden = read(file);
    let mut actual = String::new();
    for block in golden.split_inclusive("\n\n") {
        let kept = block.split_inclusive('\n').filter(|line| !line.starts_with("= "));
        match Case::of(block) {
            Some(case) => {
                actual.extend(kept.filter(|line| *line != "\n"));
                actual.push_str(&case.outcome(role));
                actual.push_str(if block.ends_with("\n\n") { "\n" } else { "" });
            }
            None => actual.push_str(block),
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path(file), actual).unwrap();
    } else if actual != golden {
        let differing = actual.lines().zip(golden.lines()).enumerate().find(|(_, (a, g))| a != g);
        panic!("{file}.txt differs (UPDATE_EXPECT=1 rewrites it), first at {differing:?}");
    }
}

/// Titles and inputs of a golden file, for other tests that can use them.
pub(crate) fn cases(file: &str) -> Vec<(String, Vec<u8>)> {
    let golden = read(file);
    let cases = golden.split("\n\n").filter_map(Case::of);
    cases.map(|case| (case.title.to_owned(), case.input)).collect()
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/{file}.txt"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

struct Case<'a> {
    title: &'a str,
    method: &'a str,
    input: Vec<u8>,
}

impl<'a> Case<'a> {
    /// The case that a block of lines holds; `None` if it holds only comments.
    fn of(block: &'a str) -> Option<Self> {
        let title = block.lines().find_map(|line| line.strip_prefix("=== "))?;
        let mut case = Self { title, method: "GET", input: Vec::new() };
        for line in block.lines() {
            if let Some(text) = line.strip_prefix(">. ") {
                unescape(text, &mut case.input);
            } else if let Some(text) = line.strip_prefix('>') {
                unescape(text.strip_prefix(' ').unwrap_or(text), &mut case.input);
                case.input.extend_from_slice(b"\r\n");
            } else if let Some(asked) = line.strip_prefix("- ") {
                case.method = asked;
            }
        }
        Some(case)
    }

    fn outcome(&self, role: Role) -> String {
        let Self { title, method, input } = self;
        let whole = Run::of(role, method, &[input]);
        for at in cuts(input.len()) {
            let cut = Run::of(role, method, &[&input[..at], &input[at..]]);
            assert_eq!(whole, cut, "{title}: cut at {at}");
        }
        if input.len() < 10_000 {
            let single: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(whole, Run::of(role, method, &single), "{title}: byte by byte");
        }
        whole.lines.iter().map(|line| format!("= {line}\n")).collect()
    }
}

fn unescape(text: &str, into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        into.extend_from_slice(plain.as_bytes());
        let (code, after) = escaped.split_at(1);
        rest = after;
        match code {
            "r" => into.push(b'\r'),
            "n" => into.push(b'\n'),
            "t" => into.push(b'\t'),
            "0" => into.push(0),
            "\\" => into.push(b'\\'),
            "x" => {
                into.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "{" => {
                let (count, text) = rest.split_once('*').unwrap();
                let (text, after) = text.split_once('}').unwrap();
                let mut piece = Vec::new();
                unescape(text, &mut piece);
                into.extend(piece.repeat(count.parse().unwrap()));
                rest = after;
            }
            other => panic!("unknown escape \\{other}"),
        }
    }
    into.extend_from_slice(rest.as_bytes());
}

/// Every position of a short input; of a long one those near its ends and some between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (1..len).filter(move |at| len < 1_500 || *at < 60 || at + 60 > len || at % 4_093 == 0)
}

#[derive(Debug, Default, PartialEq)]
struct Run {
    lines: Vec<String>,
    body: Vec<u8>,
    output: Vec<u8>,
}

impl Run {
    fn of(role: Role, method: &str, pieces: &[&[u8]]) -> Self {
        let mut run = Self::default();
        let mut connection = Connection::new(role, &Settings::default());
        if role == Role::Client {
            let mut head = RequestHead::new();
            head.set_method(method.as_bytes());
            head.set_authority(b"a.example:80");
            head.set_target(b"/");
            connection.open(&head, method != "CONNECT", 5, &mut Vec::new()).unwrap();
        }
        let mut heads = Heads::default();
        let mut input = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            let mut rest = input.as_slice();
            loop {
                match connection.next_event(&mut rest, &mut heads, &mut run.output) {
                    Ok(Some(event)) => run.note(event, &heads, &mut connection),
                    Ok(None) => break,
                    Err(error) => {
                        run.flush();
                        run.check_answer(role, error.status);
                        run.lines.push(format!("error {}: {}", error.status, error.reason));
                        assert!(connection.must_close());
                        return run;
                    }
                }
            }
            let consumed = input.len() - rest.len();
            input.drain(..consumed);
        }
        run.flush();
        if !input.is_empty() {
            run.lines.push(format!("left: {}", quote(&input)));
        }
        if connection.must_close() {
            run.lines.push("must close".to_owned());
        }
        run.end(&mut connection, &input);
        run
    }

    fn note(&mut self, event: Event<'_>, heads: &Heads, connection: &mut Connection) {
        let end = match event {
            Event::Request { end, .. } => {
                let head = &heads.request;
                self.lines.push(format!(
                    "request {} {} authority={} version={} body={:?}{}",
                    quote(head.method_text()),
                    quote(head.target()),
                    quote(head.authority()),
                    head.version.as_str(),
                    head.body,
                    fields(&head.fields)
                ));
                end
            }
            Event::Response { end, tag, .. } => {
                assert_eq!(tag, 5);
                let (status, version) = (heads.response.status, heads.response.version.as_str());
                let (body, fields) = (heads.response.body, fields(&heads.response.fields));
                self.lines
                    .push(format!("response {status} version={version} body={body:?}{fields}"));
                end
            }
            Event::Data { bytes, end, .. } => {
                assert!(end || !bytes.is_empty(), "an empty piece in the middle");
                self.body.extend_from_slice(bytes);
                end
            }
            Event::Trailers { .. } => {
                self.flush();
                self.lines.push(format!("trailers{}", fields(&heads.trailers)));
                true
            }
            other => panic!("{other:?}"),
        };
        if end {
            self.flush();
            self.lines.push("end".to_owned());
            if let Event::Request { stream, .. }
            | Event::Data { stream, .. }
            | Event::Trailers { stream, .. } = event
                && connection.role() == Role::Server
            {
                connection
                    .respond(stream, &ResponseHead::new(200), true, &mut self.output)
                    .unwrap();
            }
        }
    }

    /// Body pieces in one line, however they were cut.
    fn flush(&mut self) {
        if !self.body.is_empty() {
            self.lines.push(format!("body {}", quote(&self.body)));
            self.body.clear();
        }
    }

    /// A server that refuses says so, completely, as the last thing it writes.
    fn check_answer(&self, role: Role, status: u16) {
        let output = String::from_utf8_lossy(&self.output);
        if role == Role::Client {
            assert_eq!((status, output.as_ref()), (0, ""));
            return;
        }
        let answer = &output[output.rfind("HTTP/1.1 ").unwrap()..];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{output}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nconnection: close\r\n"), "{output}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{output}");
    }

    fn end(&mut self, connection: &mut Connection, rest: &[u8]) {
        for _ in 0..3 {
            match connection.end_of_input(rest) {
                Ok(Some(Event::Data { bytes: [], end: true, .. })) => {
                    self.lines.push("at the end of input: end".to_owned());
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => {
                    // Our half of a tunnel goes on.
                    assert!(connection.must_close() || connection.is_tunnel());
                    return;
                }
                Err(error) => {
                    assert!(connection.must_close());
                    self.lines.push(format!("at the end of input: {}", error.reason));
                    return;
                }
            }
        }
        panic!("the end of input has no end");
    }
}

fn fields(fields: &Fields) -> String {
    fields.iter().map(|f| format!(" | {}: {}", quote(f.name), quote(f.value))).collect()
}

fn quote(bytes: &[u8]) -> String {
    if bytes.len() > 200 {
        return format!("<{} bytes>", bytes.len());
    }
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}
