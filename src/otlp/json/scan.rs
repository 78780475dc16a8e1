//! JSON text, piece by piece: white space, strings, numbers, and values nobody looks at.
//!
//! Strict where RFC 8259 is: raw control characters, lone surrogates, `01`, `1.` and `+1` are errors. The text must be
//! UTF-8, which is checked before a scanner is made. Every error has the byte where it was found.
//! Written by hand because JSON parsers build values or call back for each; here most of a text becomes protobuf as it is read.
//!
//! What is rare is a function of its own that takes the position by value and hands the new one back, so that the position
//! of a scanner stays in a register where the common case goes on. No comparison is cast to a number here: rustc 1.95
//! forgets to compute a comparison with a constant that is both cast and branched on.

use super::super::wire::{DecodeError, MAX_DEPTH, error};
use std::borrow::Cow;

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    pub(super) b: &'a [u8],
    pub(super) p: usize,
}

/// The inside of a string as it is written.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a [u8],
    /// Where `raw` begins.
    pub(super) at: usize,
    pub(super) escaped: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks (in the high bits) the bytes that end the plain part of a string: quote, backslash, control characters. Marks
/// above the lowest one may be wrong.
#[inline(always)]
fn string_stops(x: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = x.wrapping_sub(ONES * 0x20) & !x;
    (zero(x ^ (ONES * b'"' as u64)) | zero(x ^ (ONES * b'\\' as u64)) | control) & HIGHS
}

/// Takes decimal digits and appends them to `value`, which wraps when there are more than 19.
#[inline(always)]
fn take_digits(b: &[u8], p: &mut usize, mut value: u64) -> u64 {
    while let Some(word) = b.get(*p..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let high_halves = ONES * 0xf0;
        let only_digits = (word & high_halves) | ((word.wrapping_add(ONES * 6) & high_halves) >> 4) == ONES * 0x33;
        if !only_digits {
            break;
        }
        // Pairs, fours and then all eight digits at once; the first digit is in the lowest byte.
        let digits = word & (ONES * 0x0f);
        let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
        let eight = (fours * 10_000 + (fours >> 32)) & 0xffff_ffff;
        value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        *p += 8;
    }
    while let Some(digit @ 0..10) = b.get(*p).map(|c| c.wrapping_sub(b'0')) {
        value = value.wrapping_mul(10).wrapping_add(digit as u64);
        *p += 1;
    }
    value
}

