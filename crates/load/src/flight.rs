//! A request in flight.

use std::collections::VecDeque;

use bulkhead_codec::StreamId;
use bulkhead_message::{Fields, ResponseHead};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The schedule or the closed loop: the number of the arrival.
    Arrival(u64),
    /// An answer: the key that it gave.
    Follow(u64),
}

impl Default for Cause {
    fn default() -> Self {
        Self::Arrival(0)
    }
}

/// One request between its sending and its end. Recycled: buffers keep their memory.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// Intended send time, in nanoseconds since the start.
    pub(crate) intended_ns: u64,
    /// Actual send time.
    pub(crate) sent_ns: u64,
    /// When its time is over.
    pub(crate) deadline_ns: u64,
    /// Where it came from, to send it again.
    pub(crate) cause: Cause,
    pub(crate) attempt: u32,
    pub(crate) class: usize,
    pub(crate) key: u64,
    pub(crate) connection: usize,
    pub(crate) stream: StreamId,
    /// Request body that flow control has not let go yet, from `upload_sent` on.
    pub(crate) upload: Vec<u8>,
    pub(crate) upload_sent: usize,
    pub(crate) head: ResponseHead,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    live: bool,
    generation: u32,
}

/// All requests in flight of a thread, and their deadlines in order.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    slots: Vec<Flight>,
    free: Vec<usize>,
    deadlines: VecDeque<(u64, usize, u32)>,
}

impl Flights {
    /// A place for a new request, whose time is over at `deadline_ns`. Deadlines come nearly in
    /// order, because the time-out is the same for all; one that comes behind a later one is noticed
    /// with that one, so whoever ends a request must look at its deadline as well.
    pub(crate) fn begin(&mut self, deadline_ns: u64) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Flight::default());
            self.slots.len() - 1
        });
        if let Some(flight) = self.slots.get_mut(index) {
            flight.live = true;
            flight.deadline_ns = deadline_ns;
            flight.head.clear();
            flight.body.clear();
            flight.trailers.clear();
            flight.upload.clear();
            flight.upload_sent = 0;
            self.deadlines.push_back((deadline_ns, index, flight.generation));
        }
        index
    }

    /// A live request.
    pub(crate) fn get(&mut self, index: usize) -> Option<&mut Flight> {
        self.slots.get_mut(index).filter(|flight| flight.live)
    }

    /// Gives the place back.
    pub(crate) fn end(&mut self, index: usize) {
        if let Some(flight) = self.slots.get_mut(index).filter(|flight| flight.live) {
            flight.live = false;
            flight.generation = flight.generation.wrapping_add(1);
            // One large body is not to be paid for ever.
            flight.body.shrink_to(64 * 1024);
            self.free.push(index);
        }
    }

    /// Number of live requests.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A live request whose time is over.
    pub(crate) fn next_expired(&mut self, now_ns: u64) -> Option<usize> {
        while let Some(&(deadline, index, generation)) = self.deadlines.front() {
            let live = self.slots.get(index).is_some_and(|f| f.live && f.generation == generation);
            if live && deadline > now_ns {
                return None;
            }
            self.deadlines.pop_front();
            if live {
                return Some(index);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Flights;

    #[test]
    fn only_live_flights_expire_and_each_once() {
        let mut flights = Flights::default();
        let first = flights.begin(10);
        let second = flights.begin(20);
        flights.end(first);
        let third = flights.begin(30);
        assert_eq!((first, flights.len()), (third, 2));
        assert_eq!(flights.next_expired(15), None);
        assert_eq!(flights.next_expired(25), Some(second));
        flights.end(second);
        assert_eq!(flights.next_expired(29), None);
        assert_eq!(flights.next_expired(30), Some(third));
        flights.end(third);
        assert_eq!((flights.next_expired(99), flights.len()), (None, 0));
    }
}
