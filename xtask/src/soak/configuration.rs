//! The gateway's configuration, in as many valid variants as there are numbers, and now and then one
//! that must be refused. Pure: text from ports and a number.

use std::fmt::Write as _;

use bulkhead_load::Random;

/// Hosts of the routes: `flock`'s endpoints die, `steady`'s don't.
pub(super) const FLOCK: &str = "flock.test";
pub(super) const STEADY: &str = "steady.test";
/// Answers with the number of the configuration that is in force.
pub(super) const PROBE: &str = "probe.test";
/// Name that the certificates are for.
pub(super) const SERVER_NAME: &str = "soak.test";
/// Workers of the base; variants have one less to one more.
const WORKERS: u64 = 3;
/// Most workers that a variant has.
pub(super) const WORKERS_MAX: u64 = WORKERS + 1;
/// Names of routes and clusters that come and go. So few, because each name that ever was keeps its
/// metrics.
const EXTRA_NAMES: u64 = 4;

/// Where everything listens.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) admin: u16,
    /// HTTP in cleartext.
    pub(super) plain: u16,
    /// HTTP over TLS.
    pub(super) secure: u16,
    /// Bytes to `steady`.
    pub(super) relay: u16,
    /// Bytes to `flock`.
    pub(super) fragile_relay: u16,
    /// Of a listener that some variants have.
    pub(super) extra: u16,
    /// Endpoints that die and come back.
    pub(super) flock: Vec<u16>,
    /// Endpoints that live.
    pub(super) steady: Vec<u16>,
}

/// What differs between valid configurations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variant {
    /// Its number, which [`PROBE`] answers.
    pub(super) number: u64,
    workers: u64,
    /// Weights of HTTP/1.1 and HTTP/2 towards the flock.
    weights: (u64, u64),
    /// Behind the names of the flock's clusters: under another name a cluster is another one.
    suffix: &'static str,
    balance: &'static str,
    marks_headers: bool,
    extra_listener: bool,
    extra_route: Option<u64>,
    /// How many of the steady endpoints are in the configuration.
    steady: usize,
    http2_connections: u64,
}

impl Variant {
    /// That before and after the storm.
    pub(super) const fn base(number: u64) -> Self {
        Self {
            number,
            workers: WORKERS,
            weights: (1, 1),
            suffix: "",
            balance: "least_request",
            marks_headers: false,
            extra_listener: false,
            extra_route: None,
            steady: usize::MAX,
            http2_connections: 2,
        }
    }

    /// That with the most sockets: as the base, but for the pool of workers.
    pub(super) const fn largest(number: u64) -> Self {
        Self { workers: WORKERS_MAX, ..Self::base(number) }
    }

    /// Workers that it asks for.
    pub(super) const fn workers(&self) -> u64 {
        self.workers
    }

    /// Drawn from its number.
    pub(super) fn drawn(seed: u64, number: u64) -> Self {
        let mut random = Random::numbered(seed, number);
        let balances = ["least_request", "round_robin", "random", "peak_ewma"];
        Self {
            number,
            workers: WORKERS - 1 + random.below(3),
            weights: (1 + random.below(9), 1 + random.below(9)),
            suffix: ["", "-again"][random.below(2) as usize],
            balance: balances[random.below(balances.len() as u64) as usize],
            marks_headers: random.below(2) == 0,
            extra_listener: random.below(2) == 0,
            extra_route: (random.below(2) == 0).then(|| random.below(EXTRA_NAMES)),
            steady: 1 + random.below(2) as usize,
            http2_connections: 1 + random.below(3),
        }
    }

    pub(super) const fn has_extra_listener(&self) -> bool {
        self.extra_listener
    }

    pub(super) const fn has_extra_route(&self) -> bool {
        self.extra_route.is_some()
    }

    /// In a few words.
    pub(super) fn summary(&self) -> String {
        let extra =
            |there: bool, text: &str| if there { format!(", {text}") } else { String::new() };
        format!(
            "{} workers, weights {}:{}, {}, {} steady{}{}{}{}",
            self.workers,
            self.weights.0,
            self.weights.1,
            self.balance,
            self.steady.min(2),
            extra(!self.suffix.is_empty(), "flock renamed"),
            extra(self.marks_headers, "marked"),
            extra(self.extra_listener, "extra listener"),
            self.extra_route.map_or_else(String::new, |name| format!(", extra route {name}")),
        )
    }

    /// The file.
    pub(super) fn render(&self, ports: &Ports) -> String {
        let mut text = format!(
            "workers: {}\nadmin: {{ address: \"127.0.0.1:{}\" }}\n\
             limits: {{ head_timeout: 2m, idle_timeout: 10m, write_timeout: 2m, drain_timeout: 30s }}\n",
            self.workers, ports.admin
        );
        self.push_listeners(ports, &mut text);
        self.push_routes(&mut text);
        self.push_clusters(ports, &mut text);
        text
    }

    fn push_listeners(&self, ports: &Ports, text: &mut String) {
        text.push_str("listeners:\n");
        push(
            text,
            format_args!(
                "  - {{ name: plain, address: \"127.0.0.1:{}\" }}\n  - name: secure\n    address: \"127.0.0.1:{}\"\n\
             \x20   tls: {{ certificates: [{{ certificate_file: server.pem, private_key_file: server.key }}] }}\n\
             \x20 - {{ name: relay, protocol: tcp, address: \"127.0.0.1:{}\" }}\n\
             \x20 - {{ name: fragile-relay, protocol: tcp, address: \"127.0.0.1:{}\" }}\n",
                ports.plain, ports.secure, ports.relay, ports.fragile_relay
            ),
        );
        if self.extra_listener {
            push(
                text,
                format_args!("  - {{ name: extra, address: \"127.0.0.1:{}\" }}\n", ports.extra),
            );
        }
    }

