//! Parts of payloads: the same exports with fewer resources, metrics and points.
//!
//! Works on the protobuf itself: what is kept keeps its bytes, unknown fields included; only the lengths around it are
//! written anew. A metric, scope or resource of which nothing is left goes, too.

use super::messages::resource;
use super::wire::{DecodeError, length, skip, varint};
use crate::model::{Nanos, Value, clamp_time};
use prost::encoding::encode_varint;
use std::ops::Range;

/// What is kept of an export. The default keeps everything.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Points of this time and later.
    pub from: Option<Nanos>,
    /// Points of this time and earlier.
    pub to: Option<Nanos>,
    /// Resources whose `service.name` is one of these; all when there is none.
    pub services: Vec<NamePattern>,
    /// Metrics whose name is one of these; all when there is none.
    pub metrics: Vec<NamePattern>,
}

/// A name, in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// A pattern from its text.
    pub fn new(text: impl Into<String>) -> Self {
        NamePattern(text.into())
    }

    /// True when the pattern matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(start) else { return false };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The earliest position of each part leaves the most room for the parts behind it.
        for part in middle.split('*') {
            match name.find(part) {
                Some(found) => name = &name[found + part.len()..],
                None => return false,
            }
        }
        name.ends_with(end)
    }
}

/// What is kept of a payload; `None` when nothing is. A point without a timestamp has the receive time of its export.
pub fn cut(payload: &[u8], received_at: Option<Nanos>, cut: &Cut) -> Result<Option<Vec<u8>>, DecodeError> {
    let cutter = Cutter { payload, received_at, cut };
    cutter.message(0..payload.len(), |tag, part| match tag {
        RESOURCE_METRICS => cutter.resource(part),
        _ => Ok(Fate::Copied),
    })
}

const RESOURCE_METRICS: u64 = 0x0a;
const RESOURCE: u64 = 0x0a;
const SCOPE_METRICS: u64 = 0x12;
const METRIC: u64 = 0x12;
const NAME: u64 = 0x0a;
const DATA_POINT: u64 = 0x0a;
/// The same in every kind of point.
const TIME: u64 = 0x19;

/// What becomes of a field.
enum Fate {
    /// It is copied and does not decide whether its message stays.
    Copied,
    /// It gets this content.
    Rewritten(Vec<u8>),
    Dropped,
}

impl From<Option<Vec<u8>>> for Fate {
    fn from(content: Option<Vec<u8>>) -> Self {
        content.map_or(Fate::Dropped, Fate::Rewritten)
    }
}

struct Cutter<'a> {
    payload: &'a [u8],
    received_at: Option<Nanos>,
    cut: &'a Cut,
}

impl Cutter<'_> {
    fn resource(&self, part: Range<usize>) -> Result<Fate, DecodeError> {
        if !self.cut.services.is_empty() && !self.is_wanted_service(part.clone())? {
            return Ok(Fate::Dropped);
        }
        let rest = self.message(part, |tag, part| match tag {
            SCOPE_METRICS => self.scope(part),
            _ => Ok(Fate::Copied),
        })?;
        Ok(rest.into())
    }

    fn scope(&self, part: Range<usize>) -> Result<Fate, DecodeError> {
        let rest = self.message(part, |tag, part| match tag {
            METRIC => self.metric(part),
            _ => Ok(Fate::Copied),
        })?;
        Ok(rest.into())
    }

    fn metric(&self, part: Range<usize>) -> Result<Fate, DecodeError> {
        if !self.cut.metrics.is_empty() && !self.is_wanted_metric(part.clone())? {
            return Ok(Fate::Dropped);
        }
        let (mut points, mut kept) = (0, 0);
        let rest = self.message(part, |tag, part| match tag {
            // Gauge, sum, histogram, exponential histogram, summary. Temporality and the like stay, so that the metric
            // alone decides whether anything is left.
            0x2a | 0x3a | 0x4a | 0x52 | 0x5a => {
                let mut out = Vec::new();
                self.fields(part, |tag, whole, point| {
                    let is_point = tag == DATA_POINT;
                    let is_wanted = !is_point || self.is_wanted_point(point)?;
                    points += u64::from(is_point);
                    kept += u64::from(is_point && is_wanted);
                    if is_wanted {
                        out.extend_from_slice(&self.payload[whole]);
                    }
                    Ok(())
                })?;
                Ok(Fate::Rewritten(out))
            }
            _ => Ok(Fate::Copied),
        })?;
        Ok(if points == 0 || kept > 0 { rest.into() } else { Fate::Dropped })
    }

    /// The last `service.name` of a resource, which may stand in several parts.
    fn is_wanted_service(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let mut service = None;
        self.fields(part, |tag, _, content| {
            if tag == RESOURCE {
                let attributes = resource(&self.payload[content])?;
                service = attributes.get("service.name").map(Value::to_text).or(service.take());
            }
            Ok(())
        })?;
        Ok(service.is_some_and(|service| self.cut.services.iter().any(|pattern| pattern.matches(&service))))
    }

    fn is_wanted_metric(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let mut name: &[u8] = &[];
        self.fields(part, |tag, _, content| {
            if tag == NAME {
                name = &self.payload[content];
            }
            Ok(())
        })?;
        let name = String::from_utf8_lossy(name);
        Ok(self.cut.metrics.iter().any(|pattern| pattern.matches(&name)))
    }

    fn is_wanted_point(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let (from, to) = (self.cut.from, self.cut.to);
        if from.is_none() && to.is_none() {
            return Ok(true);
        }
        let mut time = 0;
        self.fields(part, |tag, _, content| {
            if let (TIME, Some(bytes)) = (tag, self.payload[content].first_chunk()) {
                time = clamp_time(u64::from_le_bytes(*bytes));
            }
            Ok(())
        })?;
        let time = if time == 0 { self.received_at } else { Some(time) };
        Ok(time.is_none_or(|time| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to)))
    }

    /// What is left of a message. Nothing is, when its fields had a fate of their own and all were dropped.
    fn message(
        &self,
        part: Range<usize>,
        mut fate: impl FnMut(u64, Range<usize>) -> Result<Fate, DecodeError>,
    ) -> Result<Option<Vec<u8>>, DecodeError> {
        let (mut kept, mut dropped) = (false, false);
        let mut out = Vec::new();
        self.fields(part, |tag, whole, content| {
            match fate(tag, content)? {
                Fate::Copied => out.extend_from_slice(&self.payload[whole]),
                Fate::Rewritten(content) => {
                    kept = true;
                    encode_varint(tag, &mut out);
                    encode_varint(content.len() as u64, &mut out);
                    out.extend_from_slice(&content);
                }
                Fate::Dropped => dropped = true,
            }
            Ok(())
        })?;
        Ok((kept || !dropped).then_some(out))
    }

    /// Calls `visit` for every field of a message: its tag, where it is, and where its content is.
    fn fields(
        &self,
        part: Range<usize>,
        mut visit: impl FnMut(u64, Range<usize>, Range<usize>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let (b, mut p) = (&self.payload[..part.end], part.start);
        while p < b.len() {
            let at = p;
            let tag = varint(b, &mut p)?;
            let mut content = p;
            let end = match tag & 7 {
                2 => length(b, &mut content)?,
                _ => skip(b, p, (at, tag), &[], 0)?,
            };
            visit(tag, at..end, content..end)?;
            p = end;
        }
        Ok(())
    }
}
