//! Frames of any kind for a server that answers. Nothing may panic, what is written must be bounded by
//! what was read, and the outcome must not depend on how the input is cut.
#![no_main]

use bulkhead_codec::Role;
use bulkhead_fuzz::http2::{Driver, frames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = frames(data, Role::Server);
    let whole = Driver::new(Role::Server, false).run(&bytes, usize::MAX);
    let pieces = Driver::new(Role::Server, false).run(&bytes, 7);
    assert_eq!(whole, pieces);
    let mut driver = Driver::new(Role::Server, true);
    driver.run(&bytes, 1_000);
    driver.check();
});
