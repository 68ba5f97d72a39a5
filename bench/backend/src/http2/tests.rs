use super::{Http2, WINDOW_UPDATE};
use crate::canned::Canned;

const HEADERS_END: [u8; 9] = [0, 0, 0, 1, 5, 0, 0, 0, 1];

#[test]
fn answers_whole_frames_only() {
    let canned = Canned::http();
    let mut output = Vec::new();
    let mut http2 = Http2::start(&mut output);
    output.clear();
    assert_eq!(http2.answer(&HEADERS_END[..8], &canned, &mut output), Some(0));
    assert!(output.is_empty());
    assert_eq!(http2.answer(&HEADERS_END, &canned, &mut output), Some(9));
    assert_eq!(output.len(), canned.frames.len());
}

#[test]
fn waits_for_the_window() {
    let canned = Canned::http();
    let mut output = Vec::new();
    let mut http2 = Http2::start(&mut output);
    output.clear();
    let requests = HEADERS_END.repeat(64);
    http2.answer(&requests, &canned, &mut output);
    assert_eq!(output.len(), 63 * canned.frames.len(), "63 KB fit into 65,535 bytes");
    let update = [0, 0, 4, WINDOW_UPDATE, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    http2.answer(&update, &canned, &mut output);
    assert_eq!(output.len(), 64 * canned.frames.len());
}
