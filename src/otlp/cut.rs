//! Parts of payloads: the same exports with fewer resources, metrics and points.
//!
//! Works on the protobuf itself: what is kept keeps its bytes, unknown fields included; only the lengths around it are
//! written anew. A metric, scope or resource of which nothing is left goes, too.

use super::messages::resource;
use super::size::DATA;
use super::wire::{DecodeError, fields};
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
    cutter.message(0..payload.len(), &[RESOURCE_METRICS], |part| cutter.resource(part))
}

const RESOURCE_METRICS: u64 = 0x0a;
const RESOURCE: u64 = 0x0a;
const SCOPE_METRICS: u64 = 0x12;
const METRIC: u64 = 0x12;
const NAME: u64 = 0x0a;
const DATA_POINT: u64 = 0x0a;
/// The same in every kind of point.
const TIME: u64 = 0x19;

struct Cutter<'a> {
    payload: &'a [u8],
    received_at: Option<Nanos>,
    cut: &'a Cut,
}

/// What is left of a message; `None` when nothing is.
type Rest = Result<Option<Vec<u8>>, DecodeError>;

impl Cutter<'_> {
    fn resource(&self, part: Range<usize>) -> Rest {
        if !self.cut.services.is_empty() && !self.is_wanted_service(part.clone())? {
            return Ok(None);
        }
        self.message(part, &[SCOPE_METRICS], |scope| self.message(scope, &[METRIC], |metric| self.metric(metric)))
    }

    fn metric(&self, part: Range<usize>) -> Rest {
        if !self.cut.metrics.is_empty() && !self.is_wanted_metric(part.clone())? {
            return Ok(None);
        }
        let (mut points, mut kept) = (0, 0);
        let rest = self.message(part, &DATA, |data| {
            let mut out = Vec::new();
            for field in fields(&self.payload[..data.end], data.start) {
                let field = field?;
                let is_point = field.tag == DATA_POINT;
                let is_wanted = !is_point || self.is_wanted_point(field.content..field.end)?;
                points += u64::from(is_point);
                kept += u64::from(is_point && is_wanted);
                if is_wanted {
                    out.extend_from_slice(&self.payload[field.start..field.end]);
                }
            }
            // Temporality and the like stay, so that the metric alone decides whether anything is left.
            Ok(Some(out))
        })?;
        Ok(rest.filter(|_| points == 0 || kept > 0))
    }

    /// Looks at the last `service.name` of a resource, which may stand in several parts.
    fn is_wanted_service(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let mut service = None;
        for content in self.contents(part, RESOURCE) {
            service = resource(content?)?.get("service.name").map(Value::to_text).or(service);
        }
        Ok(service.is_some_and(|service| self.cut.services.iter().any(|pattern| pattern.matches(&service))))
    }

    fn is_wanted_metric(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let name = self.contents(part, NAME).last().transpose()?.unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        Ok(self.cut.metrics.iter().any(|pattern| pattern.matches(&name)))
    }

    fn is_wanted_point(&self, part: Range<usize>) -> Result<bool, DecodeError> {
        let (from, to) = (self.cut.from, self.cut.to);
        if from.is_none() && to.is_none() {
            return Ok(true);
        }
        let time = self.contents(part, TIME).last().transpose()?.and_then(|bytes| bytes.first_chunk());
        let time = time.map_or(0, |bytes| clamp_time(u64::from_le_bytes(*bytes)));
        let time = if time == 0 { self.received_at } else { Some(time) };
        Ok(time.is_none_or(|time| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to)))
    }

    /// The content of every field of a message with this tag.
    fn contents(&self, part: Range<usize>, tag: u64) -> impl Iterator<Item = Result<&[u8], DecodeError>> {
        let all = fields(&self.payload[..part.end], part.start);
        let wanted = all.filter(move |field| field.as_ref().map_or(true, |field| field.tag == tag));
        wanted.map(|field| field.map(|field| &self.payload[field.content..field.end]))
    }

    /// What is left of a message when its fields with one of these tags get the content that `rest` gives and the others are
    /// copied. Nothing is, when it has such fields and nothing is left of any.
    fn message(&self, part: Range<usize>, tags: &[u64], mut rest: impl FnMut(Range<usize>) -> Rest) -> Rest {
        let (mut kept, mut dropped) = (false, false);
        let mut out = Vec::new();
        for field in fields(&self.payload[..part.end], part.start) {
            let field = field?;
            if !tags.contains(&field.tag) {
                out.extend_from_slice(&self.payload[field.start..field.end]);
            } else if let Some(content) = rest(field.content..field.end)? {
                kept = true;
                encode_varint(field.tag, &mut out);
                encode_varint(content.len() as u64, &mut out);
                out.extend_from_slice(&content);
            } else {
                dropped = true;
            }
        }
        Ok((kept || !dropped).then_some(out))
    }
}