    fn push_routes(&self, text: &mut String) {
        let suffix = self.suffix;
        let marks = if self.marks_headers {
            "    filters:\n      - request_header_modifier: { set: { x-soak: marked } }\n      \
             - response_header_modifier: { set: { x-soak: marked }, remove: [server] }\n"
        } else {
            ""
        };
        push(
            text,
            format_args!(
                "tcp_routes:\n  - {{ name: relay, listeners: [relay], backends: [steady1] }}\n\
             \x20 - {{ name: fragile-relay, listeners: [fragile-relay], backends: [flock1{suffix}] }}\n\
             routes:\n  - name: probe\n    hostnames: [{PROBE}]\n    filters:\n      \
             - direct_response: {{ status: 200, body: \"{}\" }}\n",
                self.number
            ),
        );
        push(
            text,
            format_args!(
                "  - name: flock\n    hostnames: [{FLOCK}]\n{marks}    backends:\n      \
             - {{ cluster: flock1{suffix}, weight: {} }}\n      - {{ cluster: flock2{suffix}, weight: {} }}\n\
             \x20   timeouts: {{ request: 2m, idle: 2m }}\n    retry: {{ attempts: 5 }}\n\
             \x20 - name: flock-grpc\n    hostnames: [{FLOCK}]\n    matches: [{{ path: /feed.v1.Feed }}]\n\
             {marks}    backends: [flock2{suffix}]\n    timeouts: {{ request: 2m, idle: 2m }}\n\
             \x20   retry: {{ attempts: 5, methods: any }}\n",
                self.weights.0, self.weights.1
            ),
        );
        push(
            text,
            format_args!(
                "  - name: steady\n    hostnames: [{STEADY}]\n{marks}    backends: [steady1, steady2]\n\
             \x20   timeouts: {{ request: 10m, idle: 2m }}\n\
             \x20 - name: steady-websocket\n    hostnames: [{STEADY}]\n    matches: [{{ path: /ws }}]\n\
             \x20   upgrades: [websocket]\n    backends: [steady1]\n\
             \x20 - name: steady-grpc\n    hostnames: [{STEADY}]\n    matches: [{{ path: /feed.v1.Feed }}]\n\
             \x20   filters: [{{ grpc_web: {{}} }}]\n    backends: [steady2]\n    timeouts: {{ request: 2m, idle: 2m }}\n"
            ),
        );
        if let Some(name) = self.extra_route {
            push(
                text,
                format_args!(
                    "  - {{ name: extra-{name}, hostnames: [extra.test], backends: [extra-{name}] }}\n"
                ),
            );
        }
    }

    fn push_clusters(&self, ports: &Ports, text: &mut String) {
        text.push_str("clusters:\n");
        // Checks find those that are back; a cluster of three with one dead stays out of panic.
        let checks = "    health_check: { http: { path: /status/200 }, interval: 500ms, timeout: 30s, \
                      healthy_threshold: 1, unhealthy_threshold: 1 }\n    retry_budget: 100%\n\
                      \x20   ejection: { duration: 500ms, duration_max: 1s }\n";
        for (name, protocol) in [("flock1", "http1"), ("flock2", "http2")] {
            push(
                text,
                format_args!(
                    "  {name}{}:\n    endpoints: [{}]\n    protocol: {protocol}\n    balance: {}\n{checks}\
                 \x20   idle_timeout: 5s\n    http2_connections: {}\n",
                    self.suffix,
                    addresses(&ports.flock),
                    self.balance,
                    self.http2_connections
                ),
            );
        }
        let steady = &ports.steady[..self.steady.min(ports.steady.len())];
        for (name, protocol) in [("steady1", "http1"), ("steady2", "http2")] {
            push(
                text,
                format_args!(
                    "  {name}:\n    endpoints: [{}]\n    protocol: {protocol}\n    idle_timeout: 5s\n\
                 \x20   http2_connections: {}\n",
                    addresses(steady),
                    self.http2_connections
                ),
            );
        }
        if let Some(name) = self.extra_route {
            push(
                text,
                format_args!(
                    "  extra-{name}:\n    endpoints: [{}]\n    preconnect: 1\n",
                    addresses(&ports.steady)
                ),
            );
        }
    }
}

/// A file that must be refused, and why.
pub(super) fn invalid(valid: &str, kind: u64) -> (&'static str, String) {
    match kind % 5 {
        0 => ("broken off", valid.chars().take(valid.len() / 2).chain("\n  [".chars()).collect()),
        1 => ("unknown key", format!("{valid}lissteners: []\n")),
        2 => ("unknown cluster", valid.replacen("backends: [steady2]", "backends: [nowhere]", 1)),
        3 => ("no such certificate", valid.replacen("server.pem", "missing.pem", 1)),
        _ => ("address twice", valid.replacen("name: plain,", "name: secure,", 1)),
    }
}

fn addresses(ports: &[u16]) -> String {
    let texts: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    texts.join(", ")
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a text never fails.
    let _written = text.write_fmt(piece);
}

#[cfg(test)]
mod tests;
