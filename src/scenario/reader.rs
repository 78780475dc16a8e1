//! Reading nodes as the types they should have, with a positioned problem for everything else.
//!
//! Every method returns `None` after it has noted why, so that the caller reads on and one pass reports all mistakes.
//! Absent on purpose: which keys there are.

use super::tree::{Content, Key, Node};
use crate::definition::{Position, Problem, Severity};
use crate::model::{Attributes, Nanos, SECOND, Value};

/// Longest time a scenario may cover: 400 days.
pub const MAX_SPAN: Nanos = 400 * 24 * 3600 * SECOND;
/// Latest start of a scenario: the year 2100.
const MAX_START: Nanos = 4_102_444_800 * SECOND;

/// Notes problems while nodes are read.
pub struct NodeReader<'a> {
    pub file: &'a str,
    pub text: &'a str,
    pub problems: Vec<Problem>,
}

/// The keys of a mapping, completed by those that a `common` document gives.
pub struct MapFields<'n> {
    pub at: Position,
    pub path: String,
    own: &'n [(Key, Node)],
    common: &'n [(Key, Node)],
}

impl<'n> MapFields<'n> {
    /// The value of a key that is there and not null.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        let found = |map: &'n [(Key, Node)]| map.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        found(self.own).or_else(|| found(self.common)).filter(|node| !matches!(node.content, Content::Null))
    }

    /// The path of a key, for problems.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }
}

