//! The route table.

use std::collections::HashMap;
use std::sync::Arc;

use bulkhead_message::RequestHead;

use crate::condition::Conditions;
use crate::error::{CompileError, CompileErrorKind};
use crate::host::{Hostname, Hosts};
use crate::pattern::{KeyedPattern, PatternId, PatternIndex, Patterns, PatternsBuilder};
use crate::rank::Rank;
use crate::rule::{Match, Parameters, Rule};
use crate::spec::{MatchSpec, PathSpec, RouteSpec};
use crate::template::{Segment, Template, check_path};
use crate::tree::{End, NO_RULE, Search, Step, Trees, TreesBuilder};

/// The compiled table. Immutable, and cheap to clone: give each worker its own clone, which shares
/// everything but the working memory of patterns.
#[derive(Clone, Debug)]
pub struct RouteTable {
    compiled: Arc<Compiled>,
    patterns: Patterns,
}

#[derive(Debug, Default)]
struct Compiled {
    /// By precedence.
    rules: Vec<Rule>,
    hosts: Hosts,
    /// By the number that `hosts` gives.
    paths: Vec<Paths>,
    trees: Trees,
}

/// The paths of one hostname.
#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<Box<[u8]>, Vec<u32>, foldhash::fast::FixedState>,
    regexes: PatternIndex,
    root: u32,
}

/// A match on its way into the table.
struct Draft<'a> {
    rank: Rank,
    spec: &'a MatchSpec,
    route: usize,
    match_index: usize,
    template: Option<Template>,
}

impl RouteTable {
    /// Compiles a table. Takes time in proportion to the routes, and a few ten microseconds for each
    /// distinct pattern that needs the regular expression engine.
    ///
    /// # Errors
    /// The first route that is wrong.
    pub fn compile(routes: &[RouteSpec]) -> Result<Self, CompileError> {
        let mut drafts = Vec::new();
        let mut hostnames = Vec::with_capacity(routes.len());
        for (route, spec) in routes.iter().enumerate() {
            hostnames.push(parse_hostnames(route, spec)?);
            for (match_index, spec) in spec.matches.iter().enumerate() {
                let error = |kind| CompileError { route, match_index: Some(match_index), kind };
                let template = parse_path(&spec.path).map_err(error)?;
                let rank = Rank::of(spec, template.as_ref(), route, match_index);
                drafts.push(Draft { rank, spec, route, match_index, template });
            }
        }
        drafts.sort_by(|a, b| a.rank.cmp(&b.rank));
        let mut builder = Builder::default();
        for draft in &drafts {
            let names = hostnames.get(draft.route).map_or(&[][..], Vec::as_slice);
            builder.insert(draft, names).map_err(|kind| CompileError {
                route: draft.route,
                match_index: Some(draft.match_index),
                kind,
            })?;
        }
        Ok(builder.finish())
    }

    /// The match that wins for this head; `None` if nothing matches. Allocates nothing.
    #[inline]
    pub fn find(&self, head: &RequestHead) -> Option<Match> {
        let compiled = &*self.compiled;
        let path = head.path();
        let mut search = Search {
            trees: &compiled.trees,
            rules: &compiled.rules,
            patterns: &self.patterns,
            head,
            best: NO_RULE,
        };
        compiled.hosts.first(head.authority(), |number| {
            let paths = compiled.paths.get(number as usize)?;
            paths.search(path, &mut search);
            let rule = compiled.rules.get(search.best as usize)?;
            Some(Match { route: rule.route, matched: rule.matched, rule: search.best })
        })
    }

    /// Names and undecoded values of the parameters, in the template's order; `path` is that of the
    /// head. Empty if the path was not matched by a template.
    pub fn parameters<'a>(
        &'a self,
        found: &Match,
        path: &'a [u8],
    ) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let rule = self.compiled.rules.get(found.rule as usize);
        rule.into_iter().flat_map(move |rule| {
            let names = rule.parameters.names().iter();
            let values = rule.parameters.locate(path);
            names.zip(values).map(|(name, range)| (&**name, path.get(range).unwrap_or(&[])))
        })
    }
}

impl Paths {
    #[inline]
    fn search(&self, path: &[u8], search: &mut Search<'_>) {
        if !self.exact.is_empty()
            && let Some(rules) = self.exact.get(path)
        {
            search.consider(rules);
            // Nothing ranks above an exact path.
            if search.best != NO_RULE {
                return;
            }
        }
        search.walk(self.root, path);
        if !self.regexes.is_empty() {
            let patterns = search.patterns;
            self.regexes.visit(
                patterns,
                path,
                search,
                |search, rule| rule < search.best && search.holds(rule),
                |search, rule| search.best = rule,
            );
        }
    }
}

fn parse_hostnames(route: usize, spec: &RouteSpec) -> Result<Vec<Hostname>, CompileError> {
    if spec.hostnames.is_empty() {
        return Ok(vec![Hostname::Any]);
    }
    let parsed = spec.hostnames.iter().map(|text| Hostname::parse(text));
    parsed.collect::<Result<_, _>>().map_err(|kind| CompileError { route, match_index: None, kind })
}

