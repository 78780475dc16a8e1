//! JSON whose keys stand in the order in which they are written here, because that order is part of the contract.
//!
//! Doubles are the shortest text that reads back as the same value.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Write};

/// A part of a document.
pub(super) enum JsonNode {
    /// Its key is left out.
    Absent,
    /// A value, or an object whose keys are sorted.
    Value(Value),
    /// A list.
    List(Vec<JsonNode>),
    /// An object.
    Object(Vec<(Cow<'static, str>, JsonNode)>),
}

/// An object with these keys in this order, without those that are [`JsonNode::Absent`].
macro_rules! object {
    { $($key:literal: $value:expr),* $(,)? } => {
        $crate::report::document::JsonNode::Object(vec![$(($key.into(), $crate::report::document::JsonNode::from($value))),*])
    };
}
pub(super) use object;

/// A list of what can be in a document.
pub(super) fn list<T: Into<JsonNode>>(items: impl IntoIterator<Item = T>) -> JsonNode {
    JsonNode::List(items.into_iter().map(Into::into).collect())
}

/// A value whose key is left out when there is none.
pub(super) fn maybe<T: Into<JsonNode>>(value: Option<T>) -> JsonNode {
    value.map_or(JsonNode::Absent, Into::into)
}

/// `null` when there is none.
pub(super) fn or_null(node: Option<JsonNode>) -> JsonNode {
    node.unwrap_or(JsonNode::Value(Value::Null))
}

impl<T: Into<Value>> From<T> for JsonNode {
    fn from(value: T) -> Self {
        JsonNode::Value(value.into())
    }
}

impl Serialize for JsonNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_there = |(_, node): &&(_, JsonNode)| !matches!(node, JsonNode::Absent);
        match self {
            JsonNode::Absent => serializer.serialize_unit(),
            JsonNode::Value(value) => value.serialize(serializer),
            JsonNode::List(nodes) => serializer.collect_seq(nodes),
            JsonNode::Object(fields) => {
                serializer.collect_map(fields.iter().filter(is_there).map(|(key, node)| (key, node)))
            }
        }
    }
}

/// Writes an indented document, and one line's end behind it.
pub(super) fn pretty(out: &mut dyn Write, document: &JsonNode) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}
