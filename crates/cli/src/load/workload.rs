//! The one kind of request that the plain form sends, and what its right answer is.

use anyhow::{Context, bail, ensure};
use bulkhead_grpc::push_message;
use bulkhead_load::{Answer, Mismatch, Protocol, Random, Request, Upgrade, Workload};
use bulkhead_message::{Known, is_token};

use super::args::LoadArgs;
use super::grpc::grpc_status;
use super::mix::Kind;
use super::target::{Target, Template};

/// Fields that follow from the connection or the body; another value would break the framing.
const OWN_FIELDS: [&str; 6] =
    ["connection", "content-length", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// Requests from flags.
#[derive(Clone, Debug)]
pub(crate) struct PlainWorkload {
    target: Target,
    method: String,
    headers: Vec<(Known, String, String)>,
    body: Vec<u8>,
    grpc: bool,
    expect_status: Option<u16>,
    expect_body: Option<Vec<u8>>,
    seed: u64,
    scratch: Vec<u8>,
}

impl PlainWorkload {
    /// Puts the flags together and reads the body's file.
    pub(crate) fn new(
        args: &LoadArgs,
        mut target: Target,
        kind: Kind,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let grpc = kind == Kind::Grpc;
        ensure!(
            !grpc || args.mix.is_some() || target.endpoint.protocol == Protocol::Http2,
            "gRPC needs HTTP/2: use an h2c:// or h2:// URL with --grpc"
        );
        let mut body = args.body.as_deref();
        if grpc && args.mix.is_some() {
            let path = args.grpc_path.as_deref();
            let path = path.context("a mix with gRPC needs --grpc-path /package.Service/Method")?;
            ensure!(path.starts_with('/'), "--grpc-path `{path}` does not start with `/`");
            target.path = Template::parse(path)?;
            body = args.grpc_body.as_deref();
        }
        let headers = headers(args, &mut target)?
            .into_iter()
            .map(|(name, value)| (Known::of(name.as_bytes()), name, value))
            .collect();
        let body = read_body(body.unwrap_or_default())?;
        let body = if grpc {
            let mut framed = Vec::new();
            push_message(&body, &mut framed).context("frame the gRPC message")?;
            framed
        } else {
            body
        };
        let usual = if body.is_empty() { "GET" } else { "POST" };
        let method = match &args.method {
            _ if grpc => "POST".to_owned(),
            Some(method) => method.clone(),
            None => usual.to_owned(),
        };
        ensure!(
            is_token(method.as_bytes()) && method != "CONNECT",
            "--method `{method}` is no method that load can send"
        );
        let expect_body = args.expect_body.as_deref().map(read_body).transpose()?;
        Ok(Self {
            target,
            method,
            headers,
            body,
            grpc,
            expect_status: args.expect_status.filter(|_| !grpc || args.mix.is_none()),
            expect_body,
            seed,
            scratch: Vec::new(),
        })
    }
}

/// What the connections of a WebSocket target ask for.
pub(crate) fn upgrade(args: &LoadArgs, target: &Target) -> anyhow::Result<Upgrade> {
    let mut target = target.clone();
    let headers = headers(args, &mut target)?;
    let path = args.ws_path.as_deref().map(Template::parse).transpose()?;
    let path = path.as_ref().unwrap_or(&target.path).fixed().context(
        "the path of a WebSocket can have no placeholders: it is asked for once per connection",
    )?;
    Ok(Upgrade { headers, ..Upgrade::new(path, &target.endpoint.authority) })
}

/// Fields from the flags, without `host`.
pub(crate) fn fields(args: &LoadArgs) -> anyhow::Result<Vec<(String, String)>> {
    let fields = args.headers.iter().map(|field| header(field));
    let fields = fields.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(fields.into_iter().filter(|(name, _)| name != "host").collect())
}

/// Fields from the flags; a `host` among them is the target's authority.
pub(crate) fn headers(
    args: &LoadArgs,
    target: &mut Target,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for field in &args.headers {
        let (name, value) = header(field)?;
        match name.as_str() {
            "host" => target.endpoint.authority = value,
            own if OWN_FIELDS.contains(&own) => bail!("--header `{own}` is set by load itself"),
            _ => headers.push((name, value)),
        }
    }
    Ok(headers)
}

/// The text itself, or the content of the file after `@`.
pub(crate) fn read_body(text: &str) -> anyhow::Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(path).with_context(|| format!("read the body `{path}`")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

impl Workload for PlainWorkload {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        let mut random = Random::numbered(self.seed, number);
        self.scratch.clear();
        self.target.path.push(&mut random, &mut self.scratch);
        let head = &mut request.head;
        head.set_method(self.method.as_bytes());
        head.set_authority(self.target.endpoint.authority.as_bytes());
        head.set_target(&self.scratch);
        if self.grpc {
            head.fields.push_known(Known::ContentType, b"application/grpc");
            head.fields.push_known(Known::Te, b"trailers");
        }
        for (known, name, value) in &self.headers {
            head.fields.push_classified(*known, name.as_bytes(), value.as_bytes(), false);
        }
        request.body.extend_from_slice(&self.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let status = answer.head.status;
        let right = self
            .expect_status
            .map_or_else(|| (200..300).contains(&status), |right| status == right);
        if !right {
            return Err(Mismatch::Status);
        }
        if self.grpc && grpc_status(answer) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        match &self.expect_body {
            Some(expected) if expected != answer.body => Err(Mismatch::Body),
            _ => Ok(()),
        }
    }
}

fn header(field: &str) -> anyhow::Result<(String, String)> {
    let (name, value) =
        field.split_once(':').with_context(|| format!("--header `{field}` has no `:`"))?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
    ensure!(is_token(name.as_bytes()), "--header `{field}` has no valid name");
    let bad = |byte: u8| byte < 0x20 && byte != b'\t' || byte == 0x7f;
    ensure!(!value.bytes().any(bad), "--header `{name}` has control characters in its value");
    Ok((name, value))
}
