//! What a load run asks for, from a file: a YAML scenario, a recording of a browser (HAR), an access
//! log, or an OpenAPI description.
//!
//! Pure: text goes in; targets, schedules and a [`bulkhead_load::Workload`] come out. Files that a
//! scenario names are read by whoever calls, through [`Surroundings`]; tokens are signed and names are
//! resolved by them as well. Everything random is drawn from a seed and the number of the request, so
//! a run can be repeated request by request.

mod access_log;
mod build;
mod endpoint;
mod expectation;
mod extract;
mod format;
mod har;
mod journeys;
mod json_path;
mod openapi;
mod plan;
mod pool;
mod recording;
mod settings;
mod template;
mod timestamp;
mod workload;

pub use access_log::access_log;
pub use build::{SCENARIO_BYTES_MAX, parse};
pub use endpoint::{Endpoint, EndpointError};
pub use format::{reference, schema};
pub use har::har;
pub use openapi::{OpenApiError, OpenApiOptions, OpenApiRequests, openapi};
pub use plan::{Plan, Scenario};
pub use recording::{
    Judge, Methods, RecordedRequest, Recording, RecordingError, RecordingOptions,
    RecordingWorkload, Skipped,
};
pub use settings::{
    Algorithm, EncodeMessage, LoadSettings, Pace, SigningKey, Surroundings, TargetSettings,
    TlsSettings, TokenSettings,
};
pub use workload::{PlanWorkload, Tokens};
