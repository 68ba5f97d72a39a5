//! Any routes against any request. Lines before the first empty one are routes (`KIND HOST PATH`, with
//! KIND one of `e`, `p`, `t`, `r`), the rest is authority and target.
//!
//! What must hold: the match that is found exists, its parameters lie in the path in order, and a
//! table of that one route alone finds it too.

#![no_main]

use bulkhead_message::RequestHead;
use bulkhead_router::{MatchSpec, PathSpec, RouteSpec, RouteTable};
use libfuzzer_sys::fuzz_target;

fn route(line: &str) -> Option<RouteSpec> {
    let (kind, rest) = line.split_once(' ')?;
    let (host, path) = rest.split_once(' ')?;
    let path = path.to_owned();
    let path = match kind {
        "e" => PathSpec::Exact(path),
        "p" => PathSpec::Prefix(path),
        "t" => PathSpec::Template(path),
        "r" => PathSpec::Regex(path),
        _ => return None,
    };
    let hostnames = if host == "-" { Vec::new() } else { vec![host.to_owned()] };
    Some(RouteSpec { hostnames, matches: vec![MatchSpec { path, ..MatchSpec::default() }] })
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((routes, request)) = text.split_once("\n\n") else { return };
    let routes: Vec<RouteSpec> = routes.lines().take(20).filter_map(route).collect();
    let (authority, target) = request.split_once('\n').unwrap_or(("", request));
    let mut head = RequestHead::new();
    head.set_authority(authority.as_bytes());
    head.set_target(target.as_bytes());

    let Ok(table) = RouteTable::compile(&routes) else { return };
    let Some(found) = table.find(&head) else { return };
    let route = routes.get(found.route as usize).expect("a route of the table");
    assert_eq!(found.matched, 0);
    let mut rest = head.path().as_ptr_range();
    for (_, value) in table.parameters(&found, head.path()) {
        let value = value.as_ptr_range();
        assert!(rest.start <= value.start && value.end <= rest.end);
        rest.start = value.end;
    }
    let alone = RouteTable::compile(std::slice::from_ref(route)).expect("compiled before");
    let again = alone.find(&head).expect("found among more");
    let of_alone = alone.parameters(&again, head.path());
    assert!(table.parameters(&found, head.path()).eq(of_alone));
});
