//! The gateway end to end, on real sockets: port 0, every service owned by its test.

mod evacuation;
mod faults;
mod floods;
mod grpc;
mod grpc_failures;
mod http1;
mod http2;
mod limits;
mod names;
mod reload;
mod retired;
mod retries;
mod secure;
mod smuggling;
mod storm;
mod support;
mod telemetry;
