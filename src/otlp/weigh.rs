//! How much a body will become: the entries of a [`crate::model::Export`], counted without making them.
//!
//! An empty point takes two bytes on the wire and dozens in memory, so a small body, compressed once more, could fill all
//! memory there is. Whoever takes bodies from strangers asks here first.

use super::wire::{length, skip, varint};

/// Number of resources, metrics and points in a body. What cannot be read ends the count; `decode` says what is wrong with it.
pub(super) fn entries(body: &[u8]) -> usize {
    let mut n = 0;
    fields(body, |tag, resource_metrics| {
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

/// Gauge, sum, histogram, exponential histogram, summary.
fn is_data(tag: u64) -> bool {
    matches!(tag, 0x2a | 0x3a | 0x4a | 0x52 | 0x5a)
}

fn points(data: &[u8]) -> usize {
    let mut n = 0;
    fields(data, |tag, _| n += usize::from(tag == 0x0a));
    n
}

/// Calls `each` for every field with a length.
fn fields<'a>(b: &'a [u8], mut each: impl FnMut(u64, &'a [u8])) {
    let mut p = 0;
    while p < b.len() {
        let at = p;
        let Ok(tag) = varint(b, &mut p) else { return };
        if tag & 7 == 2 {
            let Ok(end) = length(b, &mut p) else { return };
            each(tag, &b[p..end]);
            p = end;
        } else {
            let Ok(end) = skip(b, p, (at, tag), &[], 0) else { return };
            p = end;
        }
    }
}
