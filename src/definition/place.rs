//! Where a value stands in its file, for those who find fault with a definition after it was read.

use super::findings::{mark_length, position};
use super::load::Source;
use super::object::range_of;
use super::params::substitute;
use super::problem::Position;
use super::syntax;
use jsonc_parser::ast;
use std::collections::BTreeMap;

/// The place of a value, by a path as in [`super::Problem::path`] (`rules[0].aggregation`, `[2].query`); an empty path
/// is the whole file. `params` are those the file was loaded with. `None` when there is no such value.
pub fn position_of(source: &Source, params: &BTreeMap<String, String>, path: &str) -> Option<Position> {
    let text = substitute(&source.text[mark_length(&source.text)..], params);
    syntax::json(&text).ok()?;
    let tree = syntax::tree(&text.text)?;
    let value = walk(&tree, path)?;
    Some(position(&source.text, &text, range_of(value)))
}

fn walk<'t, 'a>(mut value: &'t ast::Value<'a>, path: &str) -> Option<&'t ast::Value<'a>> {
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('[') {
            let (index, behind) = behind.split_once(']')?;
            value = value.as_array()?.elements.get(index.parse::<usize>().ok()?)?;
            rest = behind.strip_prefix('.').unwrap_or(behind);
        } else {
            let (key, behind) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            value = &value.as_object()?.properties.iter().rfind(|p| p.name.as_str() == key)?.value;
            rest = behind.strip_prefix('.').unwrap_or(behind);
        }
    }
    Some(value)
}
