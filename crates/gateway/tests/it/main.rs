//! The gateway end to end, on real sockets: port 0, every service owned by its test.

mod evacuation;
mod grpc;
mod http1;
mod http2;
mod reload;
mod secure;
mod support;
