//! JSON text to values and to places. `serde_json` alone decides what is JSON; the parser of the syntax tree is more
//! lenient and is only asked for places, afterwards.

use super::findings::{Finding, Findings};
use super::params::{Placeholder, Substituted};
use super::problem::Severity;
use jsonc_parser::ast;
use serde_json::Value as Json;
use serde_json::error::Category;

/// The value of a text.
pub(super) fn json(text: &Substituted) -> Result<Json, Findings> {
    serde_json::from_str(&text.text).map_err(|error| {
        let mut findings = Findings::default();
        invalid(text, &error, &mut findings);
        findings
    })
}

/// The syntax tree of a text that is JSON; `None` when only its places cannot be had.
pub(super) fn tree(text: &str) -> Option<ast::Value<'_>> {
    jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default()).ok()?.value
}

/// Names the placeholders that stay as they stand.
pub(super) fn unset_placeholders(text: &Substituted) -> Vec<Finding> {
    let mut findings = Findings::default();
    for p in text.placeholders.iter().filter(|p| !p.set) {
        let message = format!("`{{{{{}}}}}` has no value and stays as it stands", p.name);
        findings.add(Severity::Warning, "unset-parameter", (Some(p.filled), ""), message, Some(how_to_set(p)));
    }
    findings.list
}

fn how_to_set(placeholder: &Placeholder) -> String {
    format!("set it with --param {}=VALUE", placeholder.name)
}

fn invalid(text: &Substituted, error: &serde_json::Error, findings: &mut Findings) {
    let at = offset(&text.text, error);
    let next = text.text[at..].chars().next().map_or(0, char::len_utf8);
    let whole = error.to_string();
    let what = whole.rfind(" at line ").map_or(whole.as_str(), |end| &whole[..end]);
    match text.placeholder_at(at) {
        Some(p) if !p.set => {
            let message = format!("`{{{{{}}}}}` has no value here, so the file is not JSON", p.name);
            findings.add(Severity::Error, "unset-parameter", (Some(p.filled), ""), message, Some(how_to_set(p)));
        }
        Some(p) => {
            let message = format!("the file is not JSON: {what}");
            let help = Some(format!("the value of --param {} stands here", p.name));
            findings.add(Severity::Error, "not-json", (Some(p.filled), ""), message, help);
        }
        None => {
            let message = format!("the file is not JSON: {what}");
            findings.add(Severity::Error, "not-json", (Some((at, at + next)), ""), message, None);
        }
    }
}

/// The byte offset of a JSON error, which says line and column in bytes.
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
