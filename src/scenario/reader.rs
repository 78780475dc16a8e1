//! Reading nodes as the types they should have, with a positioned problem for everything else.
//!
//! Every method returns `None` after it has noted why, so that the caller reads on and one pass reports all mistakes.
//! Absent on purpose: which keys there are.

use super::tree::{Content, Key, Node};
use crate::definition::{Position, Problem};
use crate::model::{Attributes, Nanos, SECOND, Value};
use std::cell::RefCell;

/// Longest time a scenario may cover: 400 days.
pub const MAX_SPAN: Nanos = 400 * 24 * 3600 * SECOND;
/// Latest start of a scenario: the year 2100.
const MAX_START: Nanos = 4_102_444_800 * SECOND;

/// A file, and the mistakes that were found in it.
pub struct ScenarioText<'a> {
    pub file: &'a str,
    pub text: &'a str,
    pub problems: RefCell<Vec<Problem>>,
}

impl ScenarioText<'_> {
    /// Notes a problem.
    pub fn problem(&self, code: &'static str, at: Position, path: &str, message: String, help: Option<&str>) {
        let problem = Problem::error(code, self.file, Some(at), path, message);
        self.problems.borrow_mut().push(Problem { help: help.map(str::to_string), ..problem });
    }
}

/// One node, and its path for problems.
#[derive(Clone)]
pub struct NodeReader<'n> {
    pub node: &'n Node,
    pub path: String,
    pub of: &'n ScenarioText<'n>,
}

/// The keys of a mapping, completed by those that a `common` document gives.
pub struct MapFields<'n> {
    pub at: Position,
    path: String,
    own: &'n [(Key, Node)],
    common: &'n [(Key, Node)],
    of: &'n ScenarioText<'n>,
}

impl<'n> MapFields<'n> {
    /// The value of a key that is there and not null.
    pub fn get(&self, name: &str) -> Option<NodeReader<'n>> {
        let found = |map: &'n [(Key, Node)]| map.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        let node = found(self.own).or_else(|| found(self.common))?;
        let path = self.path(name);
        (!matches!(node.content, Content::Null)).then_some(NodeReader { node, path, of: self.of })
    }

    /// The value of a key, read by one of a node's methods; `None` when it is not there.
    pub fn read<T>(&self, key: &str, read: impl FnOnce(&NodeReader<'n>) -> Option<T>) -> Option<T> {
        read(&self.get(key)?)
    }

    /// The same for a key that must be there.
    pub fn required<T>(&self, key: &str, read: impl FnOnce(&NodeReader<'n>) -> Option<T>) -> Option<T> {
        if self.get(key).is_none() {
            self.problem("missing-key", key, format!("`{key}` is missing"), None);
        }
        self.read(key, read)
    }

    /// The values of a list; one value that is no list is read as a list of itself.
    pub fn list(&self, key: &str) -> impl Iterator<Item = NodeReader<'n>> {
        let nodes = match self.get(key).map(|of| of.node) {
            None => &[],
            Some(Node { content: Content::List(list), .. }) => list.as_slice(),
            Some(node) => std::slice::from_ref(node),
        };
        let (path, of) = (self.path(key), self.of);
        nodes.iter().enumerate().map(move |(i, node)| NodeReader { node, path: format!("{path}[{i}]"), of })
    }

    /// Texts, each with its position.
    pub fn texts(&self, key: &str) -> Vec<(String, Position)> {
        let one = |of: NodeReader<'_>| {
            let of = NodeReader { path: self.path(key), ..of };
            Some((of.text()?.to_string(), of.node.at))
        };
        self.list(key).filter_map(one).collect()
    }

    /// Notes a problem of the mapping, about a key.
    pub fn problem(&self, code: &'static str, key: &str, message: impl Into<String>, help: Option<&str>) {
        self.of.problem(code, self.at, &self.path(key), message.into(), help);
    }

    fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }
}

impl<'n> NodeReader<'n> {
    /// Notes a problem; there is no value.
    pub fn problem<T>(&self, code: &'static str, message: impl Into<String>, help: Option<&str>) -> Option<T> {
        self.of.problem(code, self.node.at, &self.path, message.into(), help);
        None
    }

    /// Notes that it is something else than it should be.
    pub fn wanted<T>(&self, wanted: &str) -> Option<T> {
        self.problem("wrong-type", format!("{wanted} is expected here, this is {}", self.node.what()), None)
    }

