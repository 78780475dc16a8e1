//! Shapes: what stays the same from one report of a process to the next.
//!
//! The time, the start time and the value of a number point have eight bytes each on the wire, so the next report of a
//! process, or of another one that runs the same program, differs from the last in those eight-byte fields alone. A report
//! whose other bytes equal a remembered one is decoded by reading the fields where they were; all others are walked. This is
//! a cache in front of the walk and gives what the walk gives: a shape is kept only when it reproduces the report it was made
//! from.

use super::wire::{fields, length, varint};
use crate::model::{Export, MetricSpan, PointSpan, PointValue, ResourceSpan, Span, clamp_time};
use std::sync::atomic::{AtomicU64, Ordering};

/// Shapes remembered at a time; the oldest gives way.
const REMEMBERED: usize = 64;
/// Longer reports are walked.
const LONGEST: usize = 64 * 1024;
/// Making a shape costs more than a walk: so many may be made in vain.
const CREDIT: u32 = 256;

/// The shapes a decoder has seen.
#[derive(Debug)]
pub(super) struct Shapes {
    /// The upper half of the numbers of these shapes, so that those of two decoders differ.
    family: u64,
    made: u64,
    kept: Vec<ReportShape>,
    /// The shape of the last report.
    last: usize,
    credit: u32,
}

/// One report, without what changes.
#[derive(Debug)]
struct ReportShape {
    number: u64,
    /// The bytes behind the resource in words, and which of their bits count.
    words: Vec<(u64, u64)>,
    /// The same of the last eight bytes.
    last: (u64, u64),
    /// Number of the bytes behind the resource.
    len: usize,
    /// Spans count from the end of the resource; ends count from the resource's own first metric and point.
    metrics: Vec<MetricSpan>,
    points: Vec<Place>,
}

/// Where the parts of a point are, from the end of the resource.
#[derive(Clone, Copy, Debug)]
struct Place {
    attributes: Span,
    time: u32,
    start: u32,
    /// All bits when the client sends a start time, else none.
    has_start: u64,
    value: u32,
    integer: bool,
}

impl Default for Shapes {
    fn default() -> Self {
        static FAMILIES: AtomicU64 = AtomicU64::new(1);
        let family = FAMILIES.fetch_add(1, Ordering::Relaxed) << 32;
        Shapes { family, made: 0, kept: Vec::new(), last: 0, credit: CREDIT }
    }
}

impl Shapes {
    /// Decodes the `ResourceMetrics` that begins at `first` and ends with `b`, when its shape is known.
    #[inline]
    pub fn take(&mut self, b: &[u8], first: usize, export: &mut Export) -> bool {
        let Some(raw) = leading_resource(b, first) else { return false };
        let rest = &b[raw.end as usize..];
        let known = match self.kept.get(self.last) {
            Some(shape) if shape.fits(rest) => self.last,
            _ => match self.kept.iter().position(|shape| shape.fits(rest)) {
                Some(other) => other,
                None => return false,
            },
        };
        self.last = known;
        self.credit = CREDIT.min(self.credit + 1);
        self.kept[known].decode(raw, rest, export);
        true
    }

    /// Remembers the shape of the report that was just walked, the last resource of the export.
    pub fn learn(&mut self, b: &[u8], first: usize, (metric, point): (usize, usize), export: &Export) {
        if self.credit == 0 {
            return;
        }
        self.credit -= 1;
        let Some(mut shape) = ReportShape::of(b, first, (metric, point), export) else { return };
        self.made += 1;
        shape.number = self.family | (self.made & u64::from(u32::MAX));
        if self.kept.len() < REMEMBERED {
            self.kept.push(shape);
        } else {
            self.kept[self.made as usize % REMEMBERED] = shape;
        }
    }
}

/// The span of the resource when the message begins with it.
fn leading_resource(b: &[u8], first: usize) -> Option<Span> {
    let mut p = first;
    if varint(b, &mut p).ok()? != 0x0a {
        return None;
    }
    let end = length(b, &mut p).ok()?;
    Some(Span { start: p as u32, end: end as u32 })
}

