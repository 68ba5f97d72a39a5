//! The gateway end to end, on real sockets: port 0, every service owned by its test.

mod evacuation;
mod faults;
mod grpc;
mod grpc_failures;
mod hedging;
mod http1;
mod http2;
mod keep_alive;
mod limits;
mod mirroring;
mod names;
mod panics;
mod reload;
mod retired;
mod retries;
mod retry_conditions;
mod scripted;
mod secure;
mod secure_evacuation;
mod smuggling;
mod storm;
mod support;
mod telemetry;
mod tls_client;
mod warm;
