//! `{{name}}` placeholders, filled in the raw text before anything is parsed.
//!
//! Values go in as they are: nothing is escaped, so a number, a list or a part of a text can be set alike. Names that
//! are not set stay as they stand. Every offset of the new text leads back to the text as written, so that a mistake is
//! shown where the author can see it.

use std::collections::BTreeMap;

/// A text whose placeholders are filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Substituted {
    /// The new text.
    pub text: String,
    /// The placeholders in the order of the text, set or not.
    pub placeholders: Vec<Placeholder>,
}

/// One `{{name}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The name between the braces.
    pub name: String,
    /// Whether it has a value.
    pub set: bool,
    /// Byte range in the text as written, braces included.
    pub written: (usize, usize),
    /// Byte range in the new text.
    pub filled: (usize, usize),
}

/// Fills the placeholders of a text. A name is made of ASCII letters, digits and `_`; spaces around it are free.
pub fn substitute(text: &str, params: &BTreeMap<String, String>) -> Substituted {
    let mut out = Substituted { text: String::with_capacity(text.len()), placeholders: Vec::new() };
    let mut copied = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|i| at + i) {
        let Some((name, end)) = placeholder_at(text, open) else {
            at = open + 1;
            continue;
        };
        out.text.push_str(&text[copied..open]);
        let start = out.text.len();
        let value = params.get(name);
        out.text.push_str(value.map_or(&text[open..end], String::as_str));
        out.placeholders.push(Placeholder {
            name: name.to_string(),
            set: value.is_some(),
            written: (open, end),
            filled: (start, out.text.len()),
        });
        copied = end;
        at = end;
    }
    out.text.push_str(&text[copied..]);
    out
}

/// The name of the placeholder that begins at `open`, and the offset behind it.
fn placeholder_at(text: &str, open: usize) -> Option<(&str, usize)> {
    let inside = text[open + 2..].trim_ascii_start();
    let length = inside.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (name, rest) = inside.split_at(length);
    let rest = rest.trim_ascii_start().strip_prefix("}}")?;
    (!name.is_empty()).then_some((name, text.len() - rest.len()))
}

impl Substituted {
    /// The byte range of the text as written that a range of the new text comes from. A position inside a
    /// filled value leads to the whole placeholder.
    pub fn origin(&self, (start, end): (usize, usize)) -> (usize, usize) {
        let before_start = self.placeholders.partition_point(|p| p.filled.0 <= start);
        let before_end = self.placeholders.partition_point(|p| p.filled.0 < end);
        let translate = |offset: usize, before: usize, inside: fn(&Placeholder) -> usize| {
            let last = before.checked_sub(1).and_then(|i| self.placeholders.get(i));
            last.map_or(offset, |p| if offset < p.filled.1 { inside(p) } else { offset - p.filled.1 + p.written.1 })
        };
        let from = translate(start, before_start, |p| p.written.0);
        (from, translate(end, before_end, |p| p.written.1).max(from))
    }

    /// The placeholder whose value, or whose braces when it is not set, cover an offset of the new text.
    pub fn placeholder_at(&self, offset: usize) -> Option<&Placeholder> {
        let next = self.placeholders.partition_point(|p| p.filled.0 <= offset);
        let p = self.placeholders.get(next.checked_sub(1)?)?;
        (offset < p.filled.1).then_some(p)
    }
}
