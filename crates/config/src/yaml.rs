//! YAML text → a tree whose nodes know their place.
//!
//! Bounded: size, depth and number of nodes have limits that count what aliases stand for. Knows
//! nothing of the file format.

mod paths;

pub(crate) use paths::paths;

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::diagnostic::{Report, Span};

/// Largest file.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Nodes, with what aliases stand for.
const NODES_MAX: usize = 200_000;
/// Bytes of all scalars, with what aliases stand for.
const SCALAR_BYTES_MAX: usize = 64 << 20;
/// Depth of nesting.
const DEPTH_MAX: usize = 64;

/// A node of the tree. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Node(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    span: Span,
    kind: Kind,
    /// Nodes in it, itself included.
    nodes: usize,
    /// Bytes of the scalars in it.
    bytes: usize,
    /// Levels in it, itself included.
    depth: usize,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind {
    /// Text, number, truth value, nothing: what it is decides who reads it.
    Scalar {
        /// What stands there, without quotes.
        text: String,
        /// Without quotes, in one line.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in the order of the file.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Its place. For a sequence or mapping, where its first item begins.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// A scalar that did not stand in the file.
    pub(crate) fn scalar(text: &str, span: Span) -> Self {
        Self::new(span, Kind::Scalar { text: text.to_owned(), plain: true })
    }

    /// A mapping that did not stand in the file.
    pub(crate) fn mapping(entries: Vec<(Self, Self)>, span: Span) -> Self {
        Self::new(span, Kind::Mapping(entries))
    }

    /// A sequence that did not stand in the file.
    pub(crate) fn sequence(items: Vec<Self>, span: Span) -> Self {
        Self::new(span, Kind::Sequence(items))
    }

    /// Whether it is nothing: an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.kind(), Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn new(span: Span, kind: Kind) -> Self {
        let (mut nodes, mut bytes, mut depth) = (1_usize, 0_usize, 0);
        let mut add = |node: &Self| {
            nodes = nodes.saturating_add(node.0.nodes);
            bytes = bytes.saturating_add(node.0.bytes);
            depth = depth.max(node.0.depth);
        };
        match &kind {
            Kind::Scalar { .. } => {}
            Kind::Sequence(items) => items.iter().for_each(&mut add),
            Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                add(key);
                add(value);
            }),
        }
        if let Kind::Scalar { text, .. } = &kind {
            bytes = text.len();
        }
        Self(Rc::new(Inner { span, kind, nodes, bytes, depth: depth + 1 }))
    }
}

/// A sequence or mapping that is not finished.
struct Open {
    span: Span,
    anchor: usize,
    mapping: bool,
    items: Vec<Node>,
}

/// Reads the only document of `text`, which stands in `report`'s file and should have what `needed`
/// says. `None`: an error was reported.
pub(crate) fn read(text: &str, needed: &str, report: &mut Report<'_>) -> Option<Node> {
    let start = Span { line: 1, column: 1, width: 1 };
    if text.len() > FILE_BYTES_MAX {
        report.error(start, format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20));
        return None;
    }
    if let Some(at) = text.find('\0') {
        report.error(place(text, at), "the file has a NUL byte: it is no text file");
        return None;
    }
    let mut builder = Builder { open: Vec::new(), anchors: HashMap::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                syntax_error(text, &error, report);
                return None;
            }
        };
        let span = Span {
            line: span.start.line(),
            column: span.start.col() + 1,
            width: if span.start.line() == span.end.line() { span.len() } else { 1 },
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                report
                    .error(span, "the file has more than one document")
                    .remedy("remove the line `---`, or put each document into a file of its own");
                return None;
            }
        }
        if let Err(message) = builder.take(event, span) {
            report.error(span, message);
            return None;
        }
    }
    match builder.root {
        Some(root) if !root.is_null() => Some(root),
        _ => {
            report.error(start, "the file is empty").remedy(needed);
            None
        }
    }
}

struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

impl Builder {
    /// Takes the next event in. The error is a message about it.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                self.add(node.ok_or("this alias stands within what it refers to")?, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = check_tag(tag.as_deref())?;
                let plain = style == ScalarStyle::Plain && !text_tag;
                let text = text.into_owned();
                self.add(Node::new(span, Kind::Scalar { text, plain }), anchor)
            }
            Event::SequenceStart(anchor, tag) => self.begin(span, anchor, false, tag.as_deref()),
            Event::MappingStart(anchor, tag) => self.begin(span, anchor, true, tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(
        &mut self,
        span: Span,
        anchor: usize,
        mapping: bool,
        tag: Option<&Tag>,
    ) -> Result<(), String> {
        check_tag(tag)?;
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.open.push(Open { span, anchor, mapping, items: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let mut items = open.items.into_iter();
        let kind = if open.mapping {
            let mut entries = Vec::with_capacity(items.len() / 2);
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                entries.push((key, value));
            }
            Kind::Mapping(entries)
        } else {
            Kind::Sequence(items.collect())
        };
        self.add(Node::new(open.span, kind), open.anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        if node.0.nodes > NODES_MAX || node.0.bytes > SCALAR_BYTES_MAX {
            return Err(format!("the file has more than {NODES_MAX} values, counting aliases"));
        }
        if self.open.len() + node.0.depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels, counting aliases"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// Whether a tag makes its value text. Other tags of YAML's core say what is plain anyway.
fn check_tag(tag: Option<&Tag>) -> Result<bool, String> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.suffix == "str"),
        Some(tag) => Err(format!("the tag `{tag}` means nothing here: remove it")),
    }
}

/// Says what the parser said, and what causes it most often.
fn syntax_error(text: &str, error: &ScanError, report: &mut Report<'_>) {
    let line = error.marker().line();
    let span = Span { line, column: error.marker().col() + 1, width: 1 };
    let indent_tab = |number: usize| {
        let line = text.lines().nth(number.checked_sub(1)?)?;
        let indent = line.chars().take_while(|c| c.is_whitespace());
        { indent }.position(|c| c == '\t')
    };
    for number in [line, line.saturating_sub(1)] {
        if let Some(position) = indent_tab(number) {
            report
                .error(
                    Span { line: number, column: position + 1, width: 1 },
                    "a tab in the indentation",
                )
                .remedy("YAML is indented with spaces only");
            return;
        }
    }
    let found = report.error(span, format!("not YAML: {}", error.info()));
    if error.info().contains("mapping values are not allowed") {
        found.remedy("put text that contains `: ` into quotes, and check the indentation");
    }
}

/// Line and column of a byte.
fn place(text: &str, at: usize) -> Span {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Span {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        width: 1,
    }
}
