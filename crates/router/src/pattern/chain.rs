//! A pattern that is a chain of literals and repeated byte classes.
//!
//! Matching takes from left to right as many bytes as each link allows and never goes back. That is
//! exact because [`Chain::parse`] only accepts chains in which the byte after a repetition can never
//! belong to that repetition; everything else is left to the regular expression engine.

/// Repetitions beyond this are left to the engine.
const REPEAT_MAX: u32 = 1_000;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    const fn insert(&mut self, byte: u8) {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
    }

    const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    fn of(allowed: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=255).filter(|&byte| allowed(byte)).for_each(|byte| set.insert(byte));
        set
    }

    fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn single(&self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        if count == 1 { (0..=255).find(|&byte| self.contains(byte)) } else { None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Literal(Box<[u8]>),
    Class { set: ByteSet, min: u32, max: u32 },
}

/// The compiled chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain(Box<[Link]>);

impl Chain {
    /// Whether all of `text` matches.
    #[inline]
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        let mut rest = text;
        for link in &self.0 {
            match link {
                Link::Literal(literal) => match rest.strip_prefix(&**literal) {
                    Some(after) => rest = after,
                    None => return false,
                },
                Link::Class { set, min, max } => {
                    let most = rest.len().min(*max as usize);
                    let taken =
                        rest[..most].iter().position(|&byte| !set.contains(byte)).unwrap_or(most);
                    if taken < *min as usize {
                        return false;
                    }
                    rest = &rest[taken..];
                }
            }
        }
        rest.is_empty()
    }

    /// The bytes that every match begins with.
    pub(super) fn literal_prefix(&self) -> &[u8] {
        match self.0.first() {
            Some(Link::Literal(literal)) => literal,
            _ => &[],
        }
    }

    /// `None` if the pattern is no such chain, or is wrong (the engine then says how).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('^').unwrap_or(text);
        let text = match text.strip_suffix('$') {
            Some(inner) if !inner.ends_with('\\') => inner,
            _ => text,
        };
        let mut parser = Parser { rest: text.as_bytes() };
        let mut items = Vec::new();
        while !parser.rest.is_empty() {
            let set = parser.item()?;
            let (min, max) = parser.repetition()?;
            items.push((set, min, max));
        }
        is_unambiguous(&items).then(|| Self(join(&items)))
    }
}

type Item = (ByteSet, u32, u32);

/// Whether no byte that a repetition of varying length takes could begin what follows it.
fn is_unambiguous(items: &[Item]) -> bool {
    items.iter().enumerate().all(|(at, (set, min, max))| {
        if min == max {
            return true;
        }
        for (next, next_min, _) in &items[at + 1..] {
            if set.meets(next) {
                return false;
            }
            if *next_min > 0 {
                break;
            }
        }
        true
    })
}

/// Joins single bytes to literals.
fn join(items: &[Item]) -> Box<[Link]> {
    let mut links = Vec::new();
    let mut literal = Vec::new();
    for &(set, min, max) in items {
        match set.single() {
            Some(byte) if (min, max) == (1, 1) => literal.push(byte),
            _ => {
                if !literal.is_empty() {
                    links.push(Link::Literal(std::mem::take(&mut literal).into()));
                }
                links.push(Link::Class { set, min, max });
            }
        }
    }
    if !literal.is_empty() {
        links.push(Link::Literal(literal.into()));
    }
    links.into()
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        byte.is_ascii().then_some(byte)
    }

    /// A literal byte, an escape, a class or the dot.
    fn item(&mut self) -> Option<ByteSet> {
        match self.next()? {
            b'\\' => self.escape(),
            b'[' => self.class(),
            b'.' => Some(ByteSet::of(|byte| byte != b'\n')),
            b'+' | b'*' | b'?' | b'(' | b')' | b'|' | b']' | b'{' | b'}' | b'^' | b'$' => None,
            byte => Some(ByteSet::of(|other| other == byte)),
        }
    }

    fn escape(&mut self) -> Option<ByteSet> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match self.next()? {
            b'd' => Some(ByteSet::of(|byte| byte.is_ascii_digit())),
            b'D' => Some(ByteSet::of(|byte| byte.is_ascii_digit()).complement()),
            b'w' => Some(ByteSet::of(word)),
            b'W' => Some(ByteSet::of(word).complement()),
            b'<' | b'>' => None,
            byte if byte.is_ascii_punctuation() => Some(ByteSet::of(|other| other == byte)),
            _ => None,
        }
    }

    /// What follows `[`. Nested classes and set operations are left to the engine.
    fn class(&mut self) -> Option<ByteSet> {
        let negated = self.rest.first() == Some(&b'^');
        if negated {
            self.next();
        }
        let mut set = ByteSet::default();
        let mut empty = true;
        loop {
            let first = self.next()?;
            let item = match first {
                b']' if !empty => break,
                b']' | b'[' | b'&' | b'~' => return None,
                b'\\' => self.escape()?,
                b'-' if !empty && self.rest.first() != Some(&b']') => return None,
                byte => ByteSet::of(|other| other == byte),
            };
            empty = false;
            set = set.union(self.range_from(item)?);
        }
        Some(if negated { set.complement() } else { set })
    }

    /// Extends a single byte to a range if `-` and another byte follow.
    fn range_from(&mut self, item: ByteSet) -> Option<ByteSet> {
        let [b'-', after, ..] = *self.rest else { return Some(item) };
        if after == b']' {
            return Some(item);
        }
        self.next();
        let low = item.single()?;
        let high = match self.next()? {
            b'\\' => self.escape()?.single()?,
            b'[' | b'-' | b'&' | b'~' => return None,
            byte => byte,
        };
        (low <= high).then(|| ByteSet::of(|byte| (low..=high).contains(&byte)))
    }

    fn repetition(&mut self) -> Option<(u32, u32)> {
        let bounds = match self.rest.first() {
            Some(b'?') => (0, 1),
            Some(b'*') => (0, u32::MAX),
            Some(b'+') => (1, u32::MAX),
            Some(b'{') => return self.counted(),
            _ => return Some((1, 1)),
        };
        self.next();
        self.no_quantifier(bounds)
    }

    /// `{n}`, `{n,}` or `{n,m}`.
    fn counted(&mut self) -> Option<(u32, u32)> {
        let end = self.rest.iter().position(|&byte| byte == b'}')?;
        let inside = std::str::from_utf8(self.rest.get(1..end)?).ok()?;
        self.rest = &self.rest[end + 1..];
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().ok().filter(|&n| n <= REPEAT_MAX) } else { None }
        };
        let (min, max) = match inside.split_once(',') {
            None => (number(inside)?, number(inside)?),
            Some((min, "")) => (number(min)?, u32::MAX),
            Some((min, max)) => (number(min)?, number(max)?),
        };
        if min <= max { self.no_quantifier((min, max)) } else { None }
    }

    /// A quantifier after a quantifier means laziness or an error: neither is for a chain.
    fn no_quantifier(&self, bounds: (u32, u32)) -> Option<(u32, u32)> {
        match self.rest.first() {
            Some(b'?' | b'*' | b'+' | b'{') => None,
            _ => Some(bounds),
        }
    }
}
