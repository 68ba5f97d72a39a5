use super::*;
use crate::chain::tests::Exchange;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn changes(remove: &[&str], set: &[(&str, &str)], add: &[(&str, &str)]) -> HeaderChanges {
    let remove = remove.iter().map(|&name| name.to_owned()).collect();
    HeaderChanges { remove, set: pairs(set), add: pairs(add) }
}

#[track_caller]
fn check(changes: &HeaderChanges, before: &[(&str, &str)], after: &[(&str, &str)]) {
    let expect: Fields = after.iter().copied().collect();
    let mut exchange = Exchange::new("h", "/");
    exchange.request.fields = before.iter().copied().collect();
    exchange.run(&RequestHeaders::new(changes).unwrap()).unwrap();
    assert_eq!(exchange.request.fields, expect, "request");
    assert!(!RequestHeaders::new(changes).unwrap().touches_response());

    let filter = ResponseHeaders::new(changes).unwrap();
    let mut head = ResponseHead::new(200);
    head.fields = before.iter().copied().collect();
    filter.on_response(&mut head);
    assert_eq!(head.fields, expect, "response");
    assert!(filter.touches_response());
}

#[test]
fn remove_then_set_then_add() {
    let before = &[("server", "x"), ("x-a", "1"), ("X-A", "1"), ("x-b", "2"), ("via", "p")];
    let before = &before.map(|(name, value)| (if name == "X-A" { "x-a" } else { name }, value));
    check(&changes(&["Server", "X-A"], &[], &[]), before, &[("x-b", "2"), ("via", "p")]);
    check(
        &changes(&[], &[("x-a", "3"), ("Via", "q")], &[]),
        before,
        &[("server", "x"), ("x-b", "2"), ("x-a", "3"), ("via", "q")],
    );
    check(&changes(&[], &[], &[("x-b", "3")]), &[("x-b", "2")], &[("x-b", "2"), ("x-b", "3")]);
    check(
        &changes(&["x-a"], &[("x-a", "1"), ("X-A", "2")], &[("x-a", "3")]),
        &[("x-a", "0")],
        &[("x-a", "2"), ("x-a", "3")],
    );
    check(&changes(&[], &[("x-empty", "")], &[]), &[], &[("x-empty", "")]);
}

#[test]
fn what_is_not_ours_to_change_is_refused() {
    let refuse = |changes: HeaderChanges| RequestHeaders::new(&changes).unwrap_err().to_string();
    for name in ["host", "Content-Length", "transfer-encoding", "connection", "TE", "upgrade"] {
        for changes in [
            changes(&[name], &[], &[]),
            changes(&[], &[(name, "1")], &[]),
            changes(&[], &[], &[(name, "1")]),
        ] {
            assert!(refuse(changes).contains("cannot be changed here"), "{name}");
        }
    }
    for name in ["", "a b", "a:", "é", ":path", "a\n"] {
        assert!(refuse(changes(&[], &[(name, "1")], &[])).contains("is not a header name"));
    }
    for value in ["a\r\nb: c", "a\0", " a", "a ", "\u{7f}"] {
        let text = refuse(changes(&[], &[], &[("x-a", value)]));
        assert!(text.contains("header `x-a` has a control character"), "{text}");
    }
}
