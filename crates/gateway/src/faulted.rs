//! What an exchange carries of the faults that befall it: plain data, which moves with it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bulkhead_chaos::http::{AbortWith, HttpEffect};
use bulkhead_message::{Failure, ResponseHead};

use crate::flow::Direction;
use crate::injection::Active;

/// A slow body is passed on in so many pieces in a second, or byte by byte if it is slower.
const PIECES_PER_S: u64 = 50;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Faulted {
    /// The rules that it met.
    pub(crate) met: Vec<Active>,
    /// What befell it first.
    pub(crate) kind: Option<&'static str>,
    /// What it is answered when its delay is over.
    pub(crate) abort: Option<AbortWith>,
    /// How its attempt fails when that is no longer held.
    pub(crate) failure: Option<Failure>,
    pub(crate) request: Shaping,
    pub(crate) response: Shaping,
    /// An answer's head that is held, and whether it is all.
    pub(crate) head: Option<Box<(ResponseHead, bool)>>,
}

/// How a response ends that is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// As if it were whole.
    End,
    Reset,
}

/// What is done to one direction of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Shaping {
    /// Nothing is passed on before.
    held_until: Option<Instant>,
    rate: Option<Rate>,
    /// The byte in which a bit is turned over.
    corrupt: Option<u64>,
    /// After how many bytes it ends, and how.
    cut: Option<(u64, Cut)>,
    /// There would be more behind the cut.
    cut_short: bool,
    /// Body bytes that have come so far.
    seen: u64,
    /// The receiver took less than it was offered: it will say when it takes more.
    blocked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    bytes_per_s: u64,
    from: Instant,
    passed: u64,
}

impl Rate {
    /// Bytes that may be passed on now.
    fn room(&self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.from);
        let earned = elapsed.as_micros().saturating_mul(self.bytes_per_s.into()) / 1_000_000;
        u64::try_from(earned).unwrap_or(u64::MAX).saturating_sub(self.passed) as usize
    }

    /// When there is room for the next piece.
    fn next(&self) -> Option<Instant> {
        let until = u128::from(self.passed) + u128::from((self.bytes_per_s / PIECES_PER_S).max(1));
        let micros = (until * 1_000_000).div_ceil(self.bytes_per_s.max(1).into());
        self.from.checked_add(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

impl Shaping {
    pub(crate) fn shape(&mut self, effect: HttpEffect, now: Instant) {
        match effect {
            HttpEffect::Delay { delay, .. } => {
                self.held_until = self.held_until.max(now.checked_add(delay));
            }
            HttpEffect::SlowBody { bytes_per_s, .. } => {
                let slower = self.rate.map_or(u64::MAX, |rate| rate.bytes_per_s).min(bytes_per_s);
                self.rate = Some(Rate { bytes_per_s: slower, from: now, passed: 0 });
            }
            HttpEffect::CorruptBody { offset, .. } => self.corrupt = Some(offset),
            HttpEffect::TruncateBody { after_bytes } => self.cut_at(after_bytes, Cut::End),
            HttpEffect::Reset { after_bytes } => self.cut_at(after_bytes, Cut::Reset),
            _ => {}
        }
    }

    /// Of two cuts the first one is made.
    fn cut_at(&mut self, bytes: u64, how: Cut) {
        if self.cut.is_none_or(|(at, _)| bytes < at) {
            self.cut = Some((bytes, how));
        }
    }

    /// Until [`Self::wake`], however late that comes: a head that is held goes before its body.
    pub(crate) const fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Bytes that may be passed on now.
    pub(crate) fn room(&self, now: Instant) -> usize {
        if self.is_held() {
            return 0;
        }
        self.rate.map_or(usize::MAX, |rate| rate.room(now))
    }

    /// The receiver was offered so many bytes, and took some of them.
    pub(crate) const fn passed(&mut self, bytes: usize, offered: usize) {
        self.blocked = bytes < offered;
        if let Some(rate) = &mut self.rate {
            rate.passed = rate.passed.saturating_add(bytes as u64);
        }
    }

    /// When it is to be looked at again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.held_until
    }

    /// As [`Self::due`], while bytes wait: if it is not the receiver that they wait for.
    pub(crate) fn due_for_bytes(&self) -> Option<Instant> {
        self.held_until.or_else(|| self.rate.filter(|_| !self.blocked)?.next())
    }

    /// Ends what is over. True: a hold is.
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let over = self.held_until.is_some_and(|until| until <= now);
        if over {
            self.held_until = None;
            if let Some(rate) = &mut self.rate {
                rate.from = now;
            }
        }
        over
    }

    /// From now on bytes are passed on as they come, but behind a cut.
    fn lift(&mut self, now: Instant) {
        self.held_until = self.held_until.map(|_| now);
        self.rate = None;
        self.corrupt = None;
        if !self.cut_short {
            self.cut = None;
        }
    }

    /// What is to become of the next bytes of the body.
    pub(crate) fn alter<'a>(&mut self, bytes: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let begin = self.seen;
        self.seen += bytes.len() as u64;
        let mut bytes = bytes;
        if let Some(at) = self.corrupt
            && let Some(place) = at.checked_sub(begin)
            && (place as usize) < bytes.len()
        {
            bytes.to_mut()[place as usize] ^= 1;
        }
        if let Some((at, _)) = self.cut
            && self.seen > at
        {
            self.cut_short = true;
            let kept = at.saturating_sub(begin).min(bytes.len() as u64) as usize;
            bytes = Cow::Owned(bytes[..kept].to_vec());
        }
        bytes
    }

    /// How the body ends here, if it does although there would be more.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut.filter(|_| self.cut_short).map(|(_, how)| how)
    }

    /// As [`Self::cut`], once.
    pub(crate) fn take_cut(&mut self) -> Option<Cut> {
        let cut = self.cut();
        self.cut_short = false;
        cut
    }
}

