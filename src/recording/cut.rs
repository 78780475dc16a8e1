//! Parts of recordings: the same bodies with fewer resources, metrics and points.
//!
//! Works on the protobuf itself: what is kept keeps its bytes, unknown fields included; only lengths around what was left
//! out are written anew. A metric, scope or resource of which nothing is left goes, too. Instants of arrival are the
//! caller's to keep.

use super::fields::{Field, FieldError, FieldValue, field};
use crate::model::{Attributes, Nanos, Value, clamp_time};
use crate::otlp::{self, DecodeError};
use std::ops::Range;

/// What is kept of a recording. The default keeps everything.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Points of this time and later.
    pub from: Option<Nanos>,
    /// Points of this time and earlier.
    pub to: Option<Nanos>,
    /// Resources whose `service.name` is one of these; all when there is none.
    pub services: Vec<Pattern>,
    /// Metrics whose name is one of these; all when there is none.
    pub metrics: Vec<Pattern>,
}

/// A name, in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Pattern(text.into())
    }

    /// True when the whole name is as the pattern says.
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The earliest place of each part leaves the most room for the parts behind it.
        for part in middle.split('*') {
            match name.find(part) {
                Some(found) => name = &name[found + part.len()..],
                None => return false,
            }
        }
        name.ends_with(end)
    }
}

/// Writes what is kept of a body behind what `out` holds; says whether any of it is. A point without a time of its own
/// has the time of its arrival. After an error `out` may hold a part.
pub fn cut(body: &[u8], at: Option<Nanos>, cut: &Cut, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
    Cutter { body, at, cut }.request(out)
}

struct Cutter<'a> {
    body: &'a [u8],
    at: Option<Nanos>,
    cut: &'a Cut,
}

// Numbers of the fields that are looked into.
const RESOURCE_METRICS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_METRICS: u32 = 2;
const METRICS: u32 = 2;
const NAME: u32 = 1;
/// Gauge, sum, histogram, exponential histogram, summary.
const DATA: [u32; 5] = [5, 7, 9, 10, 11];
const DATA_POINTS: u32 = 1;
/// The same in every kind of point.
const TIME: u32 = 3;

