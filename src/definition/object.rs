//! One JSON object of a definition, with the position of each of its parts.
//!
//! `serde_json` has decided what the values are; the syntax tree beside it only tells where they stand. After an override
//! the two may differ, so a position is always optional. A key that is `null` is absent. Every reader either returns a
//! value or adds the reason to the findings and returns [`Reported`].

use super::problem::{ByteRange, Checked, Findings, Place, Reported, did_you_mean};
use super::syntax::range_of;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Spans longer than this (146 years) cannot be added to a timestamp.
const LONGEST_MS: i64 = (1 << 62) / 1_000_000;

/// The keys that the published format knows of one kind of object, with blanks between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    settable: &'static str,
    other: &'static str,
}

impl Keys {
    /// Those with one scalar, which an override can name; and those that hold lists or objects, or come from a server's export
    /// and do not matter for the evaluation.
    pub(super) const fn of(settable: &'static str, other: &'static str) -> Keys {
        Keys { settable, other }
    }

    pub(super) fn settable(self) -> impl Iterator<Item = &'static str> + Clone {
        self.settable.split_whitespace()
    }

    /// Every key.
    fn all(self) -> impl Iterator<Item = &'static str> {
        self.settable().chain(self.other.split_whitespace())
    }

    /// Whether the key is known.
    pub(super) fn knows(self, key: &str) -> bool {
        self.all().any(|k| k == key)
    }

    /// Whether an override can name the key.
    pub(super) fn can_set(self, key: &str) -> bool {
        self.settable().any(|k| k == key)
    }
}

/// The longest text the published format allows for a key, in characters.
fn longest(key: &str) -> Option<usize> {
    match key {
        "name" => Some(256),
        "entityType" | "matchingEntityType" => Some(64),
        "query" | "matchingEntityLabel" => Some(2048),
        "description" => Some(32_765),
        "metricName" => Some(512),
        _ => None,
    }
}

/// An object and its position.
#[derive(Clone)]
pub(super) struct Object<'a> {
    /// Its values.
    pub(super) map: &'a serde_json::Map<String, Json>,
    /// Its node in the syntax tree.
    pub(super) tree: Option<&'a ast::Object<'a>>,
    /// Its path inside the definition; empty for the definition itself.
    pub(super) path: String,
    pub(super) findings: &'a Findings<'a>,
}

/// A value that is present and not `null`.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// The value.
    pub(super) json: &'a Json,
    /// Its node in the syntax tree.
    tree: Option<&'a ast::Value<'a>>,
    /// Its path inside the definition.
    pub(super) path: String,
    findings: &'a Findings<'a>,
}

impl<'a> Object<'a> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let json = self.map.get(key).filter(|json| !json.is_null())?;
        let tree = self.tree.and_then(|t| t.properties.iter().rfind(|p| p.name.as_str() == key)).map(|p| &p.value);
        Some(Field { json, tree, path: self.path_of(key), findings: self.findings })
    }

    /// The value of a key, read by one of a field's methods; absent is `None`.
    pub(super) fn read<T>(&self, key: &str, read: impl FnOnce(&Field<'a>) -> Checked<T>) -> Checked<Option<T>> {
        self.get(key).map(|field| read(&field)).transpose()
    }

    /// The same for a key without which the definition cannot be evaluated.
    pub(super) fn required<T>(&self, key: &str, read: impl FnOnce(&Field<'a>) -> Checked<T>) -> Checked<T> {
        self.read(key, read)?.ok_or_else(|| self.missing(key))
    }

    /// The path of a key inside the definition.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key; the opening brace when it is missing.
    pub(super) fn at(&self, key: &str) -> Place<'a> {
        let range = self.get(key).and_then(|field| field.range()).or(self.brace());
        self.findings.place(range, self.path_of(key))
    }

    /// The object itself: its opening brace.
    pub(super) fn place(&self) -> Place<'a> {
        self.findings.place(self.brace(), self.path.clone())
    }

    fn brace(&self) -> Option<ByteRange> {
        self.tree.map(|t| (t.start(), t.start() + 1))
    }

    /// A text that must be there and one of a list, with what it stands for; `code` tells what is unknown when it is none.
    pub(super) fn one_of<T: Copy>(&self, key: &str, known: &[(impl AsRef<str>, T)], code: &'static str) -> Checked<T> {
        let text = self.required_text(key)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| name.as_ref() == text) {
            return Ok(*value);
        }
        let names = || known.iter().map(|(name, _)| name.as_ref());
        let help = did_you_mean(text, names())
            .unwrap_or_else(|| format!("known are {}", names().collect::<Vec<_>>().join(", ")));
        let what = code.trim_start_matches("unknown-");
        Err(self.at(key).refuse(code, format!("has the unknown {what} `{text}`"), Some(help)))
    }

    /// A text; absent is `None`.
    pub(super) fn text(&self, key: &str) -> Checked<Option<&'a str>> {
        let text = self.read(key, |field| field.json.as_str().ok_or_else(|| field.wrong_type("a text")))?;
        if let (Some(text), Some(limit)) = (text, longest(key))
            && text.chars().count() > limit
        {
            self.at(key).warn("too-long", format!("is longer than the {limit} characters the format allows"), None);
        }
        Ok(text)
    }

    /// A text that must be there and not blank, or the definition cannot be evaluated.
    pub(super) fn required_text(&self, key: &str) -> Checked<&'a str> {
        self.text(key)?.filter(|text| !text.trim().is_empty()).ok_or_else(|| self.missing(key))
    }

    /// Reports that a key which is needed for the evaluation is missing or empty.
    pub(super) fn missing(&self, key: &str) -> Reported {
        self.at(key).refuse("missing-key", "is missing", None)
    }

    /// Reports keys that are there twice and keys the format does not know (`known` is empty when nothing is known
    /// about the object). `elsewhere` tells for a key that is not known here what it belongs to.
    pub(super) fn check_keys(&self, known: &[Keys], elsewhere: fn(&str) -> Option<&'static str>) {
        let mut seen = BTreeSet::new();
        for property in self.tree.iter().flat_map(|tree| &tree.properties) {
            let key = property.name.as_str();
            let place = self.findings.place(Some(range_of(&property.name)), self.path_of(key));
            if !seen.insert(key) {
                place.warn("duplicate-key", "is there twice; the last one counts", None);
            } else if !known.is_empty() && !known.iter().any(|keys| keys.knows(key)) {
                let (what, help) = match elsewhere(key) {
                    Some(_) if self.get(key).is_none() => continue,
                    Some(owner) => (format!("is ignored: `{key}` belongs to {owner}"), None),
                    None => {
                        let help = did_you_mean(key, known.iter().flat_map(|keys| keys.all()));
                        ("is not a key of the format and is ignored".to_string(), help)
                    }
                };
                place.warn("unknown-key", what, help);
            }
        }
    }
}

