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
/// `at` is where the field's tag began, `p` is the byte behind it, `wires` is indexed by field number, `depth` is the
/// depth of the message the field stands in.
#[inline(never)]
pub(super) fn skip(
    b: &[u8],
    mut p: usize,
    (at, tag): (usize, u64),
    wires: &[Wire],
    depth: u32,
) -> Result<usize, DecodeError> {
    let (number, wire) = split_tag(tag, at)?;
    let allowed = wires.get(number as usize).copied().unwrap_or(0);
    if allowed != 0 && allowed & (1 << wire) == 0 {
        return Err(error("a known field with the wrong wire type", at));
    }
    if allowed == 0 && depth >= MAX_DEPTH {
        return Err(error("messages nested too deeply", at));
    }
    skip_value(b, &mut p, (at, number, wire), depth)?;
    Ok(p)
}

fn split_tag(tag: u64, at: usize) -> Result<(u32, u32), DecodeError> {
    match u32::try_from(tag) {
        Ok(0..8) => Err(error("field number 0", at)),
        Ok(tag) => Ok((tag >> 3, tag & 7)),
        Err(_) => Err(error("a field number that is too large", at)),
    }
}

fn skip_value(b: &[u8], p: &mut usize, (at, number, wire): (usize, u32, u32), depth: u32) -> Result<(), DecodeError> {
    match wire {
        0 => drop(varint(b, p)?),
        1 | 5 => {
            let n = if wire == 1 { 8 } else { 4 };
            if b.len() - *p < n {
                return Err(error("the message ends inside a number", *p));
            }
            *p += n;
        }
        2 => *p = length(b, p)?,
        3 => skip_group(b, p, number, depth)?,
        4 => return Err(error("the end of a group that was not opened", at)),
        _ => return Err(error("an unknown wire type", at)),
    }
    Ok(())
}

fn skip_group(b: &[u8], p: &mut usize, number: u32, depth: u32) -> Result<(), DecodeError> {
    loop {
        let at = *p;
        let tag = varint(b, p)?;
        let (inner, wire) = split_tag(tag, at)?;
        if (inner, wire) == (number, 4) {
            return Ok(());
        }
        if wire != 4 && depth + 1 >= MAX_DEPTH {
            return Err(error("groups nested too deeply", at));
        }
        skip_value(b, p, (at, inner, wire), depth + 1)?;
    }
}

/// A field as it stands in a message.
#[derive(Clone, Copy)]
pub(super) struct RawField {
    pub(super) tag: u64,
    /// Where its tag begins.
    pub(super) start: usize,
    /// Where its content begins: behind the tag, and behind the length when it has one.
    pub(super) content: usize,
    pub(super) end: usize,
}

/// The fields of the message that begins at `p` and ends with `b`, for those who look at a message once more, or seldom.
pub(super) fn fields(b: &[u8], mut p: usize) -> impl Iterator<Item = Result<RawField, DecodeError>> {
    std::iter::from_fn(move || {
        let field = (p < b.len()).then(|| field(b, p))?;
        p = field.as_ref().map_or(b.len(), |field| field.end);
        Some(field)
    })
}

fn field(b: &[u8], start: usize) -> Result<RawField, DecodeError> {
    let mut content = start;
    let tag = varint(b, &mut content)?;
    let end = match tag & 7 {
        2 => length(b, &mut content)?,
        _ => skip(b, content, (start, tag), &[], 0)?,
    };
    Ok(RawField { tag, start, content, end })
}
