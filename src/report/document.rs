//! JSON whose keys stand in the order in which they are written here, because that order is part of the contract.
//!
//! Doubles are the shortest text that reads back as the same value.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{self, Write};

/// A part of a document.
pub(super) enum Node {
    /// Its key is left out.
    Absent,
    /// A value, or an object whose keys are sorted.
    Value(Value),
    /// A list.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(Cow<'static, str>, Node)>),
}

/// An object with these keys in this order, without those that are [`Node::Absent`].
macro_rules! object {
    { $($key:literal: $value:expr),* $(,)? } => {
        $crate::report::document::Node::Object(vec![$(($key.into(), $crate::report::document::Node::from($value))),*])
    };
}
pub(super) use object;

/// A list of what can be in a document.
pub(super) fn list<T: Into<Node>>(items: impl IntoIterator<Item = T>) -> Node {
    Node::List(items.into_iter().map(Into::into).collect())
}

/// A value whose key is left out when there is none.
pub(super) fn maybe<T: Into<Node>>(value: Option<T>) -> Node {
    value.map_or(Node::Absent, Into::into)
}

/// `null` when there is none.
pub(super) fn or_null(node: Option<Node>) -> Node {
    node.unwrap_or(Node::Value(Value::Null))
}

impl<T: Into<Value>> From<T> for Node {
    fn from(value: T) -> Self {
        Node::Value(value.into())
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_there = |(_, node): &&(_, Node)| !matches!(node, Node::Absent);
        match self {
            Node::Absent => serializer.serialize_unit(),
            Node::Value(value) => value.serialize(serializer),
            Node::List(nodes) => serializer.collect_seq(nodes),
            Node::Object(fields) => {
                serializer.collect_map(fields.iter().filter(is_there).map(|(key, node)| (key, node)))
            }
        }
    }
}

/// Writes an indented document, and one line's end behind it.
pub(super) fn pretty(out: &mut dyn Write, document: &Node) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}