impl<'a> Field<'a> {
    /// Its range and path.
    pub(super) fn at(&self) -> Place<'a> {
        self.findings.place(self.range(), self.path.clone())
    }

    fn range(&self) -> Option<ByteRange> {
        self.tree.map(range_of)
    }

    /// True or false.
    pub(super) fn bool(&self) -> Checked<bool> {
        self.json.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number.
    pub(super) fn integer(&self) -> Checked<i64> {
        whole(self.json).ok_or_else(|| self.wrong_type("a whole number"))
    }

    /// A number of milliseconds, not negative. Whole decimal numbers in quotes are accepted.
    pub(super) fn milliseconds(&self) -> Checked<i64> {
        let refused = || self.at().refuse("not-milliseconds", "is not a whole number of milliseconds", None);
        let ms = match self.json {
            Json::String(text) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(refused());
                }
                let help = Some(format!("write {text}"));
                self.at().warn("quoted-number", "is a text; the format wants a number", help);
                text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX })
            }
            Json::Number(number) => match whole(self.json) {
                Some(ms) => ms,
                None if number.as_f64().is_some_and(|v| v.abs() >= LONGEST_MS as f64) => i64::MAX,
                None => return Err(refused()),
            },
            _ => return Err(self.wrong_type("a number of milliseconds")),
        };
        match ms {
            ..0 => Err(self.at().refuse("out-of-range", "is negative", None)),
            0..=LONGEST_MS => Ok(ms),
            _ => Err(self.at().refuse("out-of-range", "is longer than can be evaluated (146 years)", None)),
        }
    }

    /// The value as an object.
    pub(super) fn object(&self) -> Checked<Object<'a>> {
        let map = self.json.as_object().ok_or_else(|| self.wrong_type("an object"))?;
        let tree = self.tree.and_then(|t| t.as_object());
        Ok(Object { map, tree, path: self.path.clone(), findings: self.findings })
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Checked<impl ExactSizeIterator<Item = Field<'a>>> {
        let list = self.json.as_array().ok_or_else(|| self.wrong_type("a list"))?;
        let tree = self.tree.and_then(|t| t.as_array());
        let (path, findings) = (self.path.clone(), self.findings);
        Ok(list.iter().enumerate().map(move |(i, json)| {
            let tree = tree.and_then(|t| t.elements.get(i));
            Field { json, tree, path: format!("{path}[{i}]"), findings }
        }))
    }

    /// The part of a text that is given by byte offsets; the whole value when that is not known.
    pub(super) fn part(&self, part: ByteRange) -> Place<'a> {
        let inside = |whole: ByteRange| {
            let literal = self.findings.source.get(whole.0 + 1..whole.1.checked_sub(1)?)?;
            Some((whole.0 + 1 + raw_offset(literal, part.0)?, whole.0 + 1 + raw_offset(literal, part.1)?))
        };
        self.findings.place(self.range().and_then(inside).or(self.range()), self.path.clone())
    }

    /// Reports that the value has the wrong JSON type.
    pub(super) fn wrong_type(&self, wanted: &str) -> Reported {
        self.at().wrong("wrong-type", format!("must be {wanted}, not {}", type_name(self.json)))
    }
}

/// The kind of a JSON value, with its article.
pub(super) fn type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// The whole number a JSON number is, `6e4` included.
fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| {
        let value = json.as_f64()?;
        (value.fract() == 0.0 && value.abs() < (1_i64 << 53) as f64).then_some(value as i64)
    })
}

/// The offset inside a string literal that stands for an offset of the text it means.
fn raw_offset(literal: &str, offset: usize) -> Option<usize> {
    let mut meant = 0;
    let mut chars = literal.char_indices();
    while let Some((at, c)) = chars.next() {
        if meant >= offset {
            return Some(at);
        }
        if c != '\\' {
            meant += c.len_utf8();
            continue;
        }
        match chars.next()?.1 {
            'u' => {
                let unit = u32::from_str_radix(literal.get(at + 2..at + 6)?, 16).ok()?;
                // Each half of a surrogate pair stands for two of the four bytes.
                meant += char::from_u32(unit).map_or(2, char::len_utf8);
                chars.nth(3)?;
            }
            _ => meant += 1,
        }
    }
    Some(literal.len())
}