impl Faulted {
    /// Notes that a rule was met. Gives what it does.
    pub(crate) fn meet(
        &mut self,
        effect: Option<HttpEffect>,
        active: Active,
    ) -> Option<HttpEffect> {
        if let Some(effect) = effect {
            self.kind.get_or_insert_with(|| effect.name());
        }
        // An attempt may meet the same rule again.
        if !self.met.iter().any(|met| met.is_same(&active)) {
            self.met.push(active);
        }
        effect
    }

    /// Takes back what is not done yet, if all the rules have ended. False: one has not.
    pub(crate) fn lift(&mut self, now: Instant) -> bool {
        if !self.met.iter().all(|active| active.has_ended(now)) {
            return false;
        }
        self.met.iter_mut().for_each(Active::lift);
        self.abort = None;
        self.failure = None;
        self.request.lift(now);
        self.response.lift(now);
        true
    }

    pub(crate) const fn shaping(&mut self, direction: Direction) -> &mut Shaping {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Whether bytes, or a head, may be passed on that could not be before.
    pub(crate) fn may_go_on(&self, now: Instant) -> bool {
        let may = |shaping: &Shaping| match shaping.held_until {
            Some(until) => until <= now,
            None => shaping.rate.is_some(),
        };
        may(&self.request) || may(&self.response)
    }

    /// When something of it is due for the exchange's timer. `request`, `response`: bytes wait there.
    pub(crate) fn due(&self, request: bool, response: bool) -> Option<Instant> {
        let of = |shaping: &Shaping, waits| {
            if waits { shaping.due_for_bytes() } else { shaping.due() }
        };
        let dues = [of(&self.request, request), of(&self.response, response)];
        dues.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_chaos::http::BodyDirection;

    const DIRECTION: BodyDirection = BodyDirection::Response;

    #[test]
    fn a_slow_body_has_room_as_time_goes_by() {
        let now = Instant::now();
        let mut shaping = Shaping::default();
        shaping.shape(HttpEffect::SlowBody { bytes_per_s: 1_000, direction: DIRECTION }, now);
        assert_eq!((shaping.room(now), shaping.due()), (0, None));
        assert_eq!(shaping.due_for_bytes(), Some(now + Duration::from_millis(20)));
        let later = now + Duration::from_millis(20);
        assert_eq!(shaping.room(later), 20);
        shaping.passed(20, 20);
        assert_eq!(shaping.room(later), 0);
        assert_eq!(shaping.due_for_bytes(), Some(now + Duration::from_millis(40)));
    }

    #[test]
    fn a_hold_lasts_until_it_is_ended_and_not_just_until_its_time_is_over() {
        let (mut shaping, now) = (Shaping::default(), Instant::now());
        let delay = Duration::from_millis(20);
        shaping.shape(HttpEffect::Delay { delay, direction: DIRECTION }, now);
        assert!(!shaping.wake(now) && shaping.is_held());
        assert_eq!((shaping.room(now + delay), shaping.due()), (0, Some(now + delay)));
        assert!(shaping.wake(now + delay) && !shaping.is_held());
        assert_eq!((shaping.room(now + delay), shaping.due()), (usize::MAX, None));
    }

    #[test]
    fn a_bit_is_turned_over_wherever_the_pieces_end() {
        for pieces in [vec![4], vec![1, 3], vec![2, 2], vec![3, 1], vec![1, 1, 1, 1]] {
            let mut shaping = Shaping::default();
            let effect = HttpEffect::CorruptBody { offset: 2, direction: DIRECTION };
            shaping.shape(effect, Instant::now());
            let (mut rest, mut out) = (&b"abcd"[..], Vec::new());
            for piece in pieces {
                out.extend_from_slice(&shaping.alter(Cow::Borrowed(&rest[..piece])));
                rest = &rest[piece..];
            }
            assert_eq!(out, b"abbd");
        }
    }

    #[test]
    fn a_cut_is_made_only_where_there_would_be_more() {
        for (body, cut_at, kept, cut) in [
            (&b"abcd"[..], 2, &b"ab"[..], Some(Cut::Reset)),
            (b"abcd", 0, b"", Some(Cut::Reset)),
            (b"abcd", 4, b"abcd", None),
            (b"abcd", 5, b"abcd", None),
        ] {
            let mut shaping = Shaping::default();
            shaping.shape(HttpEffect::Reset { after_bytes: cut_at }, Instant::now());
            let mut out = Vec::new();
            for piece in body.chunks(3) {
                out.extend_from_slice(&shaping.alter(Cow::Borrowed(piece)));
            }
            assert_eq!((out.as_slice(), shaping.cut()), (kept, cut), "{cut_at}");
        }
    }
}
