//! Dynamic focus queries: which resources a definition looks at.
//!
//! NOT binds tighter than AND, which is the same as standing side by side, which binds tighter than OR. Operators are
//! in upper case. A parsed query is a flat list of steps in postfix order, and the parser keeps its own stack of open
//! operators, so neither parsing nor evaluating nor dropping a query recurses, whatever its nesting, and all are linear in its
//! length. Text compares without regard to case, character by character. Absent on purpose: scoring, ranges, regular
//! expressions, and every field that only a tenant knows; such a query does not parse, because a result that leaves a term
//! out would be wrong silently.

use super::entity::{entity_labels, entity_types};
use super::problem::ByteRange;
use super::wildcard::{Wildcard, fold};
use crate::model::Attributes;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The query as written; empty when every resource is meant.
    pub text: String,
    /// In postfix order; they leave exactly one result. None of them: every resource.
    steps: Vec<QueryStep>,
    /// The text could not be parsed: no resource.
    is_unanswerable: bool,
}

impl Query {
    /// Reads a query; a blank one selects every resource.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.trim().is_empty() {
            return Ok(Query::default());
        }
        let mut parser = Parser { text, at: 0, steps: Vec::new(), open: Vec::new() };
        parser.run()?;
        Ok(Query { text: text.to_string(), steps: parser.steps, is_unanswerable: false })
    }

    /// A query that cannot be evaluated, kept for its text; it selects nothing.
    pub fn unanswerable(text: &str) -> Query {
        Query { text: text.to_string(), steps: Vec::new(), is_unanswerable: true }
    }

    /// Whether the query selects a resource.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let mut results: Vec<bool> = Vec::new();
        for step in &self.steps {
            let result = match step {
                QueryStep::Term(term) => term.holds(resource),
                QueryStep::Not => !results.pop().unwrap_or(false),
                QueryStep::And | QueryStep::Or => {
                    let (right, left) = (results.pop().unwrap_or(false), results.pop().unwrap_or(false));
                    if *step == QueryStep::And { left && right } else { left || right }
                }
            };
            results.push(result);
        }
        results.pop().unwrap_or(!self.is_unanswerable)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum QueryStep {
    Term(QueryTerm),
    Not,
    And,
    Or,
}

/// One `field:value`.
#[derive(Clone, Debug, PartialEq)]
enum QueryTerm {
    /// The type of the entity.
    Type(Wildcard),
    /// The label of the entity.
    Label(Wildcard),
    /// `entity.tag:key` or `entity.tag:key=value`, on resource attributes.
    Tag { key: Wildcard, value: Option<Wildcard> },
    /// A resource attribute; its key in folded case.
    Attribute { key: String, value: Wildcard },
}

/// Why a query cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong, as a whole sentence without its full stop.
    pub message: String,
    /// What to do about it, when there is something to say.
    pub help: Option<&'static str>,
    /// Byte range of the offending part in the query's text.
    pub range: (usize, usize),
}

impl QueryTerm {
    fn holds(&self, resource: &Attributes) -> bool {
        match self {
            QueryTerm::Type(value) => entity_types(resource).any(|name| value.matches(name)),
            QueryTerm::Label(value) => entity_labels(resource).iter().any(|label| value.matches(label)),
            QueryTerm::Tag { key, value } => resource
                .iter()
                .any(|(k, v)| key.matches(k) && value.as_ref().is_none_or(|value| value.matches(&v.to_text()))),
            QueryTerm::Attribute { key, value } => {
                resource.iter().any(|(k, v)| fold(k) == *key && value.matches(&v.to_text()))
            }
        }
    }
}

enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    /// An unquoted or quoted run; `colon` is the offset of its first unquoted colon.
    Word {
        raw: &'a str,
        colon: Option<usize>,
    },
}