impl<'a> Scanner<'a> {
    /// The next byte that is not white space, 0 at the end of the text.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> u8 {
        match self.b.get(self.p) {
            Some(&c) if c > b' ' => c,
            _ => {
                self.p = behind_space(self.b, self.p);
                // A zero byte in the text is no more welcome than the end of the text, wherever either is met.
                self.b.get(self.p).copied().unwrap_or(0)
            }
        }
    }

    /// Takes `c` when it comes next.
    #[inline(always)]
    pub(super) fn take(&mut self, c: u8) -> bool {
        if self.peek() == c {
            self.p += 1;
            return true;
        }
        false
    }

    /// Takes `c`, which must come next.
    #[inline(always)]
    pub(super) fn expect(&mut self, c: u8, what: &'static str) -> Result<(), DecodeError> {
        if self.take(c) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    /// What to say when something else should stand here.
    pub(super) fn unexpected(&self, what: &'static str) -> DecodeError {
        unexpected(self.b, self.p, what)
    }

    /// After an element: true when another one follows, false when `close` was taken.
    #[inline(always)]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, DecodeError> {
        let c = self.peek();
        if c != b',' && c != close {
            return Err(self.unexpected("neither a comma nor a closing bracket"));
        }
        self.p += 1;
        Ok(c == b',')
    }

    /// Takes one of the words `true`, `false` and `null`.
    #[inline(always)]
    pub(super) fn word(&mut self, word: &'static str) -> Result<(), DecodeError> {
        if !self.b.get(self.p..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.unexpected("an unknown word"));
        }
        self.p += word.len();
        Ok(())
    }

    /// Takes a string.
    #[inline(always)]
    pub(super) fn string(&mut self, what: &'static str) -> Result<Quoted<'a>, DecodeError> {
        self.expect(b'"', what)?;
        let at = self.p;
        let mut escaped = false;
        loop {
            if let Some(word) = self.b.get(self.p..).and_then(|rest| rest.first_chunk::<8>()) {
                let stops = string_stops(u64::from_le_bytes(*word));
                if stops == 0 {
                    self.p += 8;
                    continue;
                }
                self.p += (stops.trailing_zeros() / 8) as usize;
            }
            match self.b.get(self.p) {
                Some(b'"') => {
                    let raw = &self.b[at..self.p];
                    self.p += 1;
                    return Ok(Quoted { raw, at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.p += 2;
                }
                Some(0..0x20) => return Err(error("a raw control character in a string", self.p)),
                Some(_) => self.p += 1,
                None => return Err(error("the text ends inside a string", self.b.len())),
            }
        }
    }

    /// Takes an integer, written as a number or as a string.
    #[inline(always)]
    pub(super) fn integer<T: TryFrom<i128>>(&mut self) -> Result<T, DecodeError> {
        let quoted = self.peek() == b'"';
        let at = self.p;
        let mut p = if quoted { self.p + 1 } else { self.p };
        let negative = self.b.get(p) == Some(&b'-');
        if negative {
            p += 1;
        }
        let digits = p;
        let magnitude = take_digits(self.b, &mut p, 0);
        let plain = match self.b.get(p) {
            Some(b'"') => quoted,
            Some(b'.' | b'e' | b'E') => false,
            _ => !quoted,
        };
        let canonical = (1..20).contains(&(p - digits)) && (self.b[digits] != b'0' || p - digits == 1);
        let value;
        if plain && canonical {
            value = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
            self.p = if quoted { p + 1 } else { p };
        } else {
            (value, self.p) = unusual_integer(self.b, self.p)?;
        }
        T::try_from(value).map_err(|_| error("an integer out of range", at))
    }

    /// Takes a double, written as a number or as a string.
    #[inline(always)]
    pub(super) fn double(&mut self) -> Result<f64, DecodeError> {
        self.peek();
        let mut p = self.p;
        let negative = self.b.get(p) == Some(&b'-');
        if negative {
            p += 1;
        }
        let whole = p;
        let mut mantissa = take_digits(self.b, &mut p, 0);
        let mut decimals = 0;
        let mut canonical = p > whole && (p == whole + 1 || self.b[whole] != b'0');
        if self.b.get(p) == Some(&b'.') {
            let point = p + 1;
            p = point;
            mantissa = take_digits(self.b, &mut p, mantissa);
            decimals = p - point;
            canonical &= decimals > 0;
        }
        canonical &= !matches!(self.b.get(p), Some(b'e' | b'E'));
        // Both the digits and the power of ten are exact doubles then, so the one division rounds correctly.
        if canonical && p - whole <= 19 && mantissa <= 1 << 53 {
            self.p = p;
            let value = mantissa as f64 / POWERS_OF_TEN[decimals];
            return Ok(if negative { -value } else { value });
        }
        let (value, end) = unusual_double(self.b, self.p)?;
        self.p = end;
        Ok(value)
    }

    fn skip_string(&mut self) -> Result<(), DecodeError> {
        self.string("something else where a key must be")?.text(&mut Vec::new()).map(drop)
    }
}

#[inline(never)]
fn behind_space(b: &[u8], mut p: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = b.get(p) {
        p += 1;
    }
    p
}

#[cold]
#[inline(never)]
fn unexpected(b: &[u8], p: usize, what: &'static str) -> DecodeError {
    let p = behind_space(b, p);
    error(if p < b.len() { what } else { "the text ends too early" }, p)
}

#[cold]
#[inline(never)]
fn unusual_integer(b: &[u8], start: usize) -> Result<(i128, usize), DecodeError> {
    let (text, end) = number_text(b, start, "something else where an integer must be")?;
    if number_end(text.as_bytes(), 0) != Some(text.len()) {
        return Err(error("text that is not a number", start));
    }
    let value = exact_integer(&text).map_err(|what| error(what, start))?;
    Ok((value, end))
}

#[inline(never)]
fn unusual_double(b: &[u8], start: usize) -> Result<(f64, usize), DecodeError> {
    let (text, end) = number_text(b, start, "something else where a number must be")?;
    let is_number = number_end(text.as_bytes(), 0) == Some(text.len());
    let value = match &*text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        text => match text.parse::<f64>() {
            Ok(value) if is_number && value.is_finite() => value,
            Ok(_) if is_number => return Err(error("a number out of range", start)),
            _ => return Err(error("text that is not a number", start)),
        },
    };
    Ok((value, end))
}

/// The text of a number, or of a string that should hold one, and where it ends.
fn number_text<'a>(b: &'a [u8], p: usize, what: &'static str) -> Result<(Cow<'a, str>, usize), DecodeError> {
    let mut scan = Scanner { b, p };
    if scan.peek() == b'"' {
        let mut scratch = Vec::new();
        let text = scan.string(what)?.text(&mut scratch)?;
        return Ok((String::from_utf8_lossy(text).into_owned().into(), scan.p));
    }
    let end = number_end(b, p).ok_or_else(|| unexpected(b, p, what))?;
    Ok((String::from_utf8_lossy(&b[p..end]), end))
}

