//! How many entries a payload will be decoded to, counted without making them.
//!
//! An empty point takes two bytes on the wire and dozens in memory, so a small payload, compressed once more, could fill
//! all memory there is. Whoever takes payloads from strangers asks here first.

use super::wire::fields;

/// Number of resources, metrics and points that a protobuf payload will be decoded to. What cannot be read ends the
/// count; `decode` reports what is wrong with it.
pub fn entries(payload: &[u8]) -> usize {
    let resources = || parts(payload, &[0x0a]);
    let metrics = || resources().flat_map(|resource| parts(resource, &[0x12])).flat_map(|scope| parts(scope, &[0x12]));
    let points = metrics().flat_map(|metric| parts(metric, &DATA)).flat_map(|data| parts(data, &[0x0a]));
    resources().count() + metrics().count() + points.count()
}

/// Number of entries in the bytes of a point's attributes or of a `Resource`; what cannot be read ends the count.
pub fn attribute_count(raw: &[u8]) -> usize {
    fields(raw, 0).map_while(Result::ok).count()
}

/// The tags of a metric's data: gauge, sum, histogram, exponential histogram, summary.
pub(super) const DATA: [u64; 5] = [0x2a, 0x3a, 0x4a, 0x52, 0x5a];

/// The contents of the fields with one of these tags.
fn parts<'a>(b: &'a [u8], tags: &'static [u64]) -> impl Iterator<Item = &'a [u8]> {
    let readable = fields(b, 0).map_while(Result::ok);
    readable.filter(|field| tags.contains(&field.tag)).map(|field| &b[field.content..field.end])
}
