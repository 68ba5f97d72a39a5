//! A line of the Common or Combined Log Format:
//! `127.0.0.1 - ann [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 23 "https://from/" "agent/1.0"`

use bulkhead_message::is_field_value;

use super::Line;
use crate::timestamp::log_time;

pub(super) fn read(line: &str) -> Result<Line, &'static str> {
    const FORM: &str = "it is neither JSON nor of the Common or Combined Log Format";
    let (_, rest) = line.split_once('[').ok_or(FORM)?;
    let (time, rest) = rest.split_once(']').ok_or(FORM)?;
    let at = log_time(time).ok_or("its time is not like 10/Oct/2000:13:55:36 -0700")?;
    let (request, rest) = quoted(rest).ok_or(FORM)?;
    let mut words = request.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("its request line is not METHOD PATH VERSION");
    };
    if !version.starts_with("HTTP/") {
        return Err("its request line is not METHOD PATH VERSION");
    }
    let (authority, path) = split_target(target);
    let mut numbers = rest.split_ascii_whitespace();
    let status = numbers.next().and_then(|status| status.parse::<u16>().ok()).ok_or(FORM)?;
    let mut fields = Vec::new();
    if let Some((referer, rest)) = quoted(rest) {
        let agent = quoted(rest).map(|(agent, _)| agent);
        for (name, value) in [("referer", Some(referer)), ("user-agent", agent)] {
            // `-` stands for none.
            let value = value.filter(|value| value != "-" && is_field_value(value.as_bytes()));
            fields.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    Ok(Line {
        at,
        coarse: true,
        method: method.to_owned(),
        authority: authority.to_owned(),
        path: path.to_owned(),
        query_left_out: false,
        fields,
        // 499 and the like: nobody got that answer.
        status: (200..=599).contains(&status).then_some(status).filter(|status| *status != 499),
    })
}

/// Proxies log whole URLs.
fn split_target(target: &str) -> (&str, &str) {
    let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        return ("", target);
    };
    let path_at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    (authority, if path.is_empty() { "/" } else { path })
}

/// The next text in quotes, with what Apache and nginx escape in it put back; and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (_, rest) = text.split_once('"')?;
    let mut out = Vec::new();
    let bytes = rest.as_bytes();
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'"' => break,
            b'\\' => match (bytes.get(at + 1)?, rest.get(at + 2..at + 4)) {
                (b'x', Some(digits)) if u8::from_str_radix(digits, 16).is_ok() => {
                    out.push(u8::from_str_radix(digits, 16).ok()?);
                    at += 4;
                }
                (&other, _) => {
                    out.push(other);
                    at += 2;
                }
            },
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some((String::from_utf8_lossy(&out).into_owned(), rest.get(at + 1..).unwrap_or("")))
}
