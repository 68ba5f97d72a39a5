//! Any text as a scenario, a recording, a log and an API description: requests or reasons, never a panic.

#![no_main]

use bulkhead_load::{Request, Workload};
use bulkhead_scenario::{
    Endpoint, Judge, Methods, OpenApiOptions, PlanWorkload, RecordingOptions, Surroundings,
    TargetSettings, Tokens,
};
use libfuzzer_sys::fuzz_target;

fn write(mut workload: impl Workload) {
    let mut request = Request::default();
    for number in 0..4 {
        request.clear();
        workload.prepare(number, &mut request);
        workload.abandon(request.key);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok((endpoint, _)) = Endpoint::parse("h2c://127.0.0.1:9") else { return };
    let target = Some(TargetSettings::new("fuzz", endpoint, 1));
    let options = RecordingOptions { target, connections: None, methods: Methods::All };
    if let Ok(recording) = bulkhead_scenario::access_log(data, "fuzz.log", &options) {
        write(recording.in_order(Judge::Recorded));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(recording) = bulkhead_scenario::har(text, "fuzz.har", &options) {
        write(recording.in_order(Judge::Recorded));
    }
    let surroundings = Surroundings {
        url: None,
        encode_message: None,
        read: &|name| Ok(name.as_bytes().to_vec()),
        check_assertion: &|_| Ok(()),
    };
    match bulkhead_scenario::parse(text, "fuzz.yaml", &surroundings) {
        Ok(scenario) => write(PlanWorkload::new(scenario.plan, Tokens::default(), 1)),
        Err(diagnostics) => assert!(!diagnostics.0.is_empty(), "refused without a reason"),
    }
    let options = OpenApiOptions {
        target: options.target,
        connections: None,
        methods: Methods::All,
        fields: Vec::new(),
    };
    if let Ok(requests) = bulkhead_scenario::openapi(text, "fuzz.yaml", &options) {
        write(PlanWorkload::new(requests.plan, Tokens::default(), 1));
    }
});
