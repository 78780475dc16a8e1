//! Attributes and texts: what is owned once a resource, a metric or a series is seen for the first time.
//!
//! Text that is not UTF-8 is read with replacement characters. Parts of a value that occur several times are merged as
//! protobuf says: the last member set counts, an array or map that is set again goes on. The references into a string
//! table that profiles use have no meaning in metrics and are read as values that were not set.

use super::DecodeError;
use super::wire::{FIXED64, LEN, MAX_DEPTH, NONE, VARINT, Wire, double, error, length, skip, varint};
use crate::model::{Attributes, Value};

const RESOURCE: &[Wire] = &[NONE, LEN, VARINT, LEN];
const KEY_VALUE: &[Wire] = &[NONE, LEN, LEN, VARINT];
const ANY_VALUE: &[Wire] = &[NONE, LEN, VARINT, VARINT, FIXED64, LEN, LEN, LEN, VARINT];
const LIST: &[Wire] = &[NONE, LEN];

/// Depths below the request.
const RESOURCE_DEPTH: u32 = 2;
const POINT_DEPTH: u32 = 5;
const METRIC_DEPTH: u32 = 3;

/// The attributes of a `Resource` message.
pub(super) fn read_resource(b: &[u8]) -> Result<Attributes, DecodeError> {
    let mut pairs = Vec::new();
    let mut p = 0;
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x0a => {
                let end = length(b, &mut p)?;
                pairs.push(key_value(&b[..end], p, RESOURCE_DEPTH + 1)?);
                p = end;
            }
            tag => p = skip(b, p, (at, tag), RESOURCE, RESOURCE_DEPTH)?,
        }
    }
    Ok(Attributes::new(pairs))
}

/// The attributes of a point. The field number differs between the kinds of points and is not looked at.
pub(super) fn read_attributes(b: &[u8]) -> Result<Attributes, DecodeError> {
    let mut pairs = Vec::new();
    let mut p = 0;
    while p < b.len() {
        let at = p;
        if varint(b, &mut p)? & 7 != 2 {
            return Err(error("an attribute with the wrong wire type", at));
        }
        let end = length(b, &mut p)?;
        pairs.push(key_value(&b[..end], p, POINT_DEPTH + 1)?);
        p = end;
    }
    Ok(Attributes::new(pairs))
}

/// Number of fields; what cannot be read ends the count.
pub(super) fn count(b: &[u8]) -> usize {
    let mut n = 0;
    let mut p = 0;
    while p < b.len() {
        let at = p;
        let end = varint(b, &mut p).and_then(|tag| skip(b, p, (at, tag), &[], POINT_DEPTH));
        let Ok(end) = end else { break };
        p = end;
        n += 1;
    }
    n
}

/// Unit and description of a `Metric` message; empty where the bytes cannot be read.
pub(super) fn read_metric_text(b: &[u8]) -> (String, String) {
    let (mut unit, mut description) = (String::new(), String::new());
    let mut p = 0;
    let mut fields = || -> Result<(), DecodeError> {
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x12 => description = text(b, &mut p)?,
                0x1a => unit = text(b, &mut p)?,
                tag => p = skip(b, p, (at, tag), super::walk::METRIC, METRIC_DEPTH)?,
            }
        }
        Ok(())
    };
    // The message was walked before, so an error means that the bytes are not a metric: there is no text to give then.
    let _ = fields();
    (unit, description)
}

fn text(b: &[u8], p: &mut usize) -> Result<String, DecodeError> {
    let end = length(b, p)?;
    let text = String::from_utf8_lossy(&b[*p..end]).into_owned();
    *p = end;
    Ok(text)
}

fn key_value(b: &[u8], mut p: usize, depth: u32) -> Result<(String, Value), DecodeError> {
    too_deep(depth, p)?;
    let mut key = String::new();
    let mut draft = Draft::Scalar(Value::Null);
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x0a => key = text(b, &mut p)?,
            0x12 => {
                let end = length(b, &mut p)?;
                draft.merge(&b[..end], p, depth + 1)?;
                p = end;
            }
            tag => p = skip(b, p, (at, tag), KEY_VALUE, depth)?,
        }
    }
    Ok((key, draft.finish()))
}

fn too_deep(depth: u32, at: usize) -> Result<(), DecodeError> {
    if depth > MAX_DEPTH { Err(error("values nested too deeply", at)) } else { Ok(()) }
}

/// A value that may still go on.
enum Draft {
    Scalar(Value),
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Draft {
    fn finish(self) -> Value {
        match self {
            Draft::Scalar(value) => value,
            Draft::Array(values) => Value::Array(values),
            Draft::Map(pairs) => Value::Map(Attributes::new(pairs)),
        }
    }

    /// Takes in (a further part of) an `AnyValue`.
    fn merge(&mut self, b: &[u8], mut p: usize, depth: u32) -> Result<(), DecodeError> {
        too_deep(depth, p)?;
        while p < b.len() {
            let at = p;
            let scalar = match varint(b, &mut p)? {
                0x0a => Value::String(text(b, &mut p)?),
                0x10 => Value::Bool(varint(b, &mut p)? != 0),
                0x18 => Value::Int(varint(b, &mut p)? as i64),
                0x21 => Value::Double(double(b, &mut p)?),
                0x3a => {
                    let end = length(b, &mut p)?;
                    let bytes = b[p..end].to_vec();
                    p = end;
                    Value::Bytes(bytes)
                }
                0x40 => {
                    varint(b, &mut p)?;
                    Value::Null
                }
                tag @ (0x2a | 0x32) => {
                    let end = length(b, &mut p)?;
                    self.merge_list(&b[..end], p, depth + 1, tag == 0x2a)?;
                    p = end;
                    continue;
                }
                tag => {
                    p = skip(b, p, (at, tag), ANY_VALUE, depth)?;
                    continue;
                }
            };
            *self = Draft::Scalar(scalar);
        }
        Ok(())
    }

    /// Takes in (a further part of) an `ArrayValue` or a `KeyValueList`.
    fn merge_list(&mut self, b: &[u8], mut p: usize, depth: u32, array: bool) -> Result<(), DecodeError> {
        too_deep(depth, p)?;
        match self {
            Draft::Array(_) if array => {}
            Draft::Map(_) if !array => {}
            _ => *self = if array { Draft::Array(Vec::new()) } else { Draft::Map(Vec::new()) },
        }
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    match self {
                        Draft::Array(values) => {
                            let mut value = Draft::Scalar(Value::Null);
                            value.merge(&b[..end], p, depth + 1)?;
                            values.push(value.finish());
                        }
                        Draft::Map(pairs) => pairs.push(key_value(&b[..end], p, depth + 1)?),
                        Draft::Scalar(_) => {}
                    }
                    p = end;
                }
                tag => p = skip(b, p, (at, tag), LIST, depth)?,
            }
        }
        Ok(())
    }
}
