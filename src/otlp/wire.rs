//! The protobuf wire: varints, lengths, fixed words, and skipping what is not looked at.
//!
//! Every function takes a slice that ends where the message ends and an absolute position in it, so one comparison is both
//! the bounds check and the end of the message, and every error has its place for free. What is accepted is what the
//! protobuf runtimes accept: varints of at most ten bytes that fit 64 bits, field numbers from 1, closed groups.

/// Why a payload or a part of one cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in the bytes as they were given.
    pub offset: usize,
}

/// Messages and groups may nest this deep, as in other protobuf runtimes.
pub(super) const MAX_DEPTH: u32 = 100;

/// The wire types a field may have, as bits; no bit means the field is unknown and may have any.
pub(super) type Wire = u8;
/// A field the message does not have.
pub(super) const NONE: Wire = 0;
/// Wire type 0.
pub(super) const VARINT: Wire = 1 << 0;
/// Wire type 1.
pub(super) const FIXED64: Wire = 1 << 1;
/// Wire type 2.
pub(super) const LEN: Wire = 1 << 2;

// The fields of the messages that are walked, by number.
pub(super) const REQUEST: &[Wire] = &[NONE, LEN];
pub(super) const RESOURCE_METRICS: &[Wire] = &[NONE, LEN, LEN, LEN];
pub(super) const SCOPE_METRICS: &[Wire] = &[NONE, LEN, LEN, LEN];
pub(super) const SCOPE: &[Wire] = &[NONE, LEN, LEN, LEN, VARINT];
pub(super) const METRIC: &[Wire] = &[NONE, LEN, LEN, LEN, NONE, LEN, NONE, LEN, NONE, LEN, LEN, LEN, LEN];
/// Gauges and summaries.
pub(super) const POINTS: &[Wire] = &[NONE, LEN];
/// Histograms.
pub(super) const POINTS_WITH_TEMPORALITY: &[Wire] = &[NONE, LEN, VARINT];
pub(super) const SUM: &[Wire] = &[NONE, LEN, VARINT, VARINT];
pub(super) const NUMBER: &[Wire] = &[NONE, NONE, FIXED64, FIXED64, FIXED64, LEN, FIXED64, LEN, VARINT];
#[rustfmt::skip]
pub(super) const HISTOGRAM: &[Wire] = &[
    NONE, NONE, FIXED64, FIXED64, FIXED64, FIXED64, FIXED64 | LEN, FIXED64 | LEN, LEN, LEN, VARINT, FIXED64, FIXED64,
];
pub(super) const EXPONENTIAL: &[Wire] =
    &[NONE, LEN, FIXED64, FIXED64, FIXED64, FIXED64, VARINT, FIXED64, LEN, LEN, VARINT, LEN, FIXED64, FIXED64, FIXED64];
pub(super) const BUCKETS: &[Wire] = &[NONE, VARINT, VARINT | LEN];
pub(super) const SUMMARY: &[Wire] = &[NONE, NONE, FIXED64, FIXED64, FIXED64, FIXED64, LEN, LEN, VARINT];

#[cold]
#[inline(never)]
pub(super) fn error(what: &'static str, offset: usize) -> DecodeError {
    DecodeError { what, offset }
}

/// Reads a varint.
#[inline(always)]
pub(super) fn varint(b: &[u8], p: &mut usize) -> Result<u64, DecodeError> {
    let at = *p;
    match b.get(at) {
        Some(&first) if first < 0x80 => {
            *p = at + 1;
            Ok(first as u64)
        }
        _ => {
            let (value, end) = long_varint(b, at)?;
            *p = end;
            Ok(value)
        }
    }
}

