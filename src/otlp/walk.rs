//! The walk over an `ExportMetricsServiceRequest`: one pass, every byte range noted in the [`Export`], nothing copied.
//!
//! Protobuf allows more than encoders write. Fields may come in any order, and a message field that occurs several times
//! stands for the concatenation of its parts (a oneof only while the same member is set again). All of that is read in
//! place, because a metric or a resource is entered into the lists only when its message has ended. Two things must lie
//! together for others to read them as one range: a `Resource` and the attributes of a point. When their parts lie
//! apart, they are copied together behind the payload, inside a field that no schema can have, so that the longer payload still
//! is an encoding of the same message.
//!
//! Resources, attributes, exemplars and texts are not looked into here; histogram points are checked as far as
//! [`super::messages::histogram`] reads them, so that it never fails on what was decoded. Written by hand because it is
//! most of the work of a replay: nothing is copied and nothing allocated.

use super::shape::Shapes;
use super::wire::{
    BUCKETS, DecodeError, EXPONENTIAL, HISTOGRAM, METRIC, NUMBER, POINTS, POINTS_WITH_TEMPORALITY, REQUEST,
    RESOURCE_METRICS, SCOPE, SCOPE_METRICS, SUM, SUMMARY, Wire, double, error, fixed64, length, skip, varint,
};
use crate::model::{Export, Kind, MetricSpan, PointSpan, PointValue, ResourceSpan, Span, Temporality, clamp_time};
use bytes::Bytes;

/// Depth of a `Metric` below the request; the data, its points and their attributes are one deeper each.
const METRIC_DEPTH: u32 = 3;

/// What differs between the points that are not plain numbers.
struct Layout {
    kind: Kind,
    attributes: u64,
    flags: u64,
    fields: &'static [Wire],
}

const EXPLICIT_LAYOUT: Layout = Layout { kind: Kind::Histogram, attributes: 0x4a, flags: 0x50, fields: HISTOGRAM };
const EXPONENTIAL_LAYOUT: Layout =
    Layout { kind: Kind::ExponentialHistogram, attributes: 0x0a, flags: 0x50, fields: EXPONENTIAL };
const SUMMARY_LAYOUT: Layout = Layout { kind: Kind::Summary, attributes: 0x3a, flags: 0x40, fields: SUMMARY };

/// Tag and length before the parts that were copied together: field 19000, of the range that protobuf keeps for its
/// implementations, and a length padded to five bytes because it is known only in the end.
const JOINED_TAG: [u8; 3] = [0xc2, 0xa3, 0x09];
const JOINED_HEADER: usize = JOINED_TAG.len() + 5;

/// Walks a payload into the empty lists of an export. After an error the lists hold a part of it.
pub(super) fn walk(payload: Bytes, export: &mut Export, shapes: Option<&mut Shapes>) -> Result<(), DecodeError> {
    if payload.len() > u32::MAX as usize {
        return Err(error("an export of more than 4 GiB", u32::MAX as usize));
    }
    let mut walker = Walker { export, joined: Vec::new(), joined_at: payload.len() + JOINED_HEADER };
    walker.request(&payload, shapes)?;
    let joined = walker.joined;
    export.payload = if joined.is_empty() { payload } else { append(&payload, &joined)? };
    Ok(())
}

#[cold]
fn append(payload: &[u8], joined: &[u8]) -> Result<Bytes, DecodeError> {
    let total = payload.len() + JOINED_HEADER + joined.len();
    if total > u32::MAX as usize {
        return Err(error("an export of more than 4 GiB", payload.len()));
    }
    let mut whole = Vec::with_capacity(total);
    whole.extend_from_slice(payload);
    whole.extend_from_slice(&JOINED_TAG);
    let n = joined.len() as u64;
    whole.extend((0..5).map(|i| (n >> (7 * i)) as u8 & 0x7f | if i < 4 { 0x80 } else { 0 }));
    whole.extend_from_slice(joined);
    Ok(Bytes::from(whole))
}

