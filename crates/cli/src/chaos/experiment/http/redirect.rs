//! Where a redirection leads, and what of the request goes with it, as Python's `requests` has it.

use bulkhead_experiment::{HttpCall, HttpReply};
use hyper::http::Uri;

use super::parse;

/// Fields that are meant for one server only.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Makes of a request the one that an answer asks for.
pub(super) fn redirect(
    call: &mut HttpCall,
    reply: &HttpReply,
    location: &str,
) -> Result<(), String> {
    let base = parse(&call.url)?;
    let url = resolve(&base, location);
    if !is_same_server(&base, &parse(&url)?) {
        drop_fields(call, &CREDENTIALS);
    }
    call.url = url;
    if !matches!(reply.status, 307 | 308) {
        // What was sent was for the first server only.
        call.body.clear();
        drop_fields(call, &["content-type"]);
        let to_get = matches!(reply.status, 302 | 303) || call.method == "POST";
        if to_get && call.method != "HEAD" {
            call.method = "GET".to_owned();
        }
    }
    Ok(())
}

fn drop_fields(call: &mut HttpCall, names: &[&str]) {
    call.headers.retain(|(name, _)| !names.iter().any(|one| name.eq_ignore_ascii_case(one)));
}

/// An absolute URL from a reference (RFC 3986, 5.2), but for dots in its path, which servers take out.
fn resolve(base: &Uri, location: &str) -> String {
    let begins = |scheme: &str| {
        location.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if begins("http://") || begins("https://") {
        return location.to_owned();
    }
    let scheme = base.scheme_str().unwrap_or("http");
    if location.starts_with("//") {
        return format!("{scheme}:{location}");
    }
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let path = match location.chars().next() {
        Some('/') => "",
        Some('?') => base.path(),
        None | Some('#') => base.path_and_query().map_or("/", |target| target.as_str()),
        _ => base.path().rsplit_once('/').map_or("/", |(start, _)| &base.path()[..=start.len()]),
    };
    format!("{scheme}://{authority}{path}{location}")
}

/// Whether both are of the same server. One that sends its callers from HTTP to HTTPS is still the same.
fn is_same_server(from: &Uri, to: &Uri) -> bool {
    let place = |uri: &Uri| {
        let secure = uri.scheme_str() == Some("https");
        (secure, uri.port_u16().unwrap_or(if secure { 443 } else { 80 }))
    };
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    let (before, after) = (place(from), place(to));
    host(from) == host(to) && (before == after || (before, after) == ((false, 80), (true, 443)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn redirected(status: u16, location: &str) -> HttpCall {
        let fields = ["Authorization", "cookie", "Content-Type", "X-Other"];
        let mut call = HttpCall {
            method: "POST".to_owned(),
            url: "http://a:80/b/c?d".to_owned(),
            headers: fields.map(|name| (name.to_owned(), "value".to_owned())).to_vec(),
            body: b"body".to_vec(),
            connect_timeout: Duration::ZERO,
            read_timeout: Duration::ZERO,
            verify_tls: true,
            max_retries: 0,
        };
        redirect(&mut call, &HttpReply { status, ..HttpReply::default() }, location).unwrap();
        call
    }

    fn names(call: &HttpCall) -> Vec<&str> {
        call.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_reference_is_resolved_against_what_was_asked() {
        for (location, url) in [
            ("http://x/y", "http://x/y"),
            ("HTTPS://x/y", "HTTPS://x/y"),
            ("//x/y", "http://x/y"),
            ("/y?z", "http://a:80/y?z"),
            ("y", "http://a:80/b/y"),
            ("?y", "http://a:80/b/c?y"),
            ("#y", "http://a:80/b/c?d#y"),
        ] {
            assert_eq!(redirected(307, location).url, url, "{location}");
        }
    }

    #[test]
    fn credentials_do_not_go_to_another_server() {
        for location in ["/y", "http://A/y", "https://a/y"] {
            let call = redirected(307, location);
            assert_eq!(names(&call), ["Authorization", "cookie", "Content-Type", "X-Other"]);
            assert_eq!((call.method.as_str(), call.body.as_slice()), ("POST", &b"body"[..]));
        }
        for location in ["http://x/y", "//x/y", "http://a:81/y", "https://a:8443/y"] {
            assert_eq!(
                names(&redirected(307, location)),
                ["Content-Type", "X-Other"],
                "{location}"
            );
        }
    }

    #[test]
    fn what_was_sent_is_sent_again_only_if_the_answer_says_so() {
        let call = redirected(302, "/y");
        assert_eq!(names(&call), ["Authorization", "cookie", "X-Other"]);
        assert_eq!((call.method.as_str(), call.body.len()), ("GET", 0));
    }
}
