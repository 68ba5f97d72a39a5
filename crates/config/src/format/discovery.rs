//! Endpoints that stand elsewhere: SRV records, files.

use super::backends::ENDPOINT_OR_ADDRESS;
use super::{ADDRESS, FILE_NAME, Rule, Shape, Table, default, optional, required};
use crate::scalar::Scalar;

pub(super) static DISCOVERY: Table = Table {
    name: "discovery",
    about: "Where endpoints are looked up again and again. What was found last stays while nothing \
            better is found.",
    keys: &[
        optional(
            "dns_srv",
            Shape::Scalar(Scalar::Host),
            "Name of SRV records, such as `_http._tcp.example.com`. They give names, ports, weights \
             and priorities of endpoints.",
        ),
        optional(
            "file",
            FILE_NAME,
            "YAML file with a list `endpoints`, written as a cluster's, but without names. It is \
             read again when it changes; replace it as a whole, by renaming.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["dns_srv", "file"])],
    hints: &[("srv", "it is called `dns_srv`"), ("dns", "write `endpoints: [name:80]`")],
};

pub(super) static DNS: Table = Table {
    name: "dns",
    about: "How names of endpoints are looked up.",
    keys: &[default(
        "servers",
        Shape::List { item: &ADDRESS, min: 0 },
        "[]",
        "Name servers, address and port. Empty: those of `/etc/resolv.conf`; `/etc/hosts` comes \
         first in any case.",
    )],
    rules: &[],
    hints: &[("nameservers", "they are called `servers`")],
};

/// A file of discovery.
pub(crate) static ENDPOINTS_FILE: Table = Table {
    name: "endpoints file",
    about: "Endpoints of a cluster, for `discovery`.",
    keys: &[required(
        "endpoints",
        Shape::List { item: &ENDPOINT_OR_ADDRESS, min: 1 },
        "Where they are: `10.0.0.1:80` or `[::1]:80`; a plain address has weight 1.",
    )],
    rules: &[],
    hints: &[],
};
