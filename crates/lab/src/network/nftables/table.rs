//! The table of a fault: what is put into the kernel, and what is read back from it.

use std::io;
use std::time::Duration;

use super::conversation::{Conversation, head, kind};
use super::expression::rule;
use crate::network::carrier::{Count, Sight, StrikePlan};
use crate::network::netlink::{CREATE, NESTED, Request, attributes, nested, text};

// Messages.
const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;
const GETRULE: u16 = 7;
const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
// Flags of a table and of a set, verdict of a chain.
const OWNER: u32 = 0x2;
const TIMEOUT: u32 = 0x10;
const ACCEPT: u32 = 1;
/// Type of a set's keys as `nft` numbers them: it then prints the interface's name.
const IFACE_INDEX: u32 = 20;
/// What `nft` keeps to know that keys are in the byte order of the host.
const HOST_ORDER: [u8; 6] = [0, 4, 1, 0, 0, 0];
/// Rules of one device, before the protocols.
pub(super) const NETDEV: u8 = 5;

/// How all of them begin.
const NAME: &str = "bulkhead_chaos_";
const SET: &str = "armed";
const CHAIN: &str = "ingress";

/// The requests that put a plan into force. `None`: no rule can do it.
pub(super) fn requests(plan: &StrikePlan) -> Option<Vec<Request>> {
    let mut requests = vec![table(plan), chain(plan), set(plan), element(plan)];
    for strike in &plan.strikes {
        let expressions = rule(SET, strike)?;
        requests.push(
            new(NEWRULE, CREATE | 0x800)
                .attribute(1, &text(&plan.name))
                .attribute(2, &text(CHAIN))
                .attribute(4 | NESTED, &expressions),
        );
    }
    Some(requests)
}

/// The request that takes it away again.
pub(super) fn removal(plan: &StrikePlan) -> Request {
    new(DELTABLE, 0).attribute(1, &text(&plan.name))
}

fn new(number: u16, flags: u16) -> Request {
    Request::new(kind(number), flags, &head(NETDEV))
}

fn table(plan: &StrikePlan) -> Request {
    new(NEWTABLE, CREATE).attribute(1, &text(&plan.name)).attribute(2, &OWNER.to_be_bytes())
}

fn chain(plan: &StrikePlan) -> Request {
    // The hook of ingress and its priority are both 0.
    let zero = 0u32.to_be_bytes();
    let hook = nested(&[(1, &zero), (2, &zero), (3, &text(&plan.interface))]);
    new(NEWCHAIN, CREATE)
        .attribute(1, &text(&plan.name))
        .attribute(3, &text(CHAIN))
        .attribute(4 | NESTED, &hook)
        .attribute(5, &ACCEPT.to_be_bytes())
        .attribute(7, &text("filter"))
}

fn set(plan: &StrikePlan) -> Request {
    new(NEWSET, CREATE)
        .attribute(1, &text(&plan.name))
        .attribute(2, &text(SET))
        .attribute(3, &TIMEOUT.to_be_bytes())
        .attribute(4, &IFACE_INDEX.to_be_bytes())
        .attribute(5, &4u32.to_be_bytes())
        .attribute(10, &1u32.to_be_bytes())
        .attribute(13, &HOST_ORDER)
}

/// The element that arms the rules, and that the kernel takes away when its time is over.
fn element(plan: &StrikePlan) -> Request {
    let milliseconds = (plan.time_to_live.as_millis() as u64).max(1);
    let key = nested(&[(1, &plan.index.to_ne_bytes())]);
    let element = nested(&[(1 | NESTED, &key), (4, &milliseconds.to_be_bytes())]);
    let list = nested(&[(1 | NESTED, &element)]);
    new(NEWSETELEM, CREATE)
        .attribute(1, &text(&plan.name))
        .attribute(2, &text(SET))
        .attribute(3 | NESTED, &list)
}

/// Names of the tables of faults, whosever they are.
pub(super) fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    Conversation::begin()?.dump(GETTABLE, NETDEV, &[], |table| {
        let name = find(table, 1).unwrap_or_default();
        let name = String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name));
        if name.starts_with(NAME) {
            names.push(format!("table {name}"));
        }
    })?;
    Ok(names)
}

/// What the kernel has of a plan, asked on a socket of its own. `None`: no such table.
pub(super) fn look(plan: &StrikePlan) -> io::Result<Option<Sight>> {
    let conversation = Conversation::begin()?;
    let name = text(&plan.name);
    let mut there = false;
    conversation.dump(GETTABLE, NETDEV, &[], |table| {
        there |= attributes(table).any(|(kind, value)| kind == 1 && value == name);
    })?;
    if !there {
        return Ok(None);
    }
    let mut sight = Sight::default();
    conversation.dump(GETRULE, NETDEV, &[(1, &name)], |rule| {
        // Kernels that do not filter list all rules.
        if find(rule, 1) == Some(&name) {
            sight.counts.extend(counts(rule));
        }
    })?;
    let filter: [(u16, &[u8]); 2] = [(1, &name), (2, &text(SET))];
    conversation.dump(GETSETELEM, NETDEV, &filter, |list| {
        let elements = find(list, 3).unwrap_or_default();
        for (_, element) in attributes(elements) {
            let left = find(element, 5).and_then(number).map(Duration::from_millis);
            sight.left = sight.left.max(left);
        }
    })?;
    Ok(Some(sight))
}

/// The two counters of a rule.
fn counts(rule: &[u8]) -> Option<Count> {
    let mut packets = attributes(find(rule, 4)?).filter_map(|(_, expression)| {
        let counter = find(expression, 1)? == b"counter\0";
        counter.then(|| find(find(expression, 2)?, 2).and_then(number))?
    });
    Some(Count { seen: packets.next()?, struck: packets.next()? })
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.first_chunk()?))
}
