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

use super::schema::{self, MessageSchema};
use super::shape::Shapes;
use super::wire::{DecodeError, double, error, fields, fixed64, length, skip, varint};
use crate::model::{Export, Kind, MetricSpan, PointSpan, PointValue, ResourceSpan, Span, Temporality, clamp_time};
use bytes::Bytes;

/// Depth of a `Metric` below the request; the data, its points and their attributes are one deeper each.
const METRIC_DEPTH: u32 = 3;

/// What differs between the kinds of data.
struct Layout {
    kind: Kind,
    data: &'static MessageSchema,
    point: &'static MessageSchema,
    /// Tags of the point's attributes and flags.
    attributes: u64,
    flags: u64,
}

const GAUGE: Layout =
    Layout { kind: Kind::Gauge, data: &schema::GAUGE, point: &schema::NUMBER_POINT, attributes: 0x3a, flags: 0x40 };
const SUM: Layout = Layout { kind: Kind::Sum, data: &schema::SUM, ..GAUGE };
const HISTOGRAM: Layout = Layout {
    kind: Kind::Histogram,
    data: &schema::HISTOGRAM,
    point: &schema::HISTOGRAM_POINT,
    attributes: 0x4a,
    flags: 0x50,
};
const EXPONENTIAL: Layout = Layout {
    kind: Kind::ExponentialHistogram,
    data: &schema::EXPONENTIAL_HISTOGRAM,
    point: &schema::EXPONENTIAL_POINT,
    attributes: 0x0a,
    flags: 0x50,
};
const SUMMARY: Layout = Layout {
    kind: Kind::Summary,
    data: &schema::SUMMARY,
    point: &schema::SUMMARY_POINT,
    attributes: 0x3a,
    flags: 0x40,
};

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