    /// Its keys; each must be one of `known`, which has blanks between them.
    pub fn fields(&self, known: &str, common: &'n [(Key, Node)]) -> Option<MapFields<'n>> {
        let known: Vec<&str> = known.split(' ').collect();
        let Content::Map(own) = &self.node.content else { return self.wanted("a mapping") };
        let fields = MapFields { at: self.node.at, path: self.path.clone(), own, common, of: self.of };
        for (key, _) in own.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let (message, help) = (format!("unknown key `{}`", key.name), format!("known here: {}", known.join(", ")));
            self.of.problem("unknown-key", key.at, &fields.path(&key.name), message, Some(&help));
        }
        Some(fields)
    }

    /// A text.
    pub fn text(&self) -> Option<&'n str> {
        if let Content::Text(text) = &self.node.content { Some(text) } else { self.wanted("a text") }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem("unknown-word", format!("`{text}` is not one of {}", known.join(", ")), None)
        })
    }

    /// True or false.
    pub fn flag(&self) -> Option<bool> {
        if let Content::Bool(v) = self.node.content { Some(v) } else { self.wanted("true or false") }
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        match self.node.content {
            Content::Int(v) => Some(v as f64),
            Content::Float(v) => Some(v),
            _ => self.wanted("a number"),
        }
    }

    /// A whole number within bounds.
    pub fn whole(&self, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match self.node.content {
            Content::Int(v) if bounds.contains(&v) => Some(v),
            _ => self.wanted(&format!("a whole number from {} to {}", bounds.start(), bounds.end())),
        }
    }

    /// A span of time with its unit.
    pub fn duration(&self) -> Option<Nanos> {
        let Content::Text(text) = &self.node.content else {
            let help = Some("durations have a unit: 500ms, 10s, 5m, 1h30m");
            return self.problem("bad-duration", "this is no duration", help);
        };
        let span = humantime::parse_duration(text).ok().and_then(|d| i64::try_from(d.as_nanos()).ok());
        span.filter(|span| *span <= MAX_SPAN).or_else(|| {
            let help = Some("durations have a unit: 500ms, 10s, 5m, 1h30m; at most 400 days");
            self.problem("bad-duration", format!("`{text}` is no duration"), help)
        })
    }

    /// A timestamp as RFC 3339 text.
    pub fn timestamp(&self) -> Option<Nanos> {
        let text = self.text()?;
        let at = chrono::DateTime::parse_from_rfc3339(text).ok().and_then(|at| at.timestamp_nanos_opt());
        at.filter(|at| (0..=MAX_START).contains(at)).or_else(|| {
            let message = format!("`{text}` is not a time between 1970 and 2100");
            self.problem("bad-instant", message, Some("write 2026-01-01T00:00:00Z"))
        })
    }

    /// Attributes: the mapping's pairs on top of `below`; a null takes a key away.
    pub fn attributes(&self, below: &Attributes) -> Attributes {
        let Content::Map(map) = &self.node.content else { return self.wanted("a mapping").unwrap_or(below.clone()) };
        let is_null = |node: &Node| matches!(node.content, Content::Null);
        let stays = |name: &str| !map.iter().any(|(key, v)| key.name == name && is_null(v));
        let kept = below.iter().filter(|(name, _)| stays(name)).map(|(name, value)| (name.to_string(), value.clone()));
        let set = map.iter().filter(|(_, v)| !is_null(v)).map(|(key, v)| (key.name.clone(), v.to_value()));
        Attributes::new(kept.chain(set).collect::<Vec<(String, Value)>>())
    }

    /// The spelling of a scalar: its text, or for a number the way it was written.
    pub fn spelling(&self) -> Option<&'n str> {
        match &self.node.content {
            Content::Text(text) => Some(text),
            Content::Int(_) | Content::Float(_) => self.of.text.get(self.node.source.0..self.node.source.1),
            _ => self.wanted("values such as `0+10x60 _x2 7`"),
        }
    }

    /// The place `offset` bytes into its text, as far as the source shows it on one line.
    pub fn inside(&self, text: &str, offset: usize) -> Position {
        let (at, (start, end)) = (self.node.at, self.node.source);
        let same = self.of.text.get(start..end).is_some_and(|source| source == text) && at.bytes == (start, end);
        let before = text.get(..offset).filter(|before| same && !before.contains('\n'));
        before.map_or(at, |before| Position {
            line: at.line,
            column: at.column + before.chars().count() as u32,
            bytes: (start + offset, end),
        })
    }
}