/// What is open, beginning with what binds least.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Operator {
    Paren(usize),
    Or,
    And,
    Not,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    steps: Vec<QueryStep>,
    open: Vec<Operator>,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), QueryError> {
        let mut operand_due = true;
        let mut last = (0, 0);
        while let Some((token, range)) = self.next()? {
            if !operand_due && matches!(token, Token::Open | Token::Not | Token::Word { .. }) {
                self.push(Operator::And)?;
                operand_due = true;
            }
            if operand_due && matches!(token, Token::And | Token::Or | Token::Close) {
                return Err(syntax("a term is missing before", self.text, range));
            }
            operand_due = !matches!(token, Token::Close | Token::Word { .. });
            match token {
                Token::Open => self.open.push(Operator::Paren(range.0)),
                Token::Not => self.open.push(Operator::Not),
                Token::And => self.push(Operator::And)?,
                Token::Or => self.push(Operator::Or)?,
                Token::Close => self.close(range)?,
                Token::Word { raw, colon } => self.steps.push(QueryStep::Term(term(raw, colon, range)?)),
            }
            last = range;
        }
        if operand_due {
            return Err(syntax("a term is missing behind", self.text, last));
        }
        while let Some(operator) = self.open.pop() {
            self.emit(operator)?;
        }
        Ok(())
    }

    /// Opens an operator after closing those that bind at least as tight.
    fn push(&mut self, operator: Operator) -> Result<(), QueryError> {
        while let Some(top) = self.open.pop_if(|top| *top >= operator) {
            self.emit(top)?;
        }
        self.open.push(operator);
        Ok(())
    }

    fn close(&mut self, range: ByteRange) -> Result<(), QueryError> {
        while let Some(operator) = self.open.pop() {
            if matches!(operator, Operator::Paren(_)) {
                return Ok(());
            }
            self.emit(operator)?;
        }
        Err(syntax("nothing is open at", self.text, range))
    }

    fn emit(&mut self, operator: Operator) -> Result<(), QueryError> {
        self.steps.push(match operator {
            Operator::Paren(at) => return Err(syntax("nothing closes", self.text, (at, at + 1))),
            Operator::Or => QueryStep::Or,
            Operator::And => QueryStep::And,
            Operator::Not => QueryStep::Not,
        });
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Token<'a>, ByteRange)>, QueryError> {
        self.skip_spaces();
        let start = self.at;
        let token = match self.peek() {
            None => return Ok(None),
            Some('(') => {
                self.at += 1;
                Token::Open
            }
            Some(')') => {
                self.at += 1;
                Token::Close
            }
            Some(_) => self.word()?,
        };
        Ok(Some((token, (start, self.at))))
    }

    /// A run up to a space or parenthesis; behind its colon spaces are skipped once, and a quoted value ends it.
    fn word(&mut self) -> Result<Token<'a>, QueryError> {
        let start = self.at;
        let mut colon = None;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.quoted()?;
                    break;
                }
                '\\' => {
                    self.at += 1;
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                ':' if colon.is_none() => {
                    colon = Some(self.at - start);
                    self.at += 1;
                    self.skip_spaces_before_value();
                    if self.peek() == Some('"') {
                        self.quoted()?;
                        break;
                    }
                }
                c if c.is_whitespace() || c == '(' || c == ')' => break,
                c => self.at += c.len_utf8(),
            }
        }
        let raw = &self.text[start..self.at];
        Ok(match raw {
            "AND" => Token::And,
            "OR" => Token::Or,
            "NOT" => Token::Not,
            raw => Token::Word { raw, colon },
        })
    }

    /// Moves behind the closing quote.
    fn quoted(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        self.at += 1;
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(()),
                '\\' => self.at += self.peek().map_or(0, char::len_utf8),
                _ => {}
            }
        }
        Err(syntax("nothing closes the quote", self.text, (start, start + 1)))
    }

    /// `field: value` is read as `field:value`, unless what follows is an operator, a parenthesis or a term of its own.
    fn skip_spaces_before_value(&mut self) {
        let rest = self.text[self.at..].trim_start();
        let word = rest.split(|c: char| c.is_whitespace() || c == '(' || c == ')').next().unwrap_or("");
        let own_term = word.contains(':') && !word.starts_with('"');
        if !own_term && !matches!(word, "" | "AND" | "OR" | "NOT") {
            self.skip_spaces();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }
}

