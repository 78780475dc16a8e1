//! YAML text as a tree in which every key and value has its position.
//!
//! Owns the walk from text to nodes, their conversion to attribute values and JSON, and reading them as the types they should
//! have, with a positioned problem for everything else. The tree keeps the order and the
//! types of the text; a duplicate key in a mapping is an error. Absent on purpose: what the keys mean.
//! Reading into a tree instead of typed structs is what lets one pass report every mistake with its position, instead of
//! the first one: every method of a reader returns `None` after it has noted why, so that the caller reads on. Aliases are bounded so
//! that a text cannot grow beyond a small multiple of itself.

use crate::definition::{Position, Problem};
use crate::model::{Attributes, Nanos, SECOND, Value};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::cell::RefCell;
use std::fmt;

/// Nesting that no sensible scenario reaches; bounds the stack.
const MAX_DEPTH: usize = 32;
/// A text longer than this is not a scenario.
const MAX_BYTES: usize = 8 << 20;

/// One value of the text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it holds.
    pub content: Content,
    /// Its text in the source, as byte offsets: numbers lose their spelling otherwise (`0x10` is read as 16).
    pub source: (usize, usize),
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and its position.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub at: Position,
    pub name: String,
}

/// The documents of a text. Empty documents are left out. An error is a sentence about what is no YAML, or more of it than is
/// read, and its place when that is known.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, (Option<Position>, String)> {
    if text.len() > MAX_BYTES {
        return Err((None, format!("longer than {} MiB", MAX_BYTES >> 20)));
    }
    let events = text.len() + 64;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: events.saturating_mul(2),
            max_nodes: events.saturating_mul(2),
            max_recorded_anchor_events: events,
            max_recorded_anchor_bytes: events,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: events,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options::<Spanned<Content>>(text, options)
        .map(|nodes| nodes.into_iter().map(Node::from).collect())
        .map_err(|error| {
            let at = error.location().and_then(position);
            let message = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
            // The scanner's errors carry their position in the message only.
            match position_in_message(&message, text) {
                Some((sentence, at)) => (Some(at), sentence.to_string()),
                None => (at, message),
            }
        })
}

/// The sentence before ` at line 3, column 14`, and that place.
fn position_in_message<'m>(message: &'m str, text: &str) -> Option<(&'m str, Position)> {
    let (sentence, place) = message.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(", column ")?;
    let (line, column) = (line.parse::<u32>().ok()?, column.parse::<u32>().ok()?);
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)? as usize).map(str::len).sum();
    let inside = text.get(before..)?.lines().next().unwrap_or_default();
    let offset = inside.char_indices().nth(column.checked_sub(1)? as usize).map_or(inside.len(), |(at, _)| at);
    let bytes = (before + offset, before + offset);
    Some((sentence, Position { line, column, bytes }))
}

impl From<Spanned<Content>> for Node {
    fn from(spanned: Spanned<Content>) -> Self {
        let source = position(spanned.defined).unwrap_or(NOWHERE).bytes;
        Node { at: position(spanned.referenced).unwrap_or(NOWHERE), content: spanned.value, source }
    }
}

const NOWHERE: Position = Position { line: 1, column: 1, bytes: (0, 0) };

fn position(at: Location) -> Option<Position> {
    if at.line() == 0 {
        return None;
    }
    let start = at.span().byte_offset().unwrap_or_default() as usize;
    let length = at.span().byte_len().unwrap_or_default() as usize;
    Some(Position { line: at.line() as u32, column: at.column() as u32, bytes: (start, start.saturating_add(length)) })
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Content, E> {
        Ok(Content::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Content, E> {
        Ok(Content::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Content, E> {
        Ok(i64::try_from(v).map_or(Content::Float(v as f64), Content::Int))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Content, E> {
        Ok(Content::Float(v as f64))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Content, E> {
        Ok(Content::Float(v as f64))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Content, E> {
        Ok(Content::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Content, E> {
        Ok(Content::Text(v.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Content>>()? {
            list.push(Node::from(item));
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = access.next_key::<Spanned<Content>>()? {
            let at = position(key.referenced).unwrap_or(NOWHERE);
            let name = match key.value {
                Content::Text(name) => name,
                Content::Int(v) => v.to_string(),
                Content::Bool(v) => v.to_string(),
                Content::Null => "null".to_string(),
                Content::Float(_) | Content::List(_) | Content::Map(_) => {
                    return Err(de::Error::custom("a key is a text"));
                }
            };
            map.push((Key { at, name }, Node::from(access.next_value::<Spanned<Content>>()?)));
        }
        Ok(Content::Map(map))
    }
}

impl Node {
    /// What kind of value it is, for messages.
    pub fn what(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "true or false",
            Content::Int(_) | Content::Float(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// The node at a path such as `rules[0].aggregation`, or the deepest one that exists on the way.
    pub fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        for step in path.split(['.', '[']).filter(|s| !s.is_empty()) {
            let next = match &node.content {
                Content::Map(map) => map.iter().find(|(key, _)| key.name == step).map(|(_, v)| v),
                Content::List(list) => step.trim_end_matches(']').parse().ok().and_then(|i: usize| list.get(i)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The node as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.content {
            Content::Null => Json::Null,
            Content::Bool(v) => Json::from(*v),
            Content::Int(v) => Json::from(*v),
            Content::Float(v) => Json::from(*v),
            Content::Text(v) => Json::from(v.as_str()),
            Content::List(v) => Json::Array(v.iter().map(Node::to_json).collect()),
            Content::Map(v) => Json::Object(v.iter().map(|(k, n)| (k.name.clone(), n.to_json())).collect()),
        }
    }

    /// The node as an attribute value.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(v) => Value::Bool(*v),
            Content::Int(v) => Value::Int(*v),
            Content::Float(v) => Value::Double(*v),
            Content::Text(v) => Value::String(v.clone()),
            Content::List(v) => Value::Array(v.iter().map(Node::to_value).collect()),
            Content::Map(v) => {
                Value::Map(Attributes::new(v.iter().map(|(k, n)| (k.name.clone(), n.to_value())).collect()))
            }
        }
    }
}

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
