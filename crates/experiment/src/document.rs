//! Text → values that know their place: JSON as it is, YAML as Chaos Toolkit reads it (YAML 1.1, where
//! `on` is a truth value and `0o17` a text).

mod scalar;

use std::borrow::Cow;

use bulkhead_config::document::{Kind, Node, Report, Span, read_tree};
use bulkhead_config::{Diagnostic, Diagnostics};
use serde_json::{Map, Value};

/// What the text of a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// JSON.
    Json,
    /// YAML 1.1.
    Yaml,
}

impl Syntax {
    /// By the ending of a file's name; `None` for any other than `.json`, `.yaml` and `.yml`.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// Where it stands.
    pub(crate) span: Span,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Text, number, truth value, null.
    Scalar(Value),
    List(Vec<Located>),
    Map(Vec<Member>),
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) value: Located,
}

impl Located {
    /// The value of a member of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.value)
    }

    /// Its members, if it is a mapping.
    pub(crate) fn members(&self) -> &[Member] {
        if let Data::Map(members) = &self.data { members } else { &[] }
    }

    /// Its items, if it is a list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Data::Scalar(Value::String(text)) = &self.data { Some(text) } else { None }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Scalar(Value::Null))
    }

    /// Whether Python takes it for true.
    pub(crate) fn truthy(&self) -> bool {
        match &self.data {
            Data::Scalar(value) => crate::python::truthy(value),
            Data::List(items) => !items.is_empty(),
            Data::Map(members) => !members.is_empty(),
        }
    }

    /// Without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(Self::to_value).collect(),
            Data::Map(members) => {
                let pair = |member: &Member| (member.name.clone(), member.value.to_value());
                Value::Object(members.iter().map(pair).collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads a file of one document.
///
/// # Errors
/// What is wrong with its syntax, or what `build` reported.
pub(crate) fn read<T>(
    text: &str,
    file: &str,
    syntax: Syntax,
    needed: &str,
    build: impl FnOnce(&Located, &mut Report<'_>) -> T,
) -> Result<(T, Vec<Diagnostic>), Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = (syntax == Syntax::Json).then(|| Json::of(text));
    let read = json.as_ref().map_or(text, |json| json.text.as_ref());
    read_tree(read, file, needed, |node, report| {
        if let Some(Json { error: Some((span, message)), .. }) = &json {
            report
                .error(*span, format!("not JSON: {message}"))
                .remedy("correct it, or name the file `.yaml` if that is what it is");
        }
        let mut located = convert(node, syntax, report);
        drop_duplicates(&mut located);
        build(&located, report)
    })
}

/// JSON, made fit for a parser of YAML without moving anything: a tab may not indent there, and a
/// character beyond 16 bits is not written as two halves.
struct Json<'t> {
    text: Cow<'t, str>,
    error: Option<(Span, String)>,
}

impl<'t> Json<'t> {
    fn of(text: &'t str) -> Self {
        let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err().map(|error| {
            let span = Span { line: error.line().max(1), column: error.column().max(1), width: 1 };
            (span, error.to_string())
        });
        let tabs = if text.contains('\t') { text.replace('\t', " ").into() } else { text.into() };
        Self { text: join_surrogates(tabs), error }
    }
}

/// `\ud83d\ude00` → the character that it stands for.
fn join_surrogates(text: Cow<'_, str>) -> Cow<'_, str> {
    let half = |at: usize, first: u32| -> Option<u32> {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let unit = u32::from_str_radix(digits, 16).ok()?;
        (unit & 0xfc00 == first).then_some(unit & 0x3ff)
    };
    let mut joined = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text[at..].find("\\u").map(|found| at + found) {
        let pair = half(found, 0xd800).zip(half(found + 6, 0xdc00));
        at = found + 2;
        if let Some(letter) =
            pair.and_then(|(high, low)| char::from_u32(0x1_0000 + (high << 10) + low))
        {
            joined.push_str(&text[copied..found]);
            joined.push(letter);
            copied = found + 12;
            at = copied;
        }
    }
    if copied == 0 {
        return text;
    }
    joined.push_str(&text[copied..]);
    joined.into()
}

fn convert(node: &Node, syntax: Syntax, report: &mut Report<'_>) -> Located {
    let data = match node.kind() {
        Kind::Scalar { text, plain } => Data::Scalar(match (plain, syntax) {
            (false, _) => Value::String(text.clone()),
            (true, Syntax::Json) => scalar::json(text),
            (true, Syntax::Yaml) => scalar::yaml(text),
        }),
        Kind::Sequence(items) => {
            Data::List(items.iter().map(|item| convert(item, syntax, report)).collect())
        }
        Kind::Mapping(entries) => {
            let mut members = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                member(key, value, syntax, &mut members, report);
            }
            Data::Map(members)
        }
    };
    Located { span: node.span(), data }
}

fn member(
    key: &Node,
    value: &Node,
    syntax: Syntax,
    members: &mut Vec<Member>,
    report: &mut Report<'_>,
) {
    let Kind::Scalar { text, plain } = key.kind() else {
        report.error(key.span(), "a list or a mapping is no name").remedy("give a text as name");
        return;
    };
    let value = convert(value, syntax, report);
    // What is merged in gives way to what stands there.
    if syntax == Syntax::Yaml && *plain && text == "<<" {
        let sources = if value.is_map() { std::slice::from_ref(&value) } else { value.items() };
        let merged = sources.iter().flat_map(|source| source.members().iter().cloned());
        members.splice(0..0, merged.rev().collect::<Vec<_>>());
        return;
    }
    members.push(Member { name: text.clone(), span: key.span(), value });
}

/// Of members with the same name the last counts, as in Python.
fn drop_duplicates(located: &mut Located) {
    match &mut located.data {
        Data::Scalar(_) => {}
        Data::List(items) => items.iter_mut().for_each(drop_duplicates),
        Data::Map(members) => {
            let mut seen = std::collections::HashSet::new();
            let mut kept: Vec<Member> = std::mem::take(members)
                .into_iter()
                .rev()
                .filter(|member| seen.insert(member.name.clone()))
                .collect();
            kept.reverse();
            kept.iter_mut().for_each(|member| drop_duplicates(&mut member.value));
            *members = kept;
        }
    }
}

#[cfg(test)]
mod tests;
