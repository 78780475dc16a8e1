//! Histogram points: the bytes that `decode` left encoded, read into a [`Histogram`].
//!
//! Reads what the bytes say and judges nothing: whether the counts fit the bounds is the engine's to say. Lists are read
//! packed and unpacked, parts of a message are merged, and no list is longer than the bytes it came from.

use super::DecodeError;
use super::wire::{FIXED64, LEN, NONE, VARINT, Wire, double, error, fixed64, length, skip, varint};
use crate::model::{Buckets, ExponentialBuckets, Histogram, Kind};

const REPEATED_FIXED64: Wire = FIXED64 | LEN;
/// `HistogramDataPoint`.
pub(super) const EXPLICIT: &[Wire] = &[
    NONE,
    NONE,
    FIXED64,
    FIXED64,
    FIXED64,
    FIXED64,
    REPEATED_FIXED64,
    REPEATED_FIXED64,
    LEN,
    LEN,
    VARINT,
    FIXED64,
    FIXED64,
];
/// `ExponentialHistogramDataPoint`.
pub(super) const EXPONENTIAL: &[Wire] =
    &[NONE, LEN, FIXED64, FIXED64, FIXED64, FIXED64, VARINT, FIXED64, LEN, LEN, VARINT, LEN, FIXED64, FIXED64, FIXED64];
const BUCKETS: &[Wire] = &[NONE, VARINT, VARINT | LEN];

/// Depth of a point below the request.
const POINT_DEPTH: u32 = 5;

/// Reads a point of an explicit or exponential histogram.
pub(super) fn read(b: &[u8], exponential: bool) -> Result<Histogram, DecodeError> {
    if exponential { read_exponential(b) } else { read_explicit(b) }
}

fn read_explicit(b: &[u8]) -> Result<Histogram, DecodeError> {
    let (mut count, mut sum, mut min, mut max) = (0, None, None, None);
    let (mut counts, mut bounds) = (Vec::new(), Vec::new());
    let mut p = 0;
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x21 => count = fixed64(b, &mut p)?,
            0x29 => sum = Some(double(b, &mut p)?),
            0x31 => counts.push(fixed64(b, &mut p)?),
            0x32 => packed(b, &mut p, &mut counts, |word| word)?,
            0x39 => bounds.push(double(b, &mut p)?),
            0x3a => packed(b, &mut p, &mut bounds, f64::from_bits)?,
            0x59 => min = Some(double(b, &mut p)?),
            0x61 => max = Some(double(b, &mut p)?),
            tag => p = skip(b, p, (at, tag), EXPLICIT, POINT_DEPTH)?,
        }
    }
    Ok(Histogram { count, sum, min, max, buckets: Buckets::Explicit { bounds, counts } })
}

fn read_exponential(b: &[u8]) -> Result<Histogram, DecodeError> {
    let (mut count, mut sum, mut min, mut max) = (0, None, None, None);
    let (mut scale, mut zero_count) = (0, 0);
    let (mut positive, mut negative) = (ExponentialBuckets::default(), ExponentialBuckets::default());
    let mut p = 0;
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x21 => count = fixed64(b, &mut p)?,
            0x29 => sum = Some(double(b, &mut p)?),
            0x30 => scale = zigzag(varint(b, &mut p)?),
            0x39 => zero_count = fixed64(b, &mut p)?,
            tag @ (0x42 | 0x4a) => {
                let end = length(b, &mut p)?;
                let buckets = if tag == 0x42 { &mut positive } else { &mut negative };
                read_buckets(&b[..end], p, |offset| buckets.offset = offset, |count| buckets.counts.push(count))?;
                p = end;
            }
            0x61 => min = Some(double(b, &mut p)?),
            0x69 => max = Some(double(b, &mut p)?),
            tag => p = skip(b, p, (at, tag), EXPONENTIAL, POINT_DEPTH)?,
        }
    }
    Ok(Histogram { count, sum, min, max, buckets: Buckets::Exponential { scale, zero_count, positive, negative } })
}

fn packed<T>(b: &[u8], p: &mut usize, list: &mut Vec<T>, convert: impl Fn(u64) -> T) -> Result<(), DecodeError> {
    let end = length(b, p)?;
    check_packed(*p, end)?;
    let (words, _) = b[*p..end].as_chunks::<8>();
    list.extend(words.iter().map(|word| convert(u64::from_le_bytes(*word))));
    *p = end;
    Ok(())
}

fn check_packed(start: usize, end: usize) -> Result<(), DecodeError> {
    if (end - start).is_multiple_of(8) {
        Ok(())
    } else {
        Err(error("a list of 8-byte numbers that ends inside one", start))
    }
}

fn read_buckets(
    b: &[u8],
    mut p: usize,
    mut offset: impl FnMut(i32),
    mut count: impl FnMut(u64),
) -> Result<(), DecodeError> {
    while p < b.len() {
        let at = p;
        match varint(b, &mut p)? {
            0x08 => offset(zigzag(varint(b, &mut p)?)),
            0x10 => count(varint(b, &mut p)?),
            0x12 => {
                let end = length(b, &mut p)?;
                while p < end {
                    count(varint(&b[..end], &mut p)?);
                }
            }
            tag => p = skip(b, p, (at, tag), BUCKETS, POINT_DEPTH + 1)?,
        }
    }
    Ok(())
}

fn zigzag(wire: u64) -> i32 {
    let wire = wire as u32;
    (wire >> 1) as i32 ^ -((wire & 1) as i32)
}

/// Checks the inside of a field that [`read`] looks into. The field's bytes are `b[from..]`, its length included.
pub(super) fn check_field(kind: Kind, tag: u64, b: &[u8], from: usize) -> Result<(), DecodeError> {
    let mut p = from;
    match (kind, tag) {
        (Kind::Histogram, 0x32 | 0x3a) => {
            let end = length(b, &mut p)?;
            check_packed(p, end)
        }
        (Kind::ExponentialHistogram, 0x42 | 0x4a) => {
            let end = length(b, &mut p)?;
            read_buckets(&b[..end], p, |_| (), |_| ())
        }
        _ => Ok(()),
    }
}
