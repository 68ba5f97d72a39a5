//! Any bytes as a request target and as forwarding headers.
//!
//! What must hold: no panic; a path that was spelled in one way stays so; no dot segment is left; what
//! proxies claim is read in bounded time.

#![no_main]

use bulkhead_message::{
    EscapedSlashes, FORWARDED_ENTRIES_MAX, Fields, Known, Normalized, PathRules, forwarded_for,
    forwarded_proto, x_forwarded_for, x_forwarded_proto,
};
use libfuzzer_sys::fuzz_target;

const RULES: [PathRules; 4] = [
    PathRules { merge_slashes: false, escaped_slashes: EscapedSlashes::Keep },
    PathRules { merge_slashes: true, escaped_slashes: EscapedSlashes::Keep },
    PathRules { merge_slashes: true, escaped_slashes: EscapedSlashes::Decode },
    PathRules { merge_slashes: false, escaped_slashes: EscapedSlashes::Reject },
];

fuzz_target!(|data: &[u8]| {
    let target = [b"/", data].concat();
    for rules in RULES {
        let mut once = Vec::new();
        let Ok(outcome) = rules.normalize(&target, &mut once) else { continue };
        if outcome == Normalized::Unchanged {
            once.clone_from(&target);
        }
        let mut twice = Vec::new();
        assert_eq!(rules.normalize(&once, &mut twice), Ok(Normalized::Unchanged));
        let path = once.split(|&byte| byte == b'?').next().unwrap_or(&[]);
        assert!(!path.split(|&byte| byte == b'/').any(|part| matches!(part, b"." | b"..")));
    }
    let mut fields = Fields::new();
    for known in [Known::XForwardedFor, Known::XForwardedProto, Known::Forwarded] {
        fields.push_known(known, data);
        fields.push_known(known, b"for=192.0.2.1;proto=https");
    }
    assert!(x_forwarded_for(&fields).count() <= FORWARDED_ENTRIES_MAX);
    assert!(forwarded_for(&fields).count() <= FORWARDED_ENTRIES_MAX);
    let _ = (x_forwarded_proto(&fields), forwarded_proto(&fields));
});