#[inline]
fn word(rest: &[u8], at: u32) -> u64 {
    rest.get(at as usize..).and_then(|from| from.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A span that counts from the end of the resource, in the payload. The empty one at 0 stands for what is not there.
#[inline]
fn moved(span: Span, by: u32) -> Span {
    let by = if span.end == 0 { 0 } else { by };
    Span { start: span.start + by, end: span.end + by }
}

impl ReportShape {
    #[inline]
    fn fits(&self, rest: &[u8]) -> bool {
        let Some(last) = rest.last_chunk::<8>() else { return false };
        if rest.len() != self.len {
            return false;
        }
        let differs = |bytes: &[u8; 8], (word, mask): &(u64, u64)| (u64::from_le_bytes(*bytes) ^ word) & mask;
        let words = rest.as_chunks::<8>().0.iter().zip(&self.words);
        words.fold(differs(last, &self.last), |all, (bytes, word)| all | differs(bytes, word)) == 0
    }

    #[inline]
    fn decode(&self, raw: Span, rest: &[u8], export: &mut Export) {
        let (base, point) = (raw.end, export.points.len() as u32);
        export.metrics.extend(self.metrics.iter().map(|m| MetricSpan {
            scope: moved(m.scope, base),
            scope_version: moved(m.scope_version, base),
            name: moved(m.name, base),
            raw: moved(m.raw, base),
            points_end: m.points_end + point,
            ..*m
        }));
        export.points.extend(self.points.iter().map(|place| {
            let bits = word(rest, place.value);
            // Without a field of its own the start stands where the time is, and is blotted out.
            let start = word(rest, place.start) & place.has_start;
            PointSpan {
                attributes: moved(place.attributes, base),
                time: clamp_time(word(rest, place.time)),
                start: clamp_time(start),
                value: PointValue::Number(if place.integer { bits as i64 as f64 } else { f64::from_bits(bits) }),
            }
        }));
        export.resources.push(ResourceSpan { raw, metrics_end: export.metrics.len() as u32, shape: self.number });
    }

    /// The shape of a walked report; `None` when it has parts that change their length, or in an order that is not the
    /// usual one.
    fn of(b: &[u8], first: usize, (metric, point): (usize, usize), export: &Export) -> Option<ReportShape> {
        let raw = leading_resource(b, first)?;
        let (base, rest) = (raw.end, &b[raw.end as usize..]);
        if rest.len() > LONGEST || export.points.len() == point {
            return None;
        }
        let own = |span: Span| {
            let inside = span.start >= base && span.end as usize <= b.len();
            let empty = span == Span::default();
            if inside { Some(Span { start: span.start - base, end: span.end - base }) } else { empty.then_some(span) }
        };
        let mut points = Vec::new();
        let mut walked = export.points[point..].iter();
        // Other data than gauges and sums, or a metric with two data fields, leaves another number of points.
        for metric in &export.metrics[metric..] {
            for data in parts(b, metric.raw, &[0x2a, 0x3a]) {
                for point in parts(b, data, &[0x0a]) {
                    points.push(Place::of(b, point, base, own(walked.next()?.attributes)?)?);
                }
            }
        }
        if walked.next().is_some() {
            return None;
        }
        let mut metrics = Vec::new();
        for m in &export.metrics[metric..] {
            let points_end = m.points_end - point as u32;
            let (scope, scope_version) = (own(m.scope)?, own(m.scope_version)?);
            metrics.push(MetricSpan { scope, scope_version, name: own(m.name)?, raw: own(m.raw)?, points_end, ..*m });
        }
        let mut masks = vec![u8::MAX; rest.len()];
        for at in points.iter().flat_map(|p| [p.time, p.start, p.value]) {
            masks.get_mut(at as usize..at as usize + 8)?.fill(0);
        }
        let word = |b: &[u8; 8], m: &[u8; 8]| (u64::from_le_bytes(*b), u64::from_le_bytes(*m));
        let pairs = rest.as_chunks::<8>().0.iter().zip(masks.as_chunks::<8>().0);
        let words = pairs.map(|(b, m)| word(b, m)).collect();
        let last = word(rest.last_chunk()?, masks.last_chunk()?);
        let shape = ReportShape { number: 0, words, last, len: rest.len(), metrics, points };
        shape.reproduces(raw, rest, (metric, point), export).then_some(shape)
    }

    /// Whether the shape gives back the report it was made from.
    fn reproduces(&self, raw: Span, rest: &[u8], (metric, point): (usize, usize), export: &Export) -> bool {
        let mut again = Export::default();
        self.decode(raw, rest, &mut again);
        let ends = |m: &MetricSpan| MetricSpan { points_end: m.points_end - point as u32, ..*m };
        self.fits(rest)
            && again.points.iter().zip(&export.points[point..]).all(|(a, b)| a == b || both_not_a_number(a, b))
            && again.metrics.iter().copied().eq(export.metrics[metric..].iter().map(ends))
            && export.resources.last().is_some_and(|resource| resource.raw == raw)
    }
}

fn both_not_a_number(a: &PointSpan, b: &PointSpan) -> bool {
    let nan = |p: &PointSpan| matches!(p.value, PointValue::Number(v) if v.is_nan());
    nan(a) && nan(b) && (a.attributes, a.time, a.start) == (b.attributes, b.time, b.start)
}

/// Where the contents of the fields with one of these tags are. What cannot be read has been refused by the walk.
fn parts(b: &[u8], message: Span, tags: &[u64]) -> impl Iterator<Item = Span> {
    let readable = fields(&b[..message.end as usize], message.start as usize).map_while(Result::ok);
    let wanted = readable.filter(|field| tags.contains(&field.tag));
    wanted.map(|field| Span { start: field.content as u32, end: field.end as u32 })
}

impl Place {
    /// The places of a point's eight-byte fields; `None` when one is missing or there twice.
    fn of(b: &[u8], point: Span, base: u32, attributes: Span) -> Option<Place> {
        let (mut time, mut start, mut value) = (None, None, None);
        for field in fields(&b[..point.end as usize], point.start as usize) {
            let field = field.ok()?;
            let at = field.content as u32 - base;
            let twice = match field.tag {
                0x11 => start.replace(at).is_some(),
                0x19 => time.replace(at).is_some(),
                0x21 | 0x31 => value.replace((at, field.tag == 0x31)).is_some(),
                _ => false,
            };
            if twice {
                return None;
            }
        }
        let (time, (value, integer)) = (time?, value?);
        let has_start = if start.is_some() { u64::MAX } else { 0 };
        Some(Place { attributes, time, start: start.unwrap_or(time), has_start, value, integer })
    }
}
