//! The gateway end to end, on real sockets: port 0, every service owned by its test.

mod certificates;
mod evacuation;
mod faults;
mod grpc;
mod grpc_failures;
mod http1;
mod http2;
mod layer4;
mod limits;
mod mutual_tls;
mod names;
mod overload;
mod panics;
mod passthrough;
mod proxy_protocol;
mod reload;
mod retired;
mod retries;
mod secure;
mod secure_evacuation;
mod smuggling;
mod storm;
mod support;
mod telemetry;
mod tls_client;
mod unix;