#[derive(Default)]
struct Scope {
    name: Span,
    version: Span,
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
                tag => p = skip(b, p, (at, tag), &schema::REQUEST.wires, 0)?,
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
                tag => p = skip(b, p, (at, tag), &schema::RESOURCE_METRICS.wires, 1)?,
            }
        }
        if parts > 1 {
            raw = self.join(b, first, 0x0a, false)?;
        }
        let metrics_end = self.export.metrics.len() as u32;
        self.export.resources.push(ResourceSpan { raw, metrics_end, shape: 0 });
        Ok(())
    }

    fn scope_metrics(&mut self, b: &[u8], mut p: usize) -> Result<(), DecodeError> {
        let first_metric = self.export.metrics.len();
        let mut scope = Scope::default();
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    read_scope(&b[..end], p, &mut scope)?;
                    p = end;
                }
                0x12 => {
                    let end = length(b, &mut p)?;
                    self.metric(&b[..end], p)?;
                    p = end;
                }
                tag => p = skip(b, p, (at, tag), &schema::SCOPE_METRICS.wires, 2)?,
            }
        }
        // The scope may come behind its metrics.
        for metric in &mut self.export.metrics[first_metric..] {
            (metric.scope, metric.scope_version) = (scope.name, scope.version);
        }
        Ok(())
    }

    fn metric(&mut self, b: &[u8], first: usize) -> Result<(), DecodeError> {
        let first_point = self.export.points.len();
        let mut p = first;
        let mut name = Span::default();
        // With the data member as far as it was read.
        let mut metric: Option<MetricSpan> = None;
        while p < b.len() {
            let at = p;
            let tag = varint(b, &mut p)?;
            let kind = match tag {
                0x0a => {
                    name = text(b, &mut p)?;
                    continue;
                }
                0x2a => Kind::Gauge,
                0x3a => Kind::Sum,
                0x4a => Kind::Histogram,
                0x52 => Kind::ExponentialHistogram,
                0x5a => Kind::Summary,
                _ => {
                    p = skip(b, p, (at, tag), &schema::METRIC.wires, METRIC_DEPTH)?;
                    continue;
                }
            };
            let end = length(b, &mut p)?;
            // The same member again goes on where it stopped; another one takes the place of what came before.
            let mut member = match metric {
                Some(before) if before.kind == kind => before,
                _ => {
                    self.export.points.truncate(first_point);
                    MetricSpan {
                        scope: Span::default(),
                        scope_version: Span::default(),
                        name,
                        raw: span(first, b.len()),
                        kind,
                        temporality: Temporality::Cumulative,
                        monotonic: false,
                        points_end: 0,
                    }
                }
            };
            self.data(&b[..end], p, &mut member)?;
            metric = Some(member);
            p = end;
        }
        let points_end = self.export.points.len();
        if let Some(metric) = metric
            && points_end > first_point
        {
            self.export.metrics.push(MetricSpan { name, points_end: points_end as u32, ..metric });
        }
        Ok(())
    }

    #[inline]
    fn data(&mut self, b: &[u8], p: usize, metric: &mut MetricSpan) -> Result<(), DecodeError> {
        match metric.kind {
            Kind::Gauge => self.points(b, p, metric, &GAUGE),
            Kind::Sum => self.points(b, p, metric, &SUM),
            Kind::Histogram => self.points(b, p, metric, &HISTOGRAM),
            Kind::ExponentialHistogram => self.points(b, p, metric, &EXPONENTIAL),
            Kind::Summary => self.points(b, p, metric, &SUMMARY),
        }
    }

    /// Made once for each kind.
    #[inline(always)]
    fn points(&mut self, b: &[u8], mut p: usize, metric: &mut MetricSpan, layout: &Layout) -> Result<(), DecodeError> {
        let has_temporality = !matches!(layout.kind, Kind::Gauge | Kind::Summary);
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                0x0a => {
                    let end = length(b, &mut p)?;
                    self.point(&b[..end], p, layout)?;
                    p = end;
                }
                0x10 if has_temporality => {
                    let delta = varint(b, &mut p)? as u32 == 1;
                    metric.temporality = if delta { Temporality::Delta } else { Temporality::Cumulative };
                }
                0x18 if layout.kind == Kind::Sum => metric.monotonic = varint(b, &mut p)? != 0,
                tag => p = skip(b, p, (at, tag), &layout.data.wires, METRIC_DEPTH + 1)?,
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn point(&mut self, b: &[u8], first: usize, layout: &Layout) -> Result<(), DecodeError> {
        let is_number = matches!(layout.kind, Kind::Gauge | Kind::Sum);
        let mut p = first;
        let mut attributes = Range::default();
        let (mut time, mut start, mut flags) = (0, 0, 0);
        let mut number = PointValue::None;
        while p < b.len() {
            let at = p;
            match varint(b, &mut p)? {
                tag if tag == layout.attributes => {
                    p = length(b, &mut p)?;
                    attributes.extend(at, p);
                }
                0x11 => start = fixed64(b, &mut p)?,
                0x19 => time = fixed64(b, &mut p)?,
                0x21 if is_number => number = PointValue::Number(double(b, &mut p)?),
                0x31 if is_number => number = PointValue::Number(fixed64(b, &mut p)? as i64 as f64),
                tag if tag == layout.flags => flags = varint(b, &mut p)?,
                tag => {
                    let from = p;
                    p = skip(b, p, (at, tag), &layout.point.wires, METRIC_DEPTH + 2)?;
                    check_list(layout.kind, tag, &b[..p], from)?;
                }
            }
        }
        let value = match layout.kind {
            Kind::Summary => PointValue::Summary,
            _ if flags & 1 != 0 => PointValue::None,
            Kind::Gauge | Kind::Sum => number,
            Kind::Histogram | Kind::ExponentialHistogram => PointValue::Histogram(span(first, b.len())),
        };
        let attributes = match attributes.apart {
            false => span(attributes.start, attributes.end),
            true => self.join(b, first, layout.attributes, true)?,
        };
        self.export.points.push(PointSpan { attributes, time: clamp_time(time), start: clamp_time(start), value });
        Ok(())
    }

    /// Copies every field with the tag `wanted` of a message together: their contents, or whole with tag and length.
    #[cold]
    #[inline(never)]
    fn join(&mut self, b: &[u8], p: usize, wanted: u64, whole: bool) -> Result<Span, DecodeError> {
        let start = self.joined.len();
        for field in fields(b, p) {
            let field = field?;
            if field.tag == wanted {
                self.joined.extend_from_slice(&b[if whole { field.start } else { field.content }..field.end]);
            }
        }
        if self.joined.len() == start {
            // Nothing but empty parts: there may be nothing behind the payload to point to.
            return Ok(Span::default());
        }
        let end = self.joined_at + self.joined.len();
        if end > u32::MAX as usize {
            return Err(error("an export of more than 4 GiB", b.len()));
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
            tag => p = skip(b, p, (at, tag), &schema::SCOPE.wires, 3)?,
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
        p = skip(b, p, (at, tag), &schema::BUCKETS.wires, METRIC_DEPTH + 3)?;
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