struct Walker<'a> {
    export: &'a mut Export,
    /// Parts that lay apart, copied together.
    joined: Vec<u8>,
    /// Where `joined` will begin in the payload.
    joined_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Scope {
    name: Span,
    version: Span,
}

/// The data member of a metric, as far as it was read.
#[derive(Clone, Copy)]
struct Data {
    kind: Kind,
    temporality: Temporality,
    monotonic: bool,
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

fn text(b: &[u8], p: &mut usize) -> Result<Span, DecodeError> {
    let end = length(b, p)?;
    let text = span(*p, end);
    *p = end;
    Ok(text)
}

impl Walker<'_> {
    fn request(&mut self, b: &[u8], mut shapes: Option<&mut Shapes>) -> Result<(), DecodeError> {
        let mut p = 0;
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    let known = shapes.as_mut().is_some_and(|shapes| shapes.take(&b[..end], p, self.export));
                    if !known {
                        let before = (self.export.metrics.len(), self.export.points.len());
                        self.resource_metrics(&b[..end], p)?;
                        if let Some(shapes) = &mut shapes {
                            shapes.learn(&b[..end], p, before, self.export);
                        }
                    }
                    p = end;
                }
                tag => p = skip(b, p, (at, tag), REQUEST, 0)?,
            }
        }
        Ok(())
    }

    fn resource_metrics(&mut self, b: &[u8], first: usize) -> Result<(), DecodeError> {
        let mut p = first;
        let mut raw = Span::default();
        let mut parts = 0;
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    raw = text(b, &mut p)?;
                    parts += 1;
                }
                0x12 => {
                    let end = length(b, &mut p)?;
                    self.scope_metrics(&b[..end], p)?;
                    p = end;
                }
                tag => p = skip(b, p, (at, tag), RESOURCE_METRICS, 1)?,
            }
        }
        if parts > 1 {
            raw = self.join(b, first, 0x0a, (RESOURCE_METRICS, 1), false)?;
        }
        let metrics_end = self.export.metrics.len() as u32;
        self.export.resources.push(ResourceSpan { raw, metrics_end, shape: 0 });
        Ok(())
    }

    fn scope_metrics(&mut self, b: &[u8], mut p: usize) -> Result<(), DecodeError> {
        let first_metric = self.export.metrics.len();
        let mut scope = Scope::default();
        let mut scope_came_late = false;
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    read_scope(&b[..end], p, &mut scope)?;
                    scope_came_late = self.export.metrics.len() > first_metric;
                    p = end;
                }
                0x12 => {
                    let end = length(b, &mut p)?;
                    self.metric(&b[..end], p, scope)?;
                    p = end;
                }
                tag => p = skip(b, p, (at, tag), SCOPE_METRICS, 2)?,
            }
        }
        if scope_came_late {
            for metric in &mut self.export.metrics[first_metric..] {
                (metric.scope, metric.scope_version) = (scope.name, scope.version);
            }
        }
        Ok(())
    }

    fn metric(&mut self, b: &[u8], first: usize, scope: Scope) -> Result<(), DecodeError> {
        let first_point = self.export.points.len();
        let mut p = first;
        let mut name = Span::default();
        let mut data: Option<Data> = None;
        while p < b.len() {
            let at = p;
            let tag = varint(b, &mut p)?;
            let kind = match tag {
                0x0a => {
                    name = text(b, &mut p)?;
                    continue;
                }
                0x12 | 0x1a => {
                    p = length(b, &mut p)?;
                    continue;
                }
                0x2a => Kind::Gauge,
                0x3a => Kind::Sum,
                0x4a => Kind::Histogram,
                0x52 => Kind::ExponentialHistogram,
                0x5a => Kind::Summary,
                _ => {
                    p = skip(b, p, (at, tag), METRIC, METRIC_DEPTH)?;
                    continue;
                }
            };
            let end = length(b, &mut p)?;
            // The same member again goes on where it stopped; another one takes the place of what came before.
            let mut member = match data {
                Some(before) if before.kind == kind => before,
                _ => {
                    self.export.points.truncate(first_point);
                    Data { kind, temporality: Temporality::Cumulative, monotonic: false }
                }
            };
            self.data(&b[..end], p, &mut member)?;
            data = Some(member);
            p = end;
        }
        let points_end = self.export.points.len();
        if let Some(Data { kind, temporality, monotonic }) = data
            && points_end > first_point
        {
            self.export.metrics.push(MetricSpan {
                scope: scope.name,
                scope_version: scope.version,
                name,
                raw: span(first, b.len()),
                kind,
                temporality,
                monotonic,
                points_end: points_end as u32,
            });
        }
        Ok(())
    }

    #[inline]
    fn data(&mut self, b: &[u8], p: usize, data: &mut Data) -> Result<(), DecodeError> {
        match data.kind {
            Kind::Gauge => self.points(b, p, data, POINTS, Self::number_point),
            Kind::Sum => self.points(b, p, data, SUM, Self::number_point),
            Kind::Histogram => {
                self.points(b, p, data, POINTS_WITH_TEMPORALITY, |w, b, p| w.other_point(b, p, &EXPLICIT_LAYOUT))
            }
            Kind::ExponentialHistogram => {
                self.points(b, p, data, POINTS_WITH_TEMPORALITY, |w, b, p| w.other_point(b, p, &EXPONENTIAL_LAYOUT))
            }
            Kind::Summary => self.points(b, p, data, POINTS, |w, b, p| w.other_point(b, p, &SUMMARY_LAYOUT)),
        }
    }

    #[inline(always)]
    fn points(
        &mut self,
        b: &[u8],
        mut p: usize,
        data: &mut Data,
        fields: &'static [Wire],
        point: impl Fn(&mut Self, &[u8], usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    point(self, &b[..end], p)?;
                    p = end;
                }
                0x10 if fields.len() > 2 => {
                    let delta = varint(b, &mut p)? as u32 == 1;
                    data.temporality = if delta { Temporality::Delta } else { Temporality::Cumulative };
                }
                0x18 if fields.len() > 3 => data.monotonic = varint(b, &mut p)? != 0,
                tag => p = skip(b, p, (at, tag), fields, METRIC_DEPTH + 1)?,
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn number_point(&mut self, b: &[u8], first: usize) -> Result<(), DecodeError> {
        let mut p = first;
        let mut attributes = Range::default();
        let (mut time, mut start, mut flags) = (0, 0, 0);
        let mut value = PointValue::None;
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x3a => {
                    p = length(b, &mut p)?;
                    attributes.extend(at, p);
                }
                0x11 => start = fixed64(b, &mut p)?,
                0x19 => time = fixed64(b, &mut p)?,
                0x21 => value = PointValue::Number(double(b, &mut p)?),
                0x31 => value = PointValue::Number(fixed64(b, &mut p)? as i64 as f64),
                0x40 => flags = varint(b, &mut p)?,
                tag => p = skip(b, p, (at, tag), NUMBER, METRIC_DEPTH + 2)?,
            }
        }
        if flags & 1 != 0 {
            value = PointValue::None;
        }
        let attributes = match attributes.apart {
            false => span(attributes.start, attributes.end),
            true => self.join(b, first, 0x3a, (NUMBER, METRIC_DEPTH + 2), true)?,
        };
        self.export.points.push(PointSpan { attributes, time: clamp_time(time), start: clamp_time(start), value });
        Ok(())
    }

    fn other_point(&mut self, b: &[u8], first: usize, layout: &Layout) -> Result<(), DecodeError> {
        let mut p = first;
        let mut attributes = Range::default();
        let (mut time, mut start, mut flags) = (0, 0, 0);
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x11 => start = fixed64(b, &mut p)?,
                0x19 => time = fixed64(b, &mut p)?,
                tag if tag == layout.attributes => {
                    p = length(b, &mut p)?;
                    attributes.extend(at, p);
                }
                tag if tag == layout.flags => flags = varint(b, &mut p)?,
                tag => {
                    let from = p;
                    p = skip(b, p, (at, tag), layout.fields, METRIC_DEPTH + 2)?;
                    check_list(layout.kind, tag, &b[..p], from)?;
                }
            }
        }
        let value = match layout.kind {
            Kind::Summary => PointValue::Summary,
            _ if flags & 1 != 0 => PointValue::None,
            _ => PointValue::Histogram(span(first, b.len())),
        };
        let attributes = match attributes.apart {
            false => span(attributes.start, attributes.end),
            true => self.join(b, first, layout.attributes, (layout.fields, METRIC_DEPTH + 2), true)?,
        };
        self.export.points.push(PointSpan { attributes, time: clamp_time(time), start: clamp_time(start), value });
        Ok(())
    }

    /// Copies every field with the tag `wanted` of a message together: their contents, or whole with tag and length.
    #[cold]
    #[inline(never)]
    fn join(
        &mut self,
        b: &[u8],
        mut p: usize,
        wanted: u64,
        (fields, depth): (&[Wire], u32),
        whole: bool,
    ) -> Result<Span, DecodeError> {
        let start = self.joined.len();
        while p < b.len() {
            let at = p;
            let tag = varint(b, &mut p)?;
            if tag == wanted {
                let end = length(b, &mut p)?;
                self.joined.extend_from_slice(&b[if whole { at } else { p }..end]);
                p = end;
            } else {
                p = skip(b, p, (at, tag), fields, depth)?;
            }
        }
        if self.joined.len() == start {
            // Nothing but empty parts: there may be nothing behind the payload to point to.
            return Ok(Span::default());
        }
        let end = self.joined_at + self.joined.len();
        if end > u32::MAX as usize {
            return Err(error("an export of more than 4 GiB", p));
        }
        Ok(span(self.joined_at + start, end))
    }
}