impl NodeReader<'_> {
    /// Notes a problem.
    pub fn problem(&mut self, code: &'static str, at: Position, path: &str, message: String, help: Option<String>) {
        self.problems.push(Problem {
            severity: Severity::Error,
            code,
            file: self.file.to_string(),
            position: Some(at),
            path: path.to_string(),
            message,
            help,
        });
    }

    /// Notes that a node is something else than it should be.
    pub fn wanted(&mut self, node: &Node, path: &str, wanted: &str) {
        self.problem("wrong-type", node.at, path, format!("{wanted} is expected here, this is {}", node.what()), None);
    }

    /// The node's keys; each must be one of `known`.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        known: &[&str],
        common: &'n [(Key, Node)],
    ) -> Option<MapFields<'n>> {
        let Content::Map(own) = &node.content else {
            self.wanted(node, path, "a mapping");
            return None;
        };
        for (key, _) in own.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let fields = MapFields { at: node.at, path: path.to_string(), own, common };
            let help = format!("known here: {}", known.join(", "));
            self.problem(
                "unknown-key",
                key.at,
                &fields.path(&key.name),
                format!("unknown key `{}`", key.name),
                Some(help),
            );
        }
        Some(MapFields { at: node.at, path: path.to_string(), own, common })
    }

    /// The value of a key, read by one of the methods below; `None` when it is not there.
    pub fn optional<'n, T>(
        &mut self,
        fields: &MapFields<'n>,
        key: &str,
        read: impl FnOnce(&mut Self, &'n Node, &str) -> Option<T>,
    ) -> Option<T> {
        read(self, fields.get(key)?, &fields.path(key))
    }

    /// The same for a key that must be there.
    pub fn required<'n, T>(
        &mut self,
        fields: &MapFields<'n>,
        key: &str,
        read: impl FnOnce(&mut Self, &'n Node, &str) -> Option<T>,
    ) -> Option<T> {
        if fields.get(key).is_none() {
            self.problem("missing-key", fields.at, &fields.path(key), format!("`{key}` is missing"), None);
        }
        self.optional(fields, key, read)
    }

    /// The values of a list; one value that is no list is read as a list of itself.
    pub fn list<'n, T>(
        &mut self,
        fields: &MapFields<'n>,
        key: &str,
        mut read: impl FnMut(&mut Self, &'n Node, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = fields.get(key) else { return Vec::new() };
        let nodes = match &node.content {
            Content::List(list) => list,
            _ => std::slice::from_ref(node),
        };
        let path = fields.path(key);
        nodes.iter().enumerate().filter_map(|(i, node)| read(self, node, &format!("{path}[{i}]"))).collect()
    }

    /// Texts, each with its position.
    pub fn texts(&mut self, fields: &MapFields<'_>, key: &str) -> Vec<(String, Position)> {
        let path = fields.path(key);
        self.list(fields, key, |reader, node, _| Some((reader.text(node, &path)?.to_string(), node.at)))
    }

    /// A text.
    pub fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        match &node.content {
            Content::Text(text) => Some(text),
            _ => {
                self.wanted(node, path, "a text");
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, node: &Node, path: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, path)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem("unknown-word", node.at, path, format!("`{text}` is not one of {}", known.join(", ")), None);
        }
        found
    }

    /// True or false.
    pub fn flag(&mut self, node: &Node, path: &str) -> Option<bool> {
        if let Content::Bool(v) = node.content {
            return Some(v);
        }
        self.wanted(node, path, "true or false");
        None
    }

    /// A number.
    pub fn number(&mut self, node: &Node, path: &str) -> Option<f64> {
        match node.content {
            Content::Int(v) => Some(v as f64),
            Content::Float(v) => Some(v),
            _ => {
                self.wanted(node, path, "a number");
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, node: &Node, path: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match node.content {
            Content::Int(v) if bounds.contains(&v) => Some(v),
            _ => {
                self.wanted(node, path, &format!("a whole number from {} to {}", bounds.start(), bounds.end()));
                None
            }
        }
    }

    /// A span of time with its unit.
    pub fn duration(&mut self, node: &Node, path: &str) -> Option<Nanos> {
        let text = match &node.content {
            Content::Text(text) => text,
            _ => {
                let help = Some("durations have a unit: 500ms, 10s, 5m, 1h30m".to_string());
                self.problem("bad-duration", node.at, path, "this is no duration".to_string(), help);
                return None;
            }
        };
        let span = humantime::parse_duration(text).ok().and_then(|d| i64::try_from(d.as_nanos()).ok());
        if span.is_none_or(|span| span > MAX_SPAN) {
            let help = Some("durations have a unit: 500ms, 10s, 5m, 1h30m; at most 400 days".to_string());
            self.problem("bad-duration", node.at, path, format!("`{text}` is no duration"), help);
            return None;
        }
        span
    }

    /// A timestamp as RFC 3339 text.
    pub fn timestamp(&mut self, node: &Node, path: &str) -> Option<Nanos> {
        let text = self.text(node, path)?;
        let at = chrono::DateTime::parse_from_rfc3339(text).ok().and_then(|at| at.timestamp_nanos_opt());
        if at.is_none_or(|at| !(0..=MAX_START).contains(&at)) {
            let message = format!("`{text}` is not a time between 1970 and 2100");
            self.problem("bad-instant", node.at, path, message, Some("write 2026-01-01T00:00:00Z".to_string()));
            return None;
        }
        at
    }

    /// Attributes: the mapping's pairs on top of `below`; a null takes a key away.
    pub fn attributes(&mut self, node: Option<&Node>, path: &str, below: &Attributes) -> Attributes {
        let mut pairs: Vec<(String, Value)> = below.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        match node.map(|node| (node, &node.content)) {
            None => {}
            Some((_, Content::Map(map))) => {
                pairs.retain(|(name, _)| {
                    !map.iter().any(|(key, v)| key.name == *name && matches!(v.content, Content::Null))
                });
                let set = map.iter().filter(|(_, v)| !matches!(v.content, Content::Null));
                pairs.extend(set.map(|(key, v)| (key.name.clone(), v.to_value())));
            }
            Some((node, _)) => self.wanted(node, path, "a mapping"),
        }
        Attributes::new(pairs)
    }

    /// The spelling of a scalar: its text, or for a number the way it was written.
    pub fn spelling<'n>(&mut self, node: &'n Node, path: &str) -> Option<std::borrow::Cow<'n, str>> {
        match &node.content {
            Content::Text(text) => Some(text.into()),
            Content::Int(_) | Content::Float(_) => {
                self.text.get(node.source.0..node.source.1).map(|text| text.to_string().into())
            }
            _ => {
                self.wanted(node, path, "values such as `0+10x60 _x2 7`");
                None
            }
        }
    }

    /// The place `offset` bytes into a node's text, as far as the source shows it on one line.
    pub fn inside(&self, node: &Node, text: &str, offset: usize) -> Position {
        let (start, end) = node.source;
        let same = self.text.get(start..end).is_some_and(|source| source == text) && node.at.bytes == node.source;
        let before = text.get(..offset).filter(|before| same && !before.contains('\n'));
        before.map_or(node.at, |before| Position {
            line: node.at.line,
            column: node.at.column + before.chars().count() as u32,
            bytes: (start + offset, end),
        })
    }
}
