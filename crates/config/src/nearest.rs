//! The valid name that somebody probably meant.

/// The name in `valid` nearest to `text`, if it is near enough to be a slip.
pub fn nearest<'a>(text: &str, valid: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = normal(text);
    if wanted.is_empty() || wanted.len() > 128 {
        return None;
    }
    valid
        .filter_map(|name| {
            let candidate = normal(name);
            let distance = strsim::damerau_levenshtein(&wanted, &candidate);
            // A slip or two in a longer word; half a word may be missing at its end.
            let slips = wanted.len().max(candidate.len()).div_ceil(4);
            let starts = wanted.len() >= 3 && candidate.starts_with(&wanted);
            (distance <= slips || starts).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Without the differences between `camelCase`, `kebab-case` and `snake_case`.
fn normal(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