/// Checks a path; gives the template of those that have segments.
fn parse_path(path: &PathSpec) -> Result<Option<Template>, CompileErrorKind> {
    match path {
        PathSpec::Exact(text) if text == "*" => Ok(None),
        PathSpec::Exact(text) if text.contains(['?', '#']) => {
            Err(CompileErrorKind::Path(text.clone()))
        }
        PathSpec::Exact(text) => check_path(text).map(|_| None),
        PathSpec::Prefix(text) if text.contains(['?', '#']) => {
            Err(CompileErrorKind::Path(text.clone()))
        }
        PathSpec::Prefix(text) => Template::of_prefix(text).map(Some),
        PathSpec::Template(text) => Template::parse(text).map(Some),
        PathSpec::Regex(_) => Ok(None),
    }
}

#[derive(Default)]
struct Builder {
    compiled: Compiled,
    trees: TreesBuilder,
    /// By the number of the hostname's paths.
    regexes: HashMap<u32, Vec<KeyedPattern>, foldhash::fast::FixedState>,
    patterns: PatternsBuilder,
}

/// A path ready to be entered for each hostname.
enum Entry<'a> {
    Exact(&'a str),
    Regex(PatternId, Vec<u8>),
    Tree(Vec<PreparedSegment>, End),
}

/// A segment with its pattern and the literal begin of that.
type PreparedSegment = (Segment, Option<(PatternId, Vec<u8>)>);

impl Builder {
    fn insert(
        &mut self,
        draft: &Draft<'_>,
        hostnames: &[Hostname],
    ) -> Result<(), CompileErrorKind> {
        let number = |n: usize| u32::try_from(n).map_err(|_| CompileErrorKind::TooManyMatches);
        let rule = number(self.compiled.rules.len())?;
        let entry = self.entry(draft)?;
        for hostname in hostnames {
            self.enter(hostname, &entry, rule);
        }
        self.compiled.rules.push(Rule {
            route: number(draft.route)?,
            matched: number(draft.match_index)?,
            conditions: Conditions::compile_any(draft.spec, &mut self.patterns)?,
            parameters: draft.template.as_ref().map(Parameters::of).unwrap_or_default(),
        });
        Ok(())
    }

    fn entry<'a>(&mut self, draft: &'a Draft<'_>) -> Result<Entry<'a>, CompileErrorKind> {
        let template = match (&draft.spec.path, &draft.template) {
            (PathSpec::Exact(text), _) => return Ok(Entry::Exact(text)),
            (PathSpec::Regex(text), _) => {
                let (id, prefix) = self.patterns.intern(text)?;
                return Ok(Entry::Regex(id, prefix));
            }
            (_, Some(template)) => template,
            (PathSpec::Prefix(text) | PathSpec::Template(text), None) => {
                return Err(CompileErrorKind::Path(text.clone()));
            }
        };
        let end = match &draft.spec.path {
            PathSpec::Prefix(_) => End::Prefix,
            _ if template.has_rest() => End::Rest,
            _ => End::Here,
        };
        let mut steps = Vec::new();
        for segment in &template.segments {
            let pattern = match segment {
                Segment::Parameter { pattern: Some(text), .. } => Some(self.patterns.intern(text)?),
                _ => None,
            };
            steps.push((segment.clone(), pattern));
        }
        Ok(Entry::Tree(steps, end))
    }

    fn enter(&mut self, hostname: &Hostname, entry: &Entry<'_>, rule: u32) {
        let Compiled { hosts, paths, .. } = &mut self.compiled;
        let number = hosts.entry(hostname, || {
            paths.push(Paths { root: self.trees.plant(), ..Paths::default() });
            (paths.len() - 1) as u32
        });
        let Some(paths) = paths.get_mut(number as usize) else { return };
        match entry {
            Entry::Exact(text) => {
                paths.exact.entry(text.as_bytes().into()).or_default().push(rule);
            }
            Entry::Regex(id, begin) => {
                self.regexes.entry(number).or_default().push(KeyedPattern {
                    begin: begin.clone(),
                    id: *id,
                    value: rule,
                });
            }
            Entry::Tree(segments, end) => {
                let steps: Vec<Step<'_>> = segments.iter().filter_map(step).collect();
                self.trees.insert(paths.root, &steps, *end, rule);
            }
        }
    }

    fn finish(mut self) -> RouteTable {
        self.compiled.trees = self.trees.finish();
        for (number, regexes) in &self.regexes {
            if let Some(paths) = self.compiled.paths.get_mut(*number as usize) {
                paths.regexes = PatternIndex::build(regexes);
            }
        }
        RouteTable { compiled: Arc::new(self.compiled), patterns: self.patterns.finish() }
    }
}

fn step((segment, pattern): &PreparedSegment) -> Option<Step<'_>> {
    match (segment, pattern) {
        (Segment::Literal(text), _) => Some(Step::Literal(text)),
        (Segment::Parameter { .. }, Some((id, prefix))) => Some(Step::Pattern(*id, prefix)),
        (Segment::Parameter { .. }, None) => Some(Step::AnySegment),
        (Segment::Rest { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests;
