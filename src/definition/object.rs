//! One JSON object of a definition, with the position of each of its parts.
//!
//! `serde_json` has decided what the values are; the syntax tree beside it only tells where they stand. After an override
//! the two may differ, so a position is always optional. A key that is `null` is absent. Every reader either returns a
//! value or adds the reason to the findings and returns [`Reported`].

use super::findings::{ByteRange, Findings, Location, Reported, did_you_mean};
use super::problem::Severity;
use super::syntax::range_of;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Spans longer than this (146 years) cannot be added to a timestamp.
const LONGEST_MS: i64 = (1 << 62) / 1_000_000;

/// The keys that the published format knows of one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Keys with one scalar, which an override can name.
    pub(super) settable: &'static [&'static str],
    /// Keys that hold lists or objects, or come from a server's export and do not matter for the evaluation.
    pub(super) other: &'static [&'static str],
}

impl Keys {
    /// Every key.
    pub(super) fn all(self) -> impl Iterator<Item = &'static str> {
        self.settable.iter().chain(self.other).copied()
    }

    /// Whether the key is known.
    pub(super) fn knows(self, key: &str) -> bool {
        self.all().any(|k| k == key)
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
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    /// Its values.
    pub(super) map: &'a serde_json::Map<String, Json>,
    /// Its node in the syntax tree.
    pub(super) tree: Option<&'a ast::Object<'a>>,
    /// Its path inside the definition; empty for the definition itself.
    pub(super) path: String,
}

/// A value that is present and not `null`.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    /// The value.
    pub(super) json: &'a Json,
    /// Its node in the syntax tree.
    pub(super) tree: Option<&'a ast::Value<'a>>,
    /// Its path inside the definition.
    pub(super) path: String,
}

impl<'a> Object<'a> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let json = self.map.get(key).filter(|json| !json.is_null())?;
        let tree = self.tree.and_then(|t| t.properties.iter().rfind(|p| p.name.as_str() == key)).map(|p| &p.value);
        Some(Field { json, tree, path: self.path_of(key) })
    }

    /// The path of a key inside the definition.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The object itself: its opening brace.
    pub(super) fn location(&self) -> Location {
        Location { range: self.brace(), path: self.path.clone() }
    }

    /// The value of a key; the opening brace when it is missing.
    pub(super) fn location_of(&self, key: &str) -> Location {
        let range = self.get(key).and_then(|field| field.range()).or(self.brace());
        Location { range, path: self.path_of(key) }
    }

    fn brace(&self) -> Option<ByteRange> {
        self.tree.map(|t| (t.start(), t.start() + 1))
    }

    /// Adds a mistake about a key; `message` is given its path.
    pub(super) fn report(
        &self,
        key: &str,
        severity: Severity,
        code: &'static str,
        message: impl FnOnce(&str) -> String,
        help: Option<String>,
        findings: &mut Findings,
    ) -> Reported {
        let location = self.location_of(key);
        let message = message(&location.path);
        findings.add(severity, code, location, message, help)
    }

    /// A text that must be there and one of a list, with what it stands for; `what` is the noun for it.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &str,
        known: &[(&'static str, T)],
        (code, what): (&'static str, &str),
        findings: &mut Findings,
    ) -> Result<T, Reported> {
        let text = self.required_text(key, findings)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return Ok(*value);
        }
        let names = || known.iter().map(|(name, _)| *name);
        let help = did_you_mean(text, names())
            .unwrap_or_else(|| format!("known are {}", names().collect::<Vec<_>>().join(", ")));
        let message = |path: &str| format!("`{path}` has the unknown {what} `{text}`");
        Err(self.report(key, Severity::Unevaluable, code, message, Some(help), findings))
    }

    /// A text; absent is `None`.
    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Result<Option<&'a str>, Reported> {
        let Some(field) = self.get(key) else {
            return Ok(None);
        };
        let Json::String(text) = field.json else {
            return Err(field.wrong_type("a text", findings));
        };
        if let Some(limit) = longest(key)
            && text.chars().count() > limit
        {
            let message = format!("`{}` is longer than the {limit} characters the format allows", field.path);
            findings.add(Severity::Warning, "too-long", field.location(), message, None);
        }
        Ok(Some(text))
    }

    /// A text that must be there and not blank, or the definition cannot be evaluated.
    pub(super) fn required_text(&self, key: &str, findings: &mut Findings) -> Result<&'a str, Reported> {
        match self.text(key, findings)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.missing(key, findings)),
        }
    }

    /// True or false; absent is `None`.
    pub(super) fn bool(&self, key: &str, findings: &mut Findings) -> Result<Option<bool>, Reported> {
        self.get(key)
            .map(|field| field.json.as_bool().ok_or_else(|| field.wrong_type("true or false", findings)))
            .transpose()
    }

    /// A whole number; absent is `None`.
    pub(super) fn integer(&self, key: &str, findings: &mut Findings) -> Result<Option<i64>, Reported> {
        self.get(key)
            .map(|field| whole(field.json).ok_or_else(|| field.wrong_type("a whole number", findings)))
            .transpose()
    }

    /// A number of milliseconds, not negative; absent is `None`. Whole decimal numbers in quotes are accepted.
    pub(super) fn milliseconds(&self, key: &str, findings: &mut Findings) -> Result<Option<i64>, Reported> {
        let Some(field) = self.get(key) else {
            return Ok(None);
        };
        let path = &field.path;
        let ms = match field.json {
            Json::String(text) => field.quoted_milliseconds(text, findings)?,
            Json::Number(number) => match whole(field.json) {
                Some(ms) => ms,
                None if number.as_f64().is_some_and(|v| v.abs() >= LONGEST_MS as f64) => i64::MAX,
                None => return Err(field.not_milliseconds(findings)),
            },
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
                return Err(field.wrong_type("a number of milliseconds", findings));
            }
        };
        let message = if ms < 0 {
            format!("`{path}` is negative")
        } else if ms > LONGEST_MS {
            format!("`{path}` is longer than can be evaluated (146 years)")
        } else {
            return Ok(Some(ms));
        };
        Err(findings.add(Severity::Unevaluable, "out-of-range", field.location(), message, None))
    }

    /// Reports that a key which is needed for the evaluation is missing or empty.
    pub(super) fn missing(&self, key: &str, findings: &mut Findings) -> Reported {
        self.report(key, Severity::Unevaluable, "missing-key", |path| format!("`{path}` is missing"), None, findings)
    }

    /// An object inside this one; absent is `None`.
    pub(super) fn object(&self, key: &str, findings: &mut Findings) -> Result<Option<Object<'a>>, Reported> {
        self.get(key).map(|field| field.object().ok_or_else(|| field.wrong_type("an object", findings))).transpose()
    }

    /// Reports keys that are there twice and keys the format does not know (`known` is empty when nothing is known
    /// about the object). `elsewhere` tells for a key that is not known here what it belongs to.
    pub(super) fn check_keys(
        &self,
        known: &[Keys],
        elsewhere: fn(&str) -> Option<&'static str>,
        findings: &mut Findings,
    ) {
        let Some(tree) = self.tree else {
            return;
        };
        let mut seen = BTreeSet::new();
        for property in &tree.properties {
            let key = property.name.as_str();
            let path = self.path_of(key);
            let location = Location { range: Some(range_of(&property.name)), path: path.clone() };
            if !seen.insert(key) {
                let message = format!("`{path}` is there twice; the last one counts");
                findings.add(Severity::Warning, "duplicate-key", location, message, None);
            } else if !known.is_empty() && !known.iter().any(|keys| keys.knows(key)) {
                let (message, help) = match elsewhere(key) {
                    Some(_) if self.get(key).is_none() => continue,
                    Some(owner) => (format!("`{path}` is ignored: `{key}` belongs to {owner}"), None),
                    None => {
                        let candidates = known.iter().flat_map(|keys| keys.all());
                        (format!("`{path}` is not a key of the format and is ignored"), did_you_mean(key, candidates))
                    }
                };
                findings.add(Severity::Warning, "unknown-key", location, message, help);
            }
        }
    }
}

