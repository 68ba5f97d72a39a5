//! The lists of one endpoint: free connections, shared connections, waiting requests.
//!
//! Lists hold slot numbers of the pool's connection table and never look into it.

use std::collections::VecDeque;

use super::warm::Warmth;
use super::{ConnectionFacts, ConnectionState, Protocol};

/// The lists of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// HTTP/1.1 connections that are ready and carry nothing; the one used last at the back.
    pub(super) idle: Vec<u32>,
    /// HTTP/2 connections that are not draining.
    pub(super) shared: Vec<u32>,
    /// Connections being dialled, of either protocol.
    pub(super) connecting: usize,
    /// Connections in any state.
    pub(super) connections: usize,
    /// Those that are not draining.
    pub(super) open: usize,
    /// Streams that the endpoint's settings allowed last on a connection of HTTP/2.
    pub(super) streams_seen: Option<u32>,
    /// Connections that are kept open without a request.
    pub(super) warmth: Warmth,
    /// Requests, the one that waits longest in front.
    pub(super) waiters: VecDeque<u64>,
}

impl Lane {
    /// Enters a new connection.
    pub(super) fn add(&mut self, slot: u32, facts: &ConnectionFacts) {
        self.connections += 1;
        match (facts.state, facts.protocol) {
            (ConnectionState::Draining, _) => return,
            (_, Protocol::Http2) => self.shared.push(slot),
            (ConnectionState::Ready, Protocol::Http1) if facts.streams_in_use == 0 => {
                self.idle.push(slot);
            }
            (_, Protocol::Http1) => {}
        }
        self.open += 1;
        if facts.state == ConnectionState::Connecting {
            self.connecting += 1;
        }
    }

    /// Takes a connection that is not draining yet out of all lists; it still counts.
    pub(super) fn retire(&mut self, slot: u32, facts: &ConnectionFacts) {
        self.open -= 1;
        if facts.state == ConnectionState::Connecting {
            self.connecting -= 1;
        }
        match facts.protocol {
            Protocol::Http2 => self.shared.retain(|&other| other != slot),
            Protocol::Http1 if facts.streams_in_use == 0 => {
                self.idle.retain(|&other| other != slot);
            }
            Protocol::Http1 => {}
        }
    }
}

/// The lanes of a pool, with the number of requests that wait in all of them.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    waiting: usize,
}

impl Lanes {
    pub(super) fn resize(&mut self, count: usize) {
        if count > self.lanes.len() {
            self.lanes.resize_with(count, Lane::default);
        }
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn get(&self, lane: u32) -> Option<&Lane> {
        self.lanes.get(lane as usize)
    }

    pub(super) fn get_mut(&mut self, lane: u32) -> Option<&mut Lane> {
        self.lanes.get_mut(lane as usize)
    }

    /// Says whether there is such a lane.
    pub(super) fn push(&mut self, lane: u32, waiter: u64) -> bool {
        let Some(line) = self.lanes.get_mut(lane as usize) else { return false };
        line.waiters.push_back(waiter);
        self.waiting += 1;
        true
    }

    pub(super) fn pop(&mut self, lane: u32) -> Option<u64> {
        let waiter = self.get_mut(lane)?.waiters.pop_front()?;
        self.waiting -= 1;
        Some(waiter)
    }

    /// Removes a waiter wherever it stands. Linear, and bounded by `pending_max`.
    pub(super) fn cancel(&mut self, waiter: u64) -> bool {
        for line in &mut self.lanes {
            if let Some(at) = line.waiters.iter().position(|&other| other == waiter) {
                line.waiters.remove(at);
                self.waiting -= 1;
                return true;
            }
        }
        false
    }

    /// Empties a lane, and gives its waiters.
    pub(super) fn clear(&mut self, lane: u32) -> Vec<u64> {
        let Some(line) = self.lanes.get_mut(lane as usize) else { return Vec::new() };
        let cleared = std::mem::take(line);
        self.waiting -= cleared.waiters.len();
        cleared.waiters.into()
    }
}
