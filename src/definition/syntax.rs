//! JSON text to values and to their positions. `serde_json` alone decides what is JSON; the parser of the syntax tree is
//! more lenient and is used for positions only, afterwards.

use super::params::{Substituted, substitute};
use super::problem::{ByteRange, Finding, Position, Severity, mark_length, position};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::Value as Json;
use serde_json::error::Category;
use std::collections::BTreeMap;

/// The value of a text.
pub(super) fn json(text: &Substituted) -> Result<Json, Box<Finding>> {
    serde_json::from_str(&text.text).map_err(|error| Box::new(invalid(text, &error)))
}

/// The syntax tree of a text that is JSON; `None` when only its positions cannot be had.
pub(super) fn tree(text: &str) -> Option<ast::Value<'_>> {
    jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default()).ok()?.value
}

/// Reports the placeholders that have no value.
pub(super) fn unset_placeholders(text: &Substituted) -> impl Iterator<Item = Finding> {
    text.placeholders.iter().filter(|p| !p.set).map(|p| {
        let message = format!("`{{{{{}}}}}` has no value and stays as it stands", p.name);
        let help = Some(format!("set it with --param {}=VALUE", p.name));
        Finding::new(Severity::Warning, "unset-parameter", Some(p.filled), message).with_help(help)
    })
}

fn invalid(text: &Substituted, error: &serde_json::Error) -> Finding {
    let at = offset(&text.text, error);
    let whole = error.to_string();
    let what = whole.rfind(" at line ").map_or(whole.as_str(), |end| &whole[..end]);
    let message = format!("the file is not JSON: {what}");
    let Some(p) = text.placeholder_at(at) else {
        let next = text.text[at..].chars().next().map_or(0, char::len_utf8);
        return Finding::new(Severity::Error, "not-json", Some((at, at + next)), message);
    };
    let (code, message, help) = if p.set {
        ("not-json", message, format!("the value of --param {} stands here", p.name))
    } else {
        let message = format!("`{{{{{}}}}}` has no value here, so the file is not JSON", p.name);
        ("unset-parameter", message, format!("set it with --param {}=VALUE", p.name))
    };
    Finding::new(Severity::Error, code, Some(p.filled), message).with_help(Some(help))
}

/// The byte offset of a JSON error, whose line and column count bytes.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.classify() == Category::Eof {
        return text.len();
    }
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let mut at = (line_start + error.column()).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The position of a value in the text of a file, by a path as in [`super::Problem::path`] (`rules[0].aggregation`, `[2].query`); an empty path
/// is the whole file. `params` are those the file was loaded with. `None` when there is no such value.
pub fn position_of(text: &str, params: &BTreeMap<String, String>, path: &str) -> Option<Position> {
    let filled = substitute(&text[mark_length(text)..], params);
    json(&filled).ok()?;
    let tree = tree(&filled.text)?;
    Some(position(text, &filled, range_of(value_at(&tree, path)?)))
}

fn value_at<'t, 'a>(mut value: &'t ast::Value<'a>, path: &str) -> Option<&'t ast::Value<'a>> {
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        value = match value.as_array() {
            Some(list) => list.elements.get(step.strip_suffix(']')?.parse::<usize>().ok()?)?,
            None => &value.as_object()?.properties.iter().rfind(|p| p.name.as_str() == step)?.value,
        };
    }
    Some(value)
}

/// The byte range of a node.
pub(super) fn range_of(node: &impl Ranged) -> ByteRange {
    (node.start(), node.end())
}
