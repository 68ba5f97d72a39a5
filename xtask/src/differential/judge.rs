//! Whether two servers in a row saw the same messages.

/// What one server wrote down of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A request that it took: method and path.
    Request(String),
    /// Bytes that it refused.
    Bad,
}

/// The outcome of a case between a front and a back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The front passed nothing of it on.
    Rejected,
    /// Front and back saw the same messages.
    Agreed,
    /// The back refused what the front passed on, and nothing came of it.
    Refused,
    /// They saw different messages.
    Differs(String),
}

/// What is known of a case before it is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The client multiplexes: the order of its requests says nothing.
    pub(super) unordered: bool,
    /// The front reads by the book: what was to be smuggled is no request to it.
    pub(super) strict: bool,
}

/// Compares what the front passed on with what the back saw. The back may see less, for it refuses,
/// or the front gives up in the middle of a message. It must see nothing else and nothing more, and
/// if it took one message and not the next, it must have said why: else it took the next for a part
/// of the first.
pub(super) fn judge(front: &[Seen], back: &[Seen], rules: Rules) -> Verdict {
    let differs = || Verdict::Differs(format!("front {}, back {}", shown(front), shown(back)));
    let taken: Vec<&Seen> = back.iter().filter(|seen| **seen != Seen::Bad).collect();
    let refused = back.len() - taken.len();
    let alike = match rules.unordered {
        true => is_part(&taken, front),
        false => is_subsequence(&taken, front),
    };
    if !alike || back.len() > front.len() {
        return differs();
    }
    let smuggled = |seen: &Seen| matches!(seen, Seen::Request(text) if text.contains("/smuggled"));
    if rules.strict && back.iter().any(smuggled) {
        return differs();
    }
    let swallowed = !taken.is_empty() && taken.last().copied() != front.last() && refused == 0;
    if swallowed && !rules.unordered {
        return differs();
    }
    match (front.len(), front.len() - taken.len()) {
        (0, _) => Verdict::Rejected,
        (_, 0) => Verdict::Agreed,
        _ => Verdict::Refused,
    }
}

fn is_subsequence(part: &[&Seen], whole: &[Seen]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|seen| rest.any(|other| other == *seen))
}

fn is_part(part: &[&Seen], whole: &[Seen]) -> bool {
    let mut rest: Vec<&Seen> = whole.iter().collect();
    part.iter().all(|seen| {
        let found = rest.iter().position(|other| other == seen);
        found.map(|at| rest.swap_remove(at)).is_some()
    })
}

fn shown(seen: &[Seen]) -> String {
    let texts: Vec<&str> = seen
        .iter()
        .map(|seen| match seen {
            Seen::Request(text) => text.as_str(),
            Seen::Bad => "<bad>",
        })
        .collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests;
