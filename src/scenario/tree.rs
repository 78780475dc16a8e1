//! YAML text as a tree in which every key and value has its position.
//!
//! Owns the walk from text to nodes and their conversion to attribute values and JSON. The tree keeps the order and the
//! types of the text; a duplicate key in a mapping is an error. Absent on purpose: what the keys mean.
//! Reading into a tree instead of typed structs is what lets one pass report every mistake with its position, instead of
//! the first one. Aliases are bounded so that a text cannot grow beyond a small multiple of itself.

use crate::definition::Position;
use crate::model::{Attributes, Value};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
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
