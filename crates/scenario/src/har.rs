//! HAR 1.2 files, as browsers save them: requests with method, URL, headers and body, and their times.
//!
//! Entries that cannot be sent are left out and counted. Answers are not kept but for their status.

use bulkhead_load::Protocol;
use bulkhead_message::{is_field_value, is_path, is_token};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::build::OWN_FIELDS;
use crate::endpoint::Endpoint;
use crate::recording::{
    Methods, REQUESTS_MAX, RecordedRequest, Recording, RecordingError, RecordingOptions, Skipped,
};
use crate::settings::TargetSettings;
use crate::timestamp::rfc3339;

/// Largest file.
const HAR_BYTES_MAX: usize = 256 << 20;
/// Servers at most.
const TARGETS_MAX: usize = 64;
/// Headers of a request at most.
const FIELDS_MAX: usize = 256;

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Lenient>,
}

/// One bad entry is no reason to refuse the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Good(Box<Entry>),
    Bad(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: String,
    request: HarRequest,
    response: Option<HarResponse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    #[serde(default)]
    http_version: String,
    #[serde(default)]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    #[serde(default)]
    params: Vec<Pair>,
}

#[derive(Deserialize)]
struct HarResponse {
    #[serde(default)]
    status: i64,
}

/// Reads a HAR file. `file` is its name in messages. Without [`RecordingOptions::target`], requests go to
/// the servers that the file names: over HTTP/2 where that was recorded, over HTTP/1.1 otherwise.
///
/// Limits: 256 MiB, 1,000,000 requests, 64 servers.
///
/// # Errors
/// If it is no HAR file, too large, or nothing in it can be sent.
pub fn har(
    text: &str,
    file: &str,
    options: &RecordingOptions,
) -> Result<Recording, RecordingError> {
    if text.len() > HAR_BYTES_MAX {
        return Err(RecordingError::Large { file: file.to_owned(), mib_max: HAR_BYTES_MAX >> 20 });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let har: Har = serde_json::from_str(text).map_err(|fault| RecordingError::Har {
        file: file.to_owned(),
        line: fault.line(),
        column: fault.column(),
        reason: json_reason(&fault),
    })?;
    let entries = har.log.entries;
    if entries.len() > REQUESTS_MAX {
        return Err(RecordingError::Many { file: file.to_owned() });
    }
    let mut targets: Vec<TargetSettings> = options.target.iter().cloned().collect();
    let (mut requests, mut skipped) = (Vec::with_capacity(entries.len()), Skipped::default());
    for (index, entry) in entries.into_iter().enumerate() {
        let recorded = match entry {
            Lenient::Good(entry) => recorded(*entry, options, &mut targets),
            Lenient::Bad(_) => Err("it lacks its time or its request"),
        };
        match recorded {
            Ok(request) => requests.push(request),
            Err(reason) => skipped.add(&format!("entry {}", index + 1), reason),
        }
    }
    Recording::new(file, targets, requests, skipped)
}

/// What the parser says, without the place, which is told in front.
pub(crate) fn json_reason(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(reason, _)| reason.to_owned())
}

/// What is sent again, or why nothing is.
fn recorded(
    entry: Entry,
    options: &RecordingOptions,
    targets: &mut Vec<TargetSettings>,
) -> Result<RecordedRequest, &'static str> {
    let at = rfc3339(&entry.started_date_time).ok_or("its time is not of RFC 3339")?;
    let HarRequest { method, url, http_version, headers, post_data } = entry.request;
    if !is_token(method.as_bytes()) || method == "CONNECT" {
        return Err("its method cannot be sent");
    }
    let safe = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
    if options.methods == Methods::Safe && !safe {
        return Err("its method may change something, and only safe ones were asked for");
    }
    let scheme = url.split("://").next().unwrap_or("");
    if !matches!(scheme, "http" | "https") {
        return Err("its URL is not of http or https");
    }
    let (mut endpoint, path) = Endpoint::parse(&url).map_err(|_| "its URL has no usable host")?;
    let path = encode_path(&path);
    if !is_path(path.as_bytes()) {
        return Err("its path cannot be sent");
    }
    let http2 = matches!(
        http_version.to_ascii_lowercase().as_str(),
        "h2" | "h3" | "http/2" | "http/2.0" | "http/3"
    );
    if endpoint.tls && http2 {
        endpoint.protocol = Protocol::Http2;
    }
    let mut authority = endpoint.authority.clone();
    let (target, base) = match &options.target {
        Some(target) => (0, target.base.as_str()),
        None => (target_of(endpoint, options, targets).ok_or("it is for one server too many")?, ""),
    };
    let scheme = targets.get(target).map_or_else(Default::default, |one| one.endpoint.scheme());
    let fields = fields(headers, &mut authority);
    let body = post_data.map_or(Ok(Vec::new()), body_of)?;
    let status = entry.response.and_then(|response| u16::try_from(response.status).ok());
    Ok(RecordedRequest {
        at,
        target,
        class: 0,
        method,
        scheme,
        authority,
        path: format!("{base}{path}"),
        fields,
        body,
        // Browsers write 0 for what was never answered.
        status: status.filter(|status| (200..600).contains(status)),
    })
}

fn target_of(
    endpoint: Endpoint,
    options: &RecordingOptions,
    targets: &mut Vec<TargetSettings>,
) -> Option<usize> {
    let known = targets.iter().position(|target| target.endpoint == endpoint);
    known.or_else(|| {
        (targets.len() < TARGETS_MAX).then(|| {
            let name = endpoint.authority.clone();
            targets.push(TargetSettings::new(name, endpoint, options.connections));
            targets.len() - 1
        })
    })
}

/// Header fields that can be sent again; the framing is the codec's own business.
fn fields(headers: Vec<Pair>, authority: &mut String) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for Pair { name, value } in headers.into_iter().take(FIELDS_MAX) {
        let name = name.to_ascii_lowercase();
        let value = value.trim().to_owned();
        let usable = is_token(name.as_bytes()) && is_field_value(value.as_bytes());
        match name.as_str() {
            ":authority" | "host" if bulkhead_message::is_host(value.as_bytes()) => {
                *authority = value
            }
            "host" | "http2-settings" | "trailer" | "expect" => {}
            own if OWN_FIELDS.contains(&own) => {}
            _ if usable => fields.push((name, value)),
            _ => {}
        }
    }
    fields
}

fn body_of(post: PostData) -> Result<Vec<u8>, &'static str> {
    match post.text {
        Some(text) if !text.is_empty() || post.params.is_empty() => Ok(text.into_bytes()),
        _ if post.params.is_empty() => Ok(Vec::new()),
        _ if post.mime_type.starts_with("application/x-www-form-urlencoded") => {
            let pair = |pair: &Pair| format!("{}={}", form(&pair.name), form(&pair.value));
            let pairs: Vec<String> = post.params.iter().map(pair).collect();
            Ok(pairs.join("&").into_bytes())
        }
        _ => Err("its body was not recorded as text"),
    }
}

/// As forms are sent; what is encoded already stays so.
fn form(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'%' | b'+' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Browsers show URLs with spaces and letters beyond ASCII in them.
fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
