//! All kinds of faults: what they do, what they strike, and how they are declared.

/// A kind of fault, as people look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// Family and kind.
    pub name: &'static str,
    /// What may be the target, by the names of [`Target`](crate::Target).
    pub targets: &'static [&'static str],
    /// What it does, in a line.
    pub effect: &'static str,
    /// A declaration in JSON that can be carried out as it stands; at an interface as far as its carrier
    /// can.
    pub example: &'static str,
}

const fn kind(
    name: &'static str,
    targets: &'static [&'static str],
    effect: &'static str,
    example: &'static str,
) -> FaultKind {
    FaultKind { name, targets, effect, example }
}

const PROCESS: &[&str] = &["process"];
const HOST: &[&str] = &["host"];
const HOST_OR_PROCESS: &[&str] = &["host", "process"];
const GATEWAY: &[&str] = &["gateway"];
const LINK: &[&str] = &["link"];
const LINK_OR_INTERFACE: &[&str] = &["link", "interface"];

/// Every kind that can be declared, by family.
pub const FAULT_KINDS: &[FaultKind] = &[
    kind("process.stop", PROCESS, "it hangs: SIGSTOP, then SIGCONT", r#"{"process": "stop"}"#),
    kind("process.kill", PROCESS, "it ends: SIGKILL", r#"{"process": "kill"}"#),
    kind(
        "process.restart",
        PROCESS,
        "SIGKILL, and its command anew at the end",
        r#"{"process": {"restart": {"command": ["sleep", "600"]}}}"#,
    ),
    kind(
        "host.cpu",
        HOST_OR_PROCESS,
        "threads that compute",
        r#"{"host": {"cpu": {"threads": 2, "percent": 80}}}"#,
    ),
    kind(
        "host.memory",
        HOST_OR_PROCESS,
        "memory that is allocated and touched",
        r#"{"host": {"memory": {"bytes": 67108864}}}"#,
    ),
    kind(
        "host.io",
        HOST,
        "a file that is written and synchronised all the time",
        r#"{"host": {"io": {"directory": "/tmp", "bytes": 1048576}}}"#,
    ),
    kind(
        "host.disk_full",
        HOST,
        "a file system without room",
        r#"{"host": {"disk_full": {"directory": "/dev/shm", "free_bytes": 1048576}}}"#,
    ),
    kind(
        "host.descriptors",
        PROCESS,
        "it may open no more files than this",
        r#"{"host": {"descriptors": {"limit": 16}}}"#,
    ),
    kind(
        "host.memory_limit",
        PROCESS,
        "its control group may have no more memory: the kernel kills",
        r#"{"host": {"memory_limit": {"bytes": 67108864}}}"#,
    ),
    kind(
        "http.delay",
        GATEWAY,
        "requests or responses come later",
        r#"{"http": {"delay": {"delay_ms": 250, "direction": "request"}, "percent": 10}}"#,
    ),
    kind(
        "http.abort",
        GATEWAY,
        "the gateway answers with a status of its own",
        r#"{"http": {"abort": {"status": 503}, "percent": 10}}"#,
    ),
    kind(
        "http.replace_status",
        GATEWAY,
        "responses have another status",
        r#"{"http": {"replace_status": {"status": 500}, "percent": 10}}"#,
    ),
    kind(
        "http.truncate_body",
        GATEWAY,
        "responses end early",
        r#"{"http": {"truncate_body": {"after_bytes": 100}, "percent": 10}}"#,
    ),
    kind(
        "http.corrupt_body",
        GATEWAY,
        "one bit of a body is turned",
        r#"{"http": {"corrupt_body": {"offset": 0, "direction": "response"}, "percent": 10}}"#,
    ),
    kind(
        "http.slow_body",
        GATEWAY,
        "bodies come slowly",
        r#"{"http": {"slow_body": {"bytes_per_s": 1000, "direction": "response"}, "percent": 10}}"#,
    ),
    kind(
        "http.reset",
        GATEWAY,
        "the client's stream or connection is reset",
        r#"{"http": {"reset": {"after_bytes": 100}, "percent": 10}}"#,
    ),
    kind(
        "http.upstream_failure",
        GATEWAY,
        "attempts fail as if the endpoint did: refused, reset or timeout",
        r#"{"http": {"upstream_failure": {"failure": "refused"}, "percent": 10}}"#,
    ),
    kind(
        "http.goaway",
        GATEWAY,
        "clients are told to connect anew",
        r#"{"http": {"goaway": {}, "percent": 10}}"#,
    ),
    kind(
        "gateway.kill_worker",
        GATEWAY,
        "a worker ends, its connections move",
        r#"{"gateway": {"kill_worker": {"worker": 0}}}"#,
    ),
    kind(
        "gateway.crash_worker",
        GATEWAY,
        "a worker ends, and its connections with it",
        r#"{"gateway": {"crash_worker": {"worker": 0}}}"#,
    ),
    kind(
        "gateway.stall_worker",
        GATEWAY,
        "a worker hangs",
        r#"{"gateway": {"stall_worker": {"worker": 0}}}"#,
    ),
    kind(
        "gateway.panic_exchanges",
        GATEWAY,
        "the next exchanges panic",
        r#"{"gateway": {"panic_exchanges": {"count": 1}}}"#,
    ),
    kind(
        "gateway.panic_connections",
        GATEWAY,
        "the next connections panic",
        r#"{"gateway": {"panic_connections": {"count": 1}}}"#,
    ),
    kind(
        "gateway.shrink_pools",
        GATEWAY,
        "fewer connections to each endpoint",
        r#"{"gateway": {"shrink_pools": {"connections_max": 1}}}"#,
    ),
    kind(
        "gateway.hold_descriptors",
        GATEWAY,
        "descriptors are held open",
        r#"{"gateway": {"hold_descriptors": {"count": 50}}}"#,
    ),
    kind(
        "gateway.clock_offset",
        GATEWAY,
        "the time of day is off, for tokens and `date`",
        r#"{"gateway": {"clock_offset": {"offset_s": 3600}}}"#,
    ),
    kind(
        "gateway.slow_log",
        GATEWAY,
        "the access log is slow to write",
        r#"{"gateway": {"slow_log": {"delay_ms": 100}}}"#,
    ),
    kind(
        "gateway.bad_config",
        GATEWAY,
        "a configuration comes that must be refused",
        r#"{"gateway": {"bad_config": {"wrong": "unreadable_certificate"}}}"#,
    ),
    kind(
        "gateway.rotate_ticket_keys",
        GATEWAY,
        "keys of session tickets change",
        r#"{"gateway": {"rotate_ticket_keys": {}}}"#,
    ),
    kind(
        "gateway.rotate_jwt_keys",
        GATEWAY,
        "the issuer of tokens has other keys",
        r#"{"gateway": {"rotate_jwt_keys": {}}}"#,
    ),
    kind(
        "gateway.expire_certificates",
        GATEWAY,
        "certificates have expired",
        r#"{"gateway": {"expire_certificates": {}}}"#,
    ),
    kind(
        "network.partition",
        LINK_OR_INTERFACE,
        "no packet passes, both ways or one",
        r#"{"network": {"partition": {"direction": "upstream"}}}"#,
    ),
    kind(
        "network.loss",
        LINK_OR_INTERFACE,
        "packets vanish",
        r#"{"network": {"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}}"#,
    ),
    kind(
        "network.delay",
        LINK_OR_INTERFACE,
        "packets come later",
        r#"{"network": {"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40, "distribution": "uniform", "reorder": "preserve"}}}"#,
    ),
    kind(
        "network.reorder",
        LINK_OR_INTERFACE,
        "packets are overtaken by others",
        r#"{"network": {"reorder": {"direction": "upstream", "percent": 5, "hold_back_ms": 10}}}"#,
    ),
    kind(
        "network.duplicate",
        LINK_OR_INTERFACE,
        "packets come twice",
        r#"{"network": {"duplicate": {"direction": "upstream", "percent": 5}}}"#,
    ),
    kind(
        "network.corrupt",
        LINK_OR_INTERFACE,
        "one bit of a packet is turned",
        r#"{"network": {"corrupt": {"direction": "upstream", "percent": 5}}}"#,
    ),
    kind(
        "network.bandwidth",
        LINK_OR_INTERFACE,
        "fewer bits per second, behind a queue",
        r#"{"network": {"bandwidth": {"direction": "upstream", "bits_per_second": 2000000, "burst_bytes": 1500, "queue_bytes": 1000000}}}"#,
    ),
    kind(
        "network.reset",
        LINK,
        "TCP connections are reset",
        r#"{"network": {"reset": {"direction": "upstream", "percent": 5}}}"#,
    ),
    kind(
        "network.dns",
        LINK_OR_INTERFACE,
        "queries fail, are lost or slow",
        r#"{"network": {"dns": {"direction": "upstream", "percent": 100, "failure": "timeout"}}}"#,
    ),
];

impl FaultKind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FAULT_KINDS.iter().find(|kind| kind.name == name)
    }
}

#[cfg(test)]
mod tests;