fn term(raw: &str, colon: Option<usize>, whole: ByteRange) -> Result<QueryTerm, QueryError> {
    let Some(colon) = colon else { return Err(bare_word(raw, whole)) };
    let field = fold(&characters(&raw[..colon]).map(|(c, _)| c).collect::<String>());
    let value = || value(raw, raw[colon + 1..].trim_start(), whole);
    match field.as_str() {
        "entity.type" | "entity.selftype" => Ok(QueryTerm::Type(value()?)),
        "entity.label" => Ok(QueryTerm::Label(value()?)),
        "entity.tag" => {
            let tag = value()?;
            Ok(match tag.split_at('=') {
                Some((key, value)) => QueryTerm::Tag { key, value: Some(value) },
                None => QueryTerm::Tag { key: tag, value: None },
            })
        }
        other => match attribute_key(other) {
            Some(key) => Ok(QueryTerm::Attribute { key, value: value()? }),
            None => Err(unknown_field(&raw[..colon], (whole.0, whole.0 + colon))),
        },
    }
}

/// The characters of a text with `\` taken off what it protects, and whether each is protected.
fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut chars = text.chars();
    std::iter::from_fn(move || match chars.next()? {
        '\\' => Some((chars.next().unwrap_or('\\'), true)),
        c => Some((c, false)),
    })
}

/// The resource attribute a field in folded case stands for. Wildcards in a field's name are not supported: the attribute
/// would be looked for under a name that has a star in it.
fn attribute_key(field: &str) -> Option<String> {
    if let Some(key) = field.strip_prefix("otel.attribute.") {
        return (!key.is_empty() && !key.contains(['*', '?'])).then(|| key.to_string());
    }
    if let Some(rest) = field.strip_prefix("entity.kubernetes.") {
        let object = rest.strip_suffix(".name").or_else(|| rest.strip_suffix(".label")).unwrap_or(rest);
        return matches!(object, "cluster" | "namespace" | "pod" | "node" | "deployment" | "container")
            .then(|| format!("k8s.{object}.name"));
    }
    match field {
        "entity.service.name" => Some("service.name".to_string()),
        "entity.host.name" => Some("host.name".to_string()),
        "entity.zone" => Some("cloud.availability_zone".to_string()),
        _ => None,
    }
}

/// The value behind a colon: quoted text literally, unquoted text with wildcards; `\` takes the next character
/// literally in both.
fn value(term: &str, written: &str, range: ByteRange) -> Result<Wildcard, QueryError> {
    let mut value = Wildcard::default();
    let (body, quoted) = match written.strip_prefix('"') {
        Some(rest) => (rest.strip_suffix('"').unwrap_or(rest), true),
        None => (written, false),
    };
    if !quoted {
        refuse_lucene_forms(term, body, range)?;
    }
    for (c, is_protected) in characters(body) {
        if is_protected || quoted { value.push_literal(c) } else { value.push(c) }
    }
    if value.is_empty() && !quoted {
        return Err(error(format!("the query's term `{term}` has no value"), None, range));
    }
    Ok(value)
}

fn refuse_lucene_forms(term: &str, body: &str, range: ByteRange) -> Result<(), QueryError> {
    let regular = body.len() > 1 && body.starts_with('/') && body.ends_with('/');
    let what = if regular {
        "a regular expression"
    } else if body.starts_with(['[', '<', '>']) || (body.starts_with('{') && !body.starts_with("{{")) {
        "a range"
    } else if body.contains('"') {
        "a quote inside its value"
    } else {
        return Ok(());
    };
    let message = format!("the query's term `{term}` has {what}, which cannot be evaluated here");
    Err(error(message, Some("put the value in quotes when it is meant literally"), range))
}

fn bare_word(raw: &str, range: ByteRange) -> QueryError {
    let help = match raw {
        "and" | "or" | "not" | "And" | "Or" | "Not" => "operators are in upper case: AND, OR, NOT",
        "&&" | "||" | "!" => "operators are words: AND, OR, NOT",
        _ => "write it as a term with a field, such as entity.service.name:shop",
    };
    error(format!("the query has the bare word `{raw}`, which cannot be evaluated here"), Some(help), range)
}

fn unknown_field(field: &str, range: ByteRange) -> QueryError {
    let help = "supported fields: entity.type, entity.selfType, entity.service.name, entity.label, entity.tag, \
                entity.host.name, entity.zone, entity.kubernetes.*, otel.attribute.*";
    error(format!("the query's field `{field}` cannot be evaluated here"), Some(help), range)
}

fn syntax(what: &str, text: &str, range: ByteRange) -> QueryError {
    error(format!("{what} `{}` in the query", &text[range.0..range.1]), None, range)
}

fn error(message: String, help: Option<&'static str>, range: ByteRange) -> QueryError {
    QueryError { message, help, range }
}
