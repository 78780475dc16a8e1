//! How many entries a payload will be decoded to, counted without making them.
//!
//! An empty point takes two bytes on the wire and dozens in memory, so a small payload, compressed once more, could fill
//! all memory there is. Whoever takes payloads from strangers asks here first.

use super::wire::{length, skip, varint};

/// Number of resources, metrics and points that a protobuf payload will be decoded to. What cannot be read ends the
/// count; `decode` reports what is wrong with it.
pub fn entries(payload: &[u8]) -> usize {
    let mut n = 0;
    fields(payload, |tag, resource_metrics| {
        if tag != 0x0a {
            return;
        }
        n += 1;
        fields(resource_metrics, |tag, scope_metrics| {
            if tag == 0x12 {
                fields(scope_metrics, |tag, metric| {
                    if tag == 0x12 {
                        n += 1;
                        fields(metric, |tag, data| n += if is_data(tag) { points(data) } else { 0 });
                    }
                });
            }
        });
    });
    n
}

/// Number of entries in the bytes of a point's attributes or of a `Resource`; what cannot be read ends the count.
pub fn attribute_count(raw: &[u8]) -> usize {
    let mut n = 0;
    fields(raw, |_, _| n += 1);
    n
}

/// Gauge, sum, histogram, exponential histogram, summary.
fn is_data(tag: u64) -> bool {
    matches!(tag, 0x2a | 0x3a | 0x4a | 0x52 | 0x5a)
}

fn points(data: &[u8]) -> usize {
    let mut n = 0;
    fields(data, |tag, _| n += usize::from(tag == 0x0a));
    n
}

/// Calls `each` for every field; one without a length has no content.
fn fields<'a>(b: &'a [u8], mut each: impl FnMut(u64, &'a [u8])) {
    let mut p = 0;
    while p < b.len() {
        let at = p;
        let Ok(tag) = varint(b, &mut p) else { return };
        let (start, end) = match tag & 7 {
            2 => length(b, &mut p).map_or((p, None), |end| (p, Some(end))),
            _ => skip(b, p, (at, tag), &[], 0).map_or((p, None), |end| (end, Some(end))),
        };
        let Some(end) = end else { return };
        each(tag, &b[start..end]);
        p = end;
    }
}