/// The range that the attribute fields of a point cover, as long as they follow each other.
#[derive(Clone, Copy, Default)]
struct Range {
    start: usize,
    end: usize,
    apart: bool,
}

impl Range {
    #[inline(always)]
    fn extend(&mut self, at: usize, end: usize) {
        if self.end == 0 {
            self.start = at;
        } else if self.end != at {
            self.apart = true;
        }
        self.end = end;
    }
}

fn read_scope(b: &[u8], mut p: usize, scope: &mut Scope) -> Result<(), DecodeError> {
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x0a => scope.name = text(b, &mut p)?,
            0x12 => scope.version = text(b, &mut p)?,
            tag => p = skip(b, p, (at, tag), SCOPE, 3)?,
        }
    }
    Ok(())
}

/// Checks the inside of a histogram point's lists. The field's bytes are `b[p..]`, its length included.
fn check_list(kind: Kind, tag: u64, b: &[u8], mut p: usize) -> Result<(), DecodeError> {
    match (kind, tag) {
        (Kind::Histogram, 0x32 | 0x3a) => match length(b, &mut p)? {
            end if (end - p).is_multiple_of(8) => Ok(()),
            _ => Err(error("a list of 8-byte numbers that ends inside one", p)),
        },
        (Kind::ExponentialHistogram, 0x42 | 0x4a) => {
            let end = length(b, &mut p)?;
            check_buckets(&b[..end], p)
        }
        _ => Ok(()),
    }
}

fn check_buckets(b: &[u8], mut p: usize) -> Result<(), DecodeError> {
    while p < b.len() {
        let at = p;
        let tag = varint(b, &mut p)?;
        let start = p;
        p = skip(b, p, (at, tag), BUCKETS, METRIC_DEPTH + 3)?;
        if tag == 0x12 {
            let mut p = start;
            let end = length(b, &mut p)?;
            while p < end {
                varint(&b[..end], &mut p)?;
            }
        }
    }
    Ok(())
}
