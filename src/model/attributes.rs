//! Attribute values and sets, with the types that were received.
//!
//! A set is sorted by key and holds each key once (of a repeated key the last one), so equal sets compare equal
//! whatever their order on the wire.

use base64::Engine as _;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

/// One attribute value, as OTLP's `AnyValue`.
#[derive(Clone, Debug)]
pub enum Value {
    /// A value that was not set.
    Null,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A double; compared bit by bit.
    Double(f64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list of values.
    Array(Vec<Value>),
    /// A nested set of attributes.
    Map(Attributes),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal values have the same text.
        self.to_text().hash(state);
    }
}

impl Value {
    /// The value as JSON, with the type that was received; bytes as base64 text, non-finite doubles as text.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::String(v) => Json::from(v.as_str()),
            Value::Bool(v) => Json::from(*v),
            Value::Int(v) => Json::from(*v),
            Value::Double(v) => {
                serde_json::Number::from_f64(*v).map_or_else(|| Json::from(non_finite(*v)), Json::Number)
            }
            Value::Bytes(v) => Json::from(base64(v)),
            Value::Array(v) => Json::Array(v.iter().map(Value::to_json).collect()),
            Value::Map(v) => v.to_json(),
        }
    }

    /// The value as the text that metric ids and queries compare with: integers in decimal, doubles in the shortest
    /// form with a point (`1.0`), `true`/`false`, `null`, arrays and maps as JSON.
    pub fn to_text(&self) -> String {
        match self {
            Value::String(v) => v.clone(),
            Value::Double(v) if !v.is_finite() => non_finite(*v).to_string(),
            Value::Double(v) => format!("{v:?}"),
            Value::Bytes(v) => base64(v),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Array(_) | Value::Map(_) => {
                self.to_json().to_string()
            }
        }
    }
}

fn non_finite(v: f64) -> &'static str {
    if v.is_nan() {
        "NaN"
    } else if v > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A set of attributes, sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(Vec<(String, Value)>);

impl Attributes {
    /// A set from pairs in any order; of a repeated key the last pair counts.
    pub fn new(mut pairs: Vec<(String, Value)>) -> Self {
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        Attributes(pairs)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok().map(|i| &self.0[i].1)
    }

    /// The pairs in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set as a JSON object with its keys in order.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(self.0.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
    }

    /// The set as `{key="value",…}`, the form of a metric id's suffix; quotes and backslashes are escaped.
    pub fn to_suffix(&self) -> String {
        let mut out = String::from("{");
        for (i, (key, value)) in self.iter().enumerate() {
            let text = value.to_text().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(out, "{}{key}=\"{text}\"", if i > 0 { "," } else { "" });
        }
        out.push('}');
        out
    }
}