impl Cutter<'_> {
    fn request(&self, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        self.message(0..self.body.len(), out, |number, value, out| match number {
            RESOURCE_METRICS => self.part(number, out, |out| self.resource(value, out)).map(Some),
            _ => Ok(None),
        })
    }

    fn resource(&self, span: Range<usize>, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        if !self.cut.services.is_empty() && !self.is_wanted_service(span.clone())? {
            return Ok(false);
        }
        self.message(span, out, |number, value, out| match number {
            SCOPE_METRICS => self.part(number, out, |out| self.scope(value, out)).map(Some),
            _ => Ok(None),
        })
    }

    fn scope(&self, span: Range<usize>, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        self.message(span, out, |number, value, out| match number {
            METRICS => self.part(number, out, |out| self.metric(value, out)).map(Some),
            _ => Ok(None),
        })
    }

    fn metric(&self, span: Range<usize>, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        if !self.cut.metrics.is_empty() && !self.is_wanted_metric(span.clone())? {
            return Ok(false);
        }
        let (mut points, mut kept) = (0, 0);
        self.message(span, out, |number, value, out| {
            if !DATA.contains(&number) {
                return Ok(None);
            }
            // Temporality and the like stay, so that the metric alone decides whether anything is left.
            let data = |out: &mut Vec<u8>| {
                self.message(value, out, |number, point, out| {
                    if number != DATA_POINTS {
                        return Ok(None);
                    }
                    points += 1;
                    let wanted = self.is_wanted_point(point.clone())?;
                    kept += u64::from(wanted);
                    self.part(number, out, |out| {
                        out.extend_from_slice(&self.body[point]);
                        Ok(wanted)
                    })
                    .map(Some)
                })?;
                Ok(true)
            };
            self.part(number, out, data).map(Some)
        })?;
        Ok(points == 0 || kept > 0)
    }

    /// The last `service.name` of a resource, which may stand in several parts.
    fn is_wanted_service(&self, span: Range<usize>) -> Result<bool, DecodeError> {
        let mut service = None;
        self.fields(span, |field| {
            if let (RESOURCE, FieldValue::Bytes(value)) = (field.number, field.value) {
                let attributes: Attributes = otlp::resource(&self.body[value])?;
                service = attributes.get("service.name").map(Value::to_text).or(service.take());
            }
            Ok(())
        })?;
        Ok(service.is_some_and(|service| self.cut.services.iter().any(|pattern| pattern.matches(&service))))
    }

    fn is_wanted_metric(&self, span: Range<usize>) -> Result<bool, DecodeError> {
        let mut name: &[u8] = &[];
        self.fields(span, |field| {
            if let (NAME, FieldValue::Bytes(value)) = (field.number, field.value) {
                name = &self.body[value];
            }
            Ok(())
        })?;
        let name = String::from_utf8_lossy(name);
        Ok(self.cut.metrics.iter().any(|pattern| pattern.matches(&name)))
    }

    fn is_wanted_point(&self, span: Range<usize>) -> Result<bool, DecodeError> {
        if self.cut.from.is_none() && self.cut.to.is_none() {
            return Ok(true);
        }
        let mut time = 0;
        self.fields(span, |field| {
            if let (TIME, FieldValue::Fixed64(value)) = (field.number, field.value) {
                time = clamp_time(value);
            }
            Ok(())
        })?;
        let time = if time == 0 { self.at } else { Some(time) };
        Ok(time.is_none_or(|time| {
            self.cut.from.is_none_or(|from| time >= from) && self.cut.to.is_none_or(|to| time <= to)
        }))
    }

    /// Copies the fields of a message; those `child` takes on it writes itself, and says whether it kept anything. True
    /// unless there were such fields and nothing is left of them.
    fn message(
        &self,
        span: Range<usize>,
        out: &mut Vec<u8>,
        mut child: impl FnMut(u32, Range<usize>, &mut Vec<u8>) -> Result<Option<bool>, DecodeError>,
    ) -> Result<bool, DecodeError> {
        let (mut kept, mut dropped) = (false, false);
        self.fields(span, |field| {
            let fate = match field.value {
                FieldValue::Bytes(value) => child(field.number, value, out)?,
                _ => None,
            };
            match fate {
                Some(true) => kept = true,
                Some(false) => dropped = true,
                None => out.extend_from_slice(&self.body[field.whole]),
            }
            Ok(())
        })?;
        Ok(kept || !dropped)
    }

    /// Writes a field with a length whose content is not known before it is written, unless nothing of it is kept.
    fn part(
        &self,
        number: u32,
        out: &mut Vec<u8>,
        content: impl FnOnce(&mut Vec<u8>) -> Result<bool, DecodeError>,
    ) -> Result<bool, DecodeError> {
        let mark = out.len();
        // All numbers in question are below 16: one byte.
        out.push((number << 3 | 2) as u8);
        let start = out.len();
        let kept = content(out)?;
        if !kept {
            out.truncate(mark);
            return Ok(false);
        }
        let mut length = out.len() - start;
        let mut digits = Vec::with_capacity(5);
        while length >= 0x80 {
            digits.push(length as u8 | 0x80);
            length >>= 7;
        }
        digits.push(length as u8);
        out.splice(start..start, digits);
        Ok(true)
    }

    /// Visits the fields of a message one after the other.
    fn fields(
        &self,
        span: Range<usize>,
        mut visit: impl FnMut(Field) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut at = span.start;
        while at < span.end {
            let field = field(&self.body[..span.end], at).map_err(|error| {
                let what = match error {
                    FieldError::Cut => "the message ends inside a field",
                    FieldError::Invalid => "bytes that are no field",
                };
                DecodeError { what, offset: at }
            })?;
            at = field.whole.end;
            visit(field)?;
        }
        Ok(())
    }
}
