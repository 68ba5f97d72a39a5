//! From text to a [`Template`]: what each placeholder stands for.

use bulkhead_config::document::{nearest, words};

use super::zipf::Zipf;
use super::{Draw, Part, Scope, Template, salt_of};

/// Kinds that a placeholder may name.
const KINDS: [&str; 6] = ["uniform", "zipf", "sequence", "pick", "token", "uuid"];
/// Longest placeholder, in bytes.
const PLACEHOLDER_BYTES_MAX: usize = 200;

/// Why a text is no template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TemplateFault {
    /// Characters from the start of the text.
    pub(crate) offset: usize,
    /// Characters that the placeholder takes up.
    pub(crate) width: usize,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) remedy: Option<String>,
}

/// Compiles `text`; variables that it draws are declared in `scope`. The error: every fault.
pub(crate) fn parse(text: &str, scope: &mut Scope<'_>) -> Result<Template, Vec<TemplateFault>> {
    let (mut parts, mut literal) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        literal.extend_from_slice(&rest.as_bytes()[..at]);
        let after = &rest[at + 1..];
        let first = after.chars().next();
        if first == Some('{') {
            literal.push(b'{');
            rest = &after[1..];
            continue;
        }
        if !first.is_some_and(|first| first.is_ascii_alphabetic() || first == '_') {
            literal.push(b'{');
            rest = after;
            continue;
        }
        let offset = text[..text.len() - after.len() - 1].chars().count();
        let Some(end) = after.find('}').filter(|end| *end <= PLACEHOLDER_BYTES_MAX) else {
            faults.push(TemplateFault {
                offset,
                width: 1,
                message: "this placeholder has no `}`".to_owned(),
                remedy: Some("close it, or write `{{` for a brace".to_owned()),
                ..TemplateFault::default()
            });
            break;
        };
        let inside = &after[..end];
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        match placeholder(inside, scope) {
            Ok(variable) => parts.push(Part::Variable(variable)),
            Err(fault) => {
                let width = inside.chars().count() + 2;
                faults.push(TemplateFault { offset, width, ..fault });
            }
        }
        rest = &after[end + 1..];
    }
    literal.extend_from_slice(rest.as_bytes());
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    if faults.is_empty() { Ok(Template::new(parts)) } else { Err(faults) }
}

fn fault(message: impl Into<String>) -> TemplateFault {
    TemplateFault { message: message.into(), ..TemplateFault::default() }
}

impl TemplateFault {
    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn near<'n>(mut self, name: &str, valid: impl Iterator<Item = &'n str> + Clone) -> Self {
        self.suggestion = nearest(name, valid.clone()).map(str::to_owned);
        if self.suggestion.is_none() {
            let known = words(valid.map(str::to_owned));
            self.remedy = (!known.is_empty()).then(|| format!("there is {known}"));
        }
        self
    }
}

/// The variable that a placeholder stands for.
fn placeholder(inside: &str, scope: &mut Scope<'_>) -> Result<usize, TemplateFault> {
    // Without brackets: `{token:users}`, `{pick:agents.name}`, `{id:uuid}`, `{session}`.
    let colon = inside.find(':').filter(|colon| !inside[..*colon].contains('('));
    let Some(colon) = colon else { return unnamed(inside, scope) };
    let (name, rest) = (inside[..colon].trim(), inside[colon + 1..].trim());
    match name {
        "token" => return declare(scope, &format!("token:{rest}"), "token", rest),
        "pick" => return declare(scope, &format!("pick:{rest}"), "pick", rest),
        _ => {}
    }
    if !is_variable(name) {
        return Err(fault(format!("`{name}` is no name of a variable"))
            .remedy("a name has letters, digits and `_` only"));
    }
    let (kind, arguments) = call(rest)?;
    declare(scope, name, kind, arguments)
}

/// A placeholder without a name of its own: an earlier variable, or a kind.
fn unnamed(inside: &str, scope: &mut Scope<'_>) -> Result<usize, TemplateFault> {
    let inside = inside.trim();
    if let Some(index) = scope.find(inside) {
        return Ok(index);
    }
    if inside.contains('(') || inside == "uuid" {
        let (kind, arguments) = call(inside)?;
        return declare(scope, inside, kind, arguments);
    }
    if scope.later.iter().any(|later| later == inside) {
        return Err(fault(format!("`{inside}` is extracted only later"))
            .remedy("use it in a step behind the one whose `extract` names it"));
    }
    if KINDS.contains(&inside) {
        return Err(fault(format!("`{inside}` lacks what it is drawn from")).remedy(usage(inside)));
    }
    let known = scope.variables.iter().map(|variable| variable.name.as_str());
    let found = fault(format!("nothing is called `{inside}` here")).near(inside, known);
    Err(match found.remedy {
        None if found.suggestion.is_none() => found.remedy(
            "draw it, such as `{name:uniform(1,100)}`, extract it in an earlier step, or write `{{` \
             for a brace",
        ),
        _ => found,
    })
}