impl<'a> Field<'a> {
    /// Its range and path.
    pub(super) fn location(&self) -> Location {
        Location { range: self.range(), path: self.path.clone() }
    }

    /// Its byte range.
    pub(super) fn range(&self) -> Option<ByteRange> {
        self.tree.map(range_of)
    }

    /// The value as an object.
    pub(super) fn object(&self) -> Option<Object<'a>> {
        let map = self.json.as_object()?;
        Some(Object { map, tree: self.tree.and_then(|t| t.as_object()), path: self.path.clone() })
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Option<impl Iterator<Item = Field<'a>>> {
        let list = self.json.as_array()?;
        let tree = self.tree.and_then(|t| t.as_array());
        let path = self.path.clone();
        Some(list.iter().enumerate().map(move |(i, json)| Field {
            json,
            tree: tree.and_then(|t| t.elements.get(i)),
            path: format!("{path}[{i}]"),
        }))
    }

    /// The byte range of a part of a text, given by byte offsets of the text; the whole value when that is not known.
    pub(super) fn range_inside(&self, source: &str, part: ByteRange) -> Option<ByteRange> {
        let whole = self.range()?;
        let literal = source.get(whole.0 + 1..whole.1.checked_sub(1)?)?;
        let from = raw_offset(literal, part.0)?;
        let to = raw_offset(literal, part.1)?;
        Some((whole.0 + 1 + from, whole.0 + 1 + to))
    }

    /// Reports that the value has the wrong JSON type.
    pub(super) fn wrong_type(&self, wanted: &str, findings: &mut Findings) -> Reported {
        let message = format!("`{}` must be {wanted}, not {}", self.path, type_name(self.json));
        findings.add(Severity::Error, "wrong-type", self.location(), message, None)
    }

    fn not_milliseconds(&self, findings: &mut Findings) -> Reported {
        let message = format!("`{}` is not a whole number of milliseconds", self.path);
        findings.add(Severity::Unevaluable, "not-milliseconds", self.location(), message, None)
    }

    fn quoted_milliseconds(&self, text: &str, findings: &mut Findings) -> Result<i64, Reported> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.not_milliseconds(findings));
        }
        let message = format!("`{}` is a text; the format wants a number", self.path);
        findings.add(Severity::Warning, "quoted-number", self.location(), message, Some(format!("write {text}")));
        Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
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