// Takes and gives the position by value, here and in `skip`, so that the position of the walk stays in a register.
#[inline(never)]
fn long_varint(b: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    let mut value = 0u64;
    for (i, &byte) in b.get(at..).unwrap_or_default().iter().take(10).enumerate() {
        value |= ((byte & 0x7f) as u64) << (7 * i);
        if byte < 0x80 {
            if i == 9 && byte > 1 {
                break;
            }
            return Ok((value, at + i + 1));
        }
    }
    let what = if b.len() - at.min(b.len()) < 10 {
        "the message ends inside a number"
    } else {
        "a number of more than 64 bits"
    };
    Err(error(what, at))
}

/// Reads a length and returns where the bytes it announces end; the position stands on their first.
#[inline(always)]
pub(super) fn length(b: &[u8], p: &mut usize) -> Result<usize, DecodeError> {
    let at = *p;
    let n = varint(b, p)?;
    if n > (b.len() - *p) as u64 {
        return Err(error("a length past the end of its message", at));
    }
    Ok(*p + n as usize)
}

/// Reads eight bytes.
#[inline(always)]
pub(super) fn fixed64(b: &[u8], p: &mut usize) -> Result<u64, DecodeError> {
    match b.get(*p..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(word) => {
            *p += 8;
            Ok(u64::from_le_bytes(*word))
        }
        None => Err(error("the message ends inside a number", *p)),
    }
}

/// Reads a double.
#[inline(always)]
pub(super) fn double(b: &[u8], p: &mut usize) -> Result<f64, DecodeError> {
    fixed64(b, p).map(f64::from_bits)
}

/// Where a field nobody looks at ends, after checking that a known one has the wire type it must have.
///
/// `at` is where the field's tag began, `p` is the byte behind it, `fields` is indexed by field number, `depth` is the
/// depth of the message the field stands in.
#[inline(never)]
pub(super) fn skip(
    b: &[u8],
    mut p: usize,
    (at, tag): (usize, u64),
    fields: &[Wire],
    depth: u32,
) -> Result<usize, DecodeError> {
    let (number, wire) = split_tag(tag, at)?;
    let allowed = fields.get(number as usize).copied().unwrap_or(NONE);
    if allowed != NONE && allowed & (1 << wire) == 0 {
        return Err(error("a known field with the wrong wire type", at));
    }
    if allowed == NONE && depth >= MAX_DEPTH {
        return Err(error("messages nested too deeply", at));
    }
    skip_value(b, &mut p, (at, number, wire), depth)?;
    Ok(p)
}

fn split_tag(tag: u64, at: usize) -> Result<(u32, u32), DecodeError> {
    let Ok(tag) = u32::try_from(tag) else { return Err(error("a field number that is too large", at)) };
    if tag >> 3 == 0 {
        return Err(error("field number 0", at));
    }
    Ok((tag >> 3, tag & 7))
}

fn skip_value(b: &[u8], p: &mut usize, (at, number, wire): (usize, u32, u32), depth: u32) -> Result<(), DecodeError> {
    match wire {
        0 => varint(b, p).map(drop),
        1 => advance(b, p, 8),
        2 => {
            *p = length(b, p)?;
            Ok(())
        }
        3 => skip_group(b, p, number, depth),
        4 => Err(error("the end of a group that was not opened", at)),
        5 => advance(b, p, 4),
        _ => Err(error("an unknown wire type", at)),
    }
}

fn advance(b: &[u8], p: &mut usize, n: usize) -> Result<(), DecodeError> {
    if b.len() - *p < n {
        return Err(error("the message ends inside a number", *p));
    }
    *p += n;
    Ok(())
}

fn skip_group(b: &[u8], p: &mut usize, number: u32, depth: u32) -> Result<(), DecodeError> {
    loop {
        let at = *p;
        let tag = varint(b, p)?;
        let (inner, wire) = split_tag(tag, at)?;
        if wire == 4 {
            return if inner == number { Ok(()) } else { Err(error("the end of a group that was not opened", at)) };
        }
        if depth + 1 >= MAX_DEPTH {
            return Err(error("groups nested too deeply", at));
        }
        skip_value(b, p, (at, inner, wire), depth + 1)?;
    }
}
