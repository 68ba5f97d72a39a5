//! Frames of any kind for a client with requests under way. Nothing may panic, what is written must be
//! bounded by what was read, and the outcome must not depend on how the input is cut.
#![no_main]

use bulkhead_codec::Role;
use bulkhead_fuzz::http2::{Driver, frames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = frames(data, Role::Client);
    let whole = Driver::new(Role::Client, false).run(&bytes, usize::MAX);
    let pieces = Driver::new(Role::Client, false).run(&bytes, 7);
    assert_eq!(whole, pieces);
    let mut driver = Driver::new(Role::Client, true);
    driver.run(&bytes, 1_000);
    driver.check();
});
