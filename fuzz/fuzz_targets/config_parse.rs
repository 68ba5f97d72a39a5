//! Any text as configuration: checked or refused with diagnostics, never a panic, never neither.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(diagnostics) = bulkhead_config::parse(text, "fuzz.yaml") {
        assert!(!diagnostics.0.is_empty(), "refused without a reason");
        // Rendering walks the text by line and column, which is where slips hide.
        assert!(!diagnostics.to_string().is_empty());
    }
});