/// Where the value of any kind that comes next ends. `depth` counts the messages, objects and arrays around it.
#[inline(never)]
pub(super) fn skip(b: &[u8], p: usize, depth: u32) -> Result<usize, DecodeError> {
    let mut scan = Scanner { b, p };
    let c = scan.peek();
    match c {
        b'"' => scan.skip_string()?,
        b't' => scan.word("true")?,
        b'f' => scan.word("false")?,
        b'n' => scan.word("null")?,
        b'{' | b'[' => {
            if depth >= MAX_DEPTH {
                return Err(error("values nested too deeply", scan.p));
            }
            scan.p += 1;
            // The closing brackets lie two behind the opening ones in ASCII.
            let close = c + 2;
            if scan.take(close) {
                return Ok(scan.p);
            }
            loop {
                if c == b'{' {
                    scan.skip_string()?;
                    scan.expect(b':', "no colon after a key")?;
                }
                scan.p = skip(b, scan.p, depth + 1)?;
                if !scan.more(close)? {
                    return Ok(scan.p);
                }
            }
        }
        _ => scan.p = number_end(b, scan.p).ok_or_else(|| scan.unexpected("no value"))?,
    }
    Ok(scan.p)
}

const POWERS_OF_TEN: [f64; 20] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19];

/// Where the JSON number that begins at `p` ends.
fn number_end(b: &[u8], mut p: usize) -> Option<usize> {
    let digits = |mut p: usize| {
        let start = p;
        while b.get(p).is_some_and(u8::is_ascii_digit) {
            p += 1;
        }
        (p > start).then_some(p)
    };
    if b.get(p) == Some(&b'-') {
        p += 1;
    }
    p = if b.get(p) == Some(&b'0') { p + 1 } else { digits(p)? };
    if b.get(p) == Some(&b'.') {
        p = digits(p + 1)?;
    }
    if let Some(b'e' | b'E') = b.get(p) {
        let signed = matches!(b.get(p + 1), Some(b'+' | b'-'));
        p = digits(if signed { p + 2 } else { p + 1 })?;
    }
    Some(p)
}

/// The integer a JSON number stands for, when it is one: `1e3`, `1.0` and `12.50e1` are.
fn exact_integer(text: &str) -> Result<i128, &'static str> {
    let (sign, text) = text.split_at(usize::from(text.starts_with('-')));
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    // Beyond any length a text can have, the exact exponent no longer matters.
    let exponent = power.parse().unwrap_or(if power.starts_with('-') { i64::MIN } else { i64::MAX });
    let zeros = exponent.saturating_add(whole.len() as i64 - digits.len() as i64);
    if zeros < 0 {
        return Err("a fraction where an integer must be");
    }
    let zeros = "0".repeat(zeros.min(20) as usize);
    format!("{sign}{digits}{zeros}").parse().map_err(|_| "an integer out of range")
}

impl<'a> Quoted<'a> {
    /// The text of the string; `scratch` holds it when it had to be unescaped.
    #[inline(always)]
    pub(super) fn text<'s>(self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], DecodeError>
    where
        'a: 's,
    {
        if !self.escaped {
            return Ok(self.raw);
        }
        scratch.clear();
        self.unescape(scratch)?;
        Ok(scratch)
    }

    #[inline(never)]
    fn unescape(self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let mut p = 0;
        while let Some(&c) = self.raw.get(p) {
            if c != b'\\' {
                out.push(c);
                p += 1;
                continue;
            }
            let plain = match self.raw.get(p + 1) {
                Some(&c @ (b'"' | b'\\' | b'/')) => c,
                Some(b'b') => 0x08,
                Some(b'f') => 0x0c,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'u') => {
                    let (c, length) = self.unicode_escape(p)?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    p += length;
                    continue;
                }
                _ => return Err(error("an unknown escape in a string", self.at + p)),
            };
            out.push(plain);
            p += 2;
        }
        Ok(())
    }

    /// The character of a `\uXXXX` escape or of two that form a surrogate pair, and the length of what was read.
    fn unicode_escape(self, p: usize) -> Result<(char, usize), DecodeError> {
        let unit = |p: usize| {
            let digits = self.raw.get(p..p + 6)?.strip_prefix(b"\\u")?;
            digits.iter().try_fold(0, |unit, &c| Some(unit << 4 | (c as char).to_digit(16)? as u16))
        };
        let units = [p, p + 6].into_iter().map_while(unit);
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok((c, 6 * c.len_utf16())),
            Some(Err(_)) => Err(error("half of a surrogate pair", self.at + p)),
            None => Err(error("an unknown escape in a string", self.at + p)),
        }
    }
}
