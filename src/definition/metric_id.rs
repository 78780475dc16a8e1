//! Metric ids: which series a `metricName` or `metricPattern` means.
//!
//! Both are parsed once and then matched with each new series, which allocates nothing for an id. Scope and metric
//! names may hold `/` and `.`, so a path is never split: it is compared whole, once with the scope and once without.
//! Absent on purpose: what comes closest when nothing matches; that needs to know what was received.

use super::wildcard::MatchOperator;
use crate::model::{Attributes, Kind, MetricIdentity};

/// A parsed `metricName`: `metrics.{gauges|sums|histograms}.[<scope>/]<metric>[{attributes}]`.
///
/// An id that does not start with one of the three kinds (a host's `cpu.used`) is legal and selects nothing. The first
/// `{` begins the attributes, because attribute values often hold braces (`{http.route="/users/{id}"}`) and
/// OpenTelemetry's naming rules keep them out of metric names; a metric that has one all the same can only be reached
/// by a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricId {
    /// The id as written.
    pub text: String,
    plural: Option<&'static str>,
    path: String,
    attributes: Option<AttributeSet>,
}

/// Why an id or the attributes of one cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct MetricIdError {
    /// What is wrong, as the end of a sentence.
    pub what: &'static str,
    /// Byte offset in the text that was parsed.
    pub offset: usize,
}

impl MetricId {
    /// Reads an id.
    pub fn parse(text: &str) -> Result<MetricId, MetricIdError> {
        let (body, attributes) = split_suffix(text)?;
        let (plural, path) = match kind_word(body) {
            Some((plural, path)) => (Some(plural), path),
            None => (None, body),
        };
        if path.is_empty() {
            return Err(MetricIdError { what: "it names no metric", offset: body.len() });
        }
        Ok(MetricId { text: text.to_string(), plural, path: path.to_string(), attributes })
    }

    /// Whether the id means the series.
    pub fn selects(&self, metric: &MetricIdentity, attributes: &Attributes) -> bool {
        self.selects_metric(metric) && self.attributes.as_ref().is_none_or(|set| set.equals(attributes))
    }

    /// Whether the id means the metric, whatever the attributes of its series.
    pub fn selects_metric(&self, metric: &MetricIdentity) -> bool {
        self.plural == Some(metric.kind.plural()) && is_path(&self.path, metric)
    }

    /// The word for the kind (`gauges`, `sums`, `histograms`), when the id has one.
    pub fn plural(&self) -> Option<&'static str> {
        self.plural
    }

    /// `[<scope>/]<metric>`; the whole id without its attributes when it has no word for the kind.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same metric with any attributes, when the id has some; with from what to what.
    pub(super) fn wider(&self) -> Option<(String, MetricId)> {
        let (wider, _) = self.text.split_once('{')?;
        Some((format!("{} to {wider}", self.text), MetricId::parse(wider).ok()?))
    }

    /// Whether the id ends with attributes, `{}` included.
    pub fn has_attributes(&self) -> bool {
        self.attributes.is_some()
    }
}

/// A parsed `metricPattern`: `<prefix>.<middle>[.<postfix>]`, where the middle is free and compared with a placeholder.
///
/// It is matched against the whole id, `metrics.<kind>s.<path>`, once with the scope and once without. Case counts. A
/// `{…}` at the end of the postfix is an attribute set, as at the end of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricPattern {
    /// Text before the middle.
    pub prefix: String,
    /// Text after the middle, as written.
    pub postfix: String,
    /// What the middle is compared with.
    pub placeholder: String,
    /// How it is compared.
    pub operator: MatchOperator,
    tail: String,
    attributes: Option<AttributeSet>,
}

impl MetricPattern {
    /// A pattern from its four parts. The error is about the postfix, the only part with a grammar.
    pub fn parse(
        prefix: &str,
        operator: MatchOperator,
        placeholder: &str,
        postfix: &str,
    ) -> Result<MetricPattern, MetricIdError> {
        let (tail, attributes) = split_suffix(postfix)?;
        Ok(MetricPattern {
            prefix: prefix.to_string(),
            postfix: postfix.to_string(),
            placeholder: placeholder.to_string(),
            operator,
            tail: tail.to_string(),
            attributes,
        })
    }

    /// Whether the pattern means the series.
    pub fn selects(&self, metric: &MetricIdentity, attributes: &Attributes) -> bool {
        self.selects_metric(metric) && self.attributes.as_ref().is_none_or(|set| set.equals(attributes))
    }

