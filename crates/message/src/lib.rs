//! The HTTP vocabulary that every other crate speaks: heads, fields, methods, failures,
//! records; addresses, and moments as text.
//!
//! A head is *one contiguous buffer plus descriptors*, so that one parse serves every protocol on
//! either side and a recycled head costs no allocation. This crate does no I/O, reads no clock and
//! knows no wire format: `codec` turns bytes into these values and back.

mod address;
mod civil_time;
mod failure;
mod fields;
mod forwarded;
mod grpc;
mod head;
mod hop_by_hop;
mod known;
mod method;
mod network;
mod path_rules;
mod priority;
mod record;
mod retry_condition;
mod syntax;
mod upgrade;

pub use address::{Address, UNIX_NAME_BYTES_MAX, UNIX_PREFIX, UnixName, UnixNameError};
pub use civil_time::CivilTime;
pub use failure::{Failure, FailureKind, Retry, Side};
pub use fields::{FieldRef, Fields};
pub use forwarded::{
    FORWARDED_ENTRIES_MAX, forwarded_for, forwarded_proto, push_forwarded, x_forwarded_for,
    x_forwarded_proto,
};
pub use grpc::{GrpcStatus, GrpcTimeoutError, has_grpc_type, is_grpc, parse_grpc_timeout};
pub use head::{BodyLength, RequestHead, ResponseHead, Scheme, Version};
pub use hop_by_hop::strip_hop_by_hop;
pub use known::Known;
pub use method::Method;
pub use network::{Network, NetworkError};
pub use path_rules::{EscapedSlashes, Normalized, PathError, PathRules};
pub use priority::Priority;
pub use record::{ExchangeRecord, Outcome, RelayRecord, TlsRecord, TunnelRecord};
pub use retry_condition::RetryCondition;
pub use syntax::{
    all_bytes, is_field_value, is_host, is_host_byte, is_path, is_token, is_token_byte, trim_ows,
};
pub use upgrade::upgrade_protocols;