/// `kind(arguments)`, or a kind alone.
fn call(text: &str) -> Result<(&str, &str), TemplateFault> {
    match text.split_once('(') {
        None => Ok((text, "")),
        Some((kind, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => Ok((kind.trim(), arguments.trim())),
            None => Err(fault("the `(` is not closed").remedy(usage(kind.trim()))),
        },
    }
}

fn declare(
    scope: &mut Scope<'_>,
    name: &str,
    kind: &str,
    arguments: &str,
) -> Result<usize, TemplateFault> {
    let mut salt = salt_of(name);
    let wrong = || fault(format!("`{kind}({arguments})` is not understood")).remedy(usage(kind));
    let draw = match kind {
        "uniform" => {
            let (low, count) = range(arguments).ok_or_else(wrong)?;
            Draw::Uniform { low, count }
        }
        "zipf" => {
            let (bounds, exponent) = arguments.rsplit_once(',').ok_or_else(wrong)?;
            let (low, count) = range(bounds).ok_or_else(wrong)?;
            let exponent = exponent.trim().parse().ok().filter(|s| (0.01..=10.0).contains(s));
            Draw::Zipf(Zipf::new(low, count, exponent.ok_or_else(wrong)?))
        }
        "sequence" if arguments.is_empty() => Draw::Sequence { start: 0 },
        "sequence" => Draw::Sequence { start: arguments.parse().map_err(|_| wrong())? },
        "uuid" if arguments.is_empty() => Draw::Uuid,
        "uuid" => return Err(wrong()),
        "pick" => {
            let (draw, row_salt) = pick(arguments, scope)?;
            // Columns of `{pick:users.…}` are of the same row; `{a:pick(users.…)}` has its own.
            salt = if name.starts_with("pick:") { row_salt } else { salt };
            draw
        }
        "token" => {
            let (draw, pool_salt) = token(arguments, scope)?;
            salt = if name.starts_with("token:") { pool_salt } else { salt };
            draw
        }
        _ => {
            return Err(
                fault(format!("`{kind}` is no kind of placeholder")).near(kind, KINDS.into_iter())
            );
        }
    };
    scope
        .declare(name, salt, draw)
        .map_err(|message| fault(message).remedy("give each thing that is drawn a name of its own"))
}

fn pick(arguments: &str, scope: &Scope<'_>) -> Result<(Draw, u64), TemplateFault> {
    let (name, column) = arguments.split_once('.').unwrap_or((arguments, ""));
    if scope.broken.iter().any(|broken| broken == name) {
        return Ok((Draw::Choice(Vec::new()), 0));
    }
    let Some(index) = scope.pools.iter().position(|pool| pool.name == name) else {
        let names = scope.pools.iter().map(|pool| pool.name.as_str());
        return Err(fault(format!("`data` has no `{name}`")).near(name, names));
    };
    let pool = &scope.pools[index];
    let column = match (column, pool.columns.as_slice()) {
        ("", [_]) => 0,
        ("", columns) => {
            return Err(fault(format!("`{name}` has several columns"))
                .remedy(format!("write `{name}.COLUMN` with {}", words(columns.iter().cloned()))));
        }
        (column, columns) => columns.iter().position(|known| known == column).ok_or_else(|| {
            fault(format!("`{name}` has no column `{column}`"))
                .near(column, columns.iter().map(String::as_str))
        })?,
    };
    Ok((Draw::Row { pool: index, column }, salt_of(&format!("pick:{name}"))))
}

fn token(arguments: &str, scope: &Scope<'_>) -> Result<(Draw, u64), TemplateFault> {
    let (name, part) = arguments.split_once('.').unwrap_or((arguments, ""));
    let Some(pool) = scope.tokens.iter().position(|known| known == name) else {
        let names = scope.tokens.iter().map(String::as_str);
        return Err(fault(format!("`tokens` has no `{name}`")).near(name, names));
    };
    let draw = match part {
        "" => Draw::Token { pool },
        "index" => Draw::TokenIndex { pool },
        _ => {
            return Err(fault(format!("a token has no `{part}`"))
                .remedy(format!("write `{{token:{name}}}` or `{{token:{name}.index}}`")));
        }
    };
    Ok((draw, salt_of(&format!("token:{name}"))))
}

/// Both ends and whole; gives the first and how many.
fn range(text: &str) -> Option<(u64, u64)> {
    let (low, high) = text.split_once(',')?;
    let (low, high): (u64, u64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    Some((low, high.checked_sub(low)?.checked_add(1)?))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn usage(kind: &str) -> &'static str {
    match kind {
        "uniform" => "an example is `{user:uniform(1,1000)}`: both ends are drawn as well",
        "zipf" => "an example is `{user:zipf(1,1000,1.1)}`: the exponent is 0.01 to 10",
        "sequence" => "an example is `{id:sequence(1)}`",
        "pick" => "an example is `{pick:agents}`, where `data` has `agents`",
        "token" => "an example is `{token:users}`, where `tokens` has `users`",
        "uuid" => "an example is `{id:uuid}`",
        _ => "there are uniform, zipf, sequence, pick, token and uuid",
    }
}