    /// Whether the pattern means the metric, whatever the attributes of its series.
    pub fn selects_metric(&self, metric: &MetricIdentity) -> bool {
        metric.kind != Kind::Summary
            && (self.fits(&metric.id()) || self.fits(&format!("metrics.{}.{}", metric.kind.plural(), metric.name)))
    }

    fn fits(&self, id: &str) -> bool {
        self.middle(id).is_some_and(|middle| self.operator.matches(middle, &self.placeholder))
    }

    fn middle<'a>(&self, id: &'a str) -> Option<&'a str> {
        let rest = id.strip_prefix(self.prefix.as_str())?.strip_prefix('.')?;
        let middle =
            if self.tail.is_empty() { rest } else { rest.strip_suffix(self.tail.as_str())?.strip_suffix('.')? };
        (!middle.is_empty()).then_some(middle)
    }
}

/// An exact set of attributes, values as text, sorted by key, each key once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AttributeSet(Vec<(String, String)>);

impl AttributeSet {
    fn equals(&self, attributes: &Attributes) -> bool {
        self.0.len() == attributes.len()
            && self.0.iter().zip(attributes.iter()).all(|((k, v), (key, value))| k == key && *v == value.to_text())
    }
}

fn kind_word(body: &str) -> Option<(&'static str, &str)> {
    let rest = body.strip_prefix("metrics.")?;
    [Kind::Gauge, Kind::Sum, Kind::Histogram].into_iter().find_map(|kind| {
        let path = rest.strip_prefix(kind.plural())?.strip_prefix('.')?;
        Some((kind.plural(), path))
    })
}

fn is_path(path: &str, metric: &MetricIdentity) -> bool {
    path == metric.name
        || (!metric.scope.is_empty()
            && path.strip_suffix(metric.name.as_str()).and_then(|p| p.strip_suffix('/')) == Some(&metric.scope))
}

/// The text before the first `{`, and the attributes from there to the end.
fn split_suffix(text: &str) -> Result<(&str, Option<AttributeSet>), MetricIdError> {
    let Some(open) = text.find('{') else {
        if text.ends_with('}') {
            return Err(MetricIdError { what: "its `}` has no `{`", offset: text.len() - 1 });
        }
        return Ok((text, None));
    };
    let (body, suffix) = text.split_at(open);
    let mut pairs = SuffixReader { text: suffix, at: 1 }
        .pairs()
        .map_err(|e| MetricIdError { what: e.what, offset: open + e.offset })?;
    pairs.sort();
    if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(MetricIdError { what: "an attribute is named twice", offset: open });
    }
    Ok((body, Some(AttributeSet(pairs))))
}

/// Reads `{key="value",…}`; `at` stands behind the `{`.
struct SuffixReader<'a> {
    text: &'a str,
    at: usize,
}

impl SuffixReader<'_> {
    fn pairs(mut self) -> Result<Vec<(String, String)>, MetricIdError> {
        let mut pairs = Vec::new();
        self.skip_spaces();
        while !self.eat('}') {
            if !pairs.is_empty() {
                self.expect(',', "a `,` or `}` is missing behind an attribute")?;
                self.skip_spaces();
            }
            pairs.push((self.key()?, self.value()?));
            self.skip_spaces();
        }
        if self.at < self.text.len() {
            return Err(self.error("there is text behind its attributes"));
        }
        Ok(pairs)
    }

    fn key(&mut self) -> Result<String, MetricIdError> {
        let rest = &self.text[self.at..];
        let end = rest.find(['=', ',', '"', '{', '}']).unwrap_or(rest.len());
        let key = rest[..end].trim();
        if key.is_empty() {
            return Err(self.error("an attribute's key is missing"));
        }
        self.at += end;
        self.expect('=', "a `=` is missing behind an attribute's key")?;
        Ok(key.to_string())
    }

    fn value(&mut self) -> Result<String, MetricIdError> {
        self.skip_spaces();
        self.expect('"', "an attribute's value is not in quotes")?;
        let mut value = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(value),
                Some('\\') => match self.next() {
                    Some(escaped @ ('"' | '\\')) => value.push(escaped),
                    _ => return Err(self.error("`\\` may only stand before `\"` or `\\`")),
                },
                Some(c) => value.push(c),
                None => return Err(self.error("an attribute's value does not end")),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.text[self.at..].starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char, missing: &'static str) -> Result<(), MetricIdError> {
        if self.eat(c) { Ok(()) } else { Err(self.error(missing)) }
    }

    fn skip_spaces(&mut self) {
        self.at += self.text[self.at..].len() - self.text[self.at..].trim_start().len();
    }

    fn error(&self, what: &'static str) -> MetricIdError {
        MetricIdError { what, offset: self.at }
    }
}
