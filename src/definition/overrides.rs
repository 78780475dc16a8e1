//! `DEFINITION[.rules[i]].FIELD=VALUE`: one scalar of a definition set from outside, before types are read.
//!
//! Names of definitions may hold dots and slashes, so the text is split at the longest known name. The rule may be left
//! out when only one rule has such a field.

use super::event_definition::EVENT;
use super::object::Keys;
use super::problem::{Finding, Problem, closest, did_you_mean};
use super::rule::{EVERY_RULE, RULE_TYPES, RuleType};
use serde_json::Value as Json;

/// How problems of overrides name their file.
const FILE: &str = "--set";

/// At most this many names are listed in a message.
const MOST_NAMES: usize = 8;

/// One custom event between the stages.
pub(super) struct RawDefinition {
    /// Its unique name.
    pub(super) name: String,
    /// Its index in a file that holds a list.
    pub(super) index: Option<usize>,
    /// Its JSON.
    pub(super) json: Json,
    /// The paths that overrides have set in it, each with the override as written.
    pub(super) applied: Vec<(String, String)>,
}

/// Why an override cannot be applied.
fn refused(code: &'static str, message: String, help: Option<String>) -> Box<Problem> {
    Box::new(Problem { help, ..Problem::error(code, FILE, None, "", message) })
}

/// Applies the overrides in their order; those that fit nothing become problems.
pub(super) fn apply(documents: &mut [&mut RawDefinition], overrides: &[String]) -> Vec<Problem> {
    overrides.iter().filter_map(|text| apply_one(documents, text).err().map(|problem| *problem)).collect()
}

/// Adds to a finding about a value which override set it; it has no position in the file.
pub(super) fn explain(finding: &mut Finding, applied: &[(String, String)]) {
    let problem = &mut finding.problem;
    if let Some((_, text)) = applied.iter().rfind(|(path, _)| *path == problem.path) {
        finding.range = None;
        problem.message = format!("{} (set by --set {text})", problem.message);
    }
}

fn apply_one(documents: &mut [&mut RawDefinition], text: &str) -> Result<(), Box<Problem>> {
    let known = |d: &&mut RawDefinition| text.strip_prefix(d.name.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let index = (0..documents.len()).filter(|i| known(&documents[*i])).max_by_key(|i| documents[*i].name.len());
    let Some(document) = index.map(|i| &mut *documents[i]) else {
        return Err(unknown_definition(documents, text));
    };
    let rest = &text[document.name.len() + 1..];
    let Some((target, value)) = rest.split_once('=') else {
        let message = format!("`{text}` has no `=`");
        return Err(refused("malformed-override", message, Some("write DEFINITION.FIELD=VALUE".into())));
    };
    let target = find(document, target.trim())?;
    set(document, target, scalar(value), text)
}

/// A value as JSON when it is a JSON scalar, as text otherwise.
fn scalar(value: &str) -> Json {
    match serde_json::from_str(value) {
        Ok(json @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_))) => json,
        Ok(Json::Array(_) | Json::Object(_)) | Err(_) => Json::from(value),
    }
}

/// Where a value goes: a rule or the definition itself, an object inside it, a key.
struct Target {
    rule: Option<usize>,
    inner: Option<&'static str>,
    key: String,
}

fn find(document: &RawDefinition, path: &str) -> Result<Target, Box<Problem>> {
    let rules = document.json.get("rules").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(rest) = path.strip_prefix("rules[") {
        let (index, field) = rest.split_once("].").ok_or_else(|| malformed(path))?;
        let index: usize = index.parse().map_err(|_| malformed(path))?;
        let Some(rule) = rules.get(index) else {
            let count = if rules.len() == 1 { "1 rule".to_string() } else { format!("{} rules", rules.len()) };
            let message = format!("`{}` has no rule {index}; it has {count}", document.name);
            return Err(refused("unknown-field", message, None));
        };
        return in_rule((index, rule), field).ok_or_else(|| unknown_field(document, rules, path, field));
    }
    if in_object(&document.json, &[EVENT], path) {
        return Ok(Target { rule: None, inner: None, key: path.to_string() });
    }
    let mut found: Vec<Target> = rules.iter().enumerate().filter_map(|rule| in_rule(rule, path)).collect();
    if found.len() > 1 {
        let indexes = found.iter().filter_map(|target| target.rule).take(MOST_NAMES);
        let choices: Vec<String> = indexes.map(|i| format!("rules[{i}].{path}")).collect();
        let message = format!("several rules of `{}` have `{path}`", document.name);
        return Err(refused("ambiguous-override", message, Some(format!("name one of {}", choices.join(", ")))));
    }
    found.pop().ok_or_else(|| unknown_field(document, rules, path, path))
}

/// What a field of a rule means: one of its keys, or one of an object inside it.
fn in_rule((index, rule): (usize, &Json), field: &str) -> Option<Target> {
    let target = |inner, key: &str| Target { rule: Some(index), inner, key: key.to_string() };
    for &(inner, keys) in RULE_TYPES.iter().flat_map(|of| of.inner) {
        if let Some(key) = field.strip_prefix(inner).and_then(|rest| rest.strip_prefix('.')) {
            return in_object(rule.get(inner)?, &[keys], key).then(|| target(Some(inner), key));
        }
    }
    let known = rule.get("ruleType").and_then(Json::as_str).and_then(RuleType::named).map(RuleType::all_keys);
    in_object(rule, known.as_ref().map_or(&[], |keys| keys.as_slice()), field).then(|| target(None, field))
}

/// Whether a key can be set: the format knows it, or it is there with a scalar.
fn in_object(object: &Json, keys: &[Keys], key: &str) -> bool {
    let there = object.get(key).is_some_and(|v| !v.is_array() && !v.is_object());
    let listed = keys.iter().any(|k| k.can_set(key));
    object.is_object() && (listed || (there && !keys.iter().any(|k| k.knows(key))))
}

fn set(document: &mut RawDefinition, target: Target, value: Json, text: &str) -> Result<(), Box<Problem>> {
    let Target { rule, inner, key } = target;
    let holder = rule.map(|i| format!("/rules/{i}")).unwrap_or_default()
        + &inner.map(|inner| format!("/{inner}")).unwrap_or_default();
    let map = document.json.pointer_mut(&holder).and_then(Json::as_object_mut).ok_or_else(|| malformed(text))?;
    map.insert(key.clone(), value);
    let path = rule.map(|i| format!("rules[{i}].")).unwrap_or_default()
        + &inner.map(|inner| format!("{inner}.")).unwrap_or_default()
        + &key;
    document.applied.push((path, text.to_string()));
    Ok(())
}

fn unknown_definition(documents: &[&mut RawDefinition], text: &str) -> Box<Problem> {
    let before = text.split_once('=').map_or(text, |(before, _)| before);
    let guess = before.rsplit_once(".rules[").or_else(|| before.rsplit_once('.')).map_or(before, |(name, _)| name);
    let mut names: Vec<&str> = documents.iter().map(|d| d.name.as_str()).collect();
    names.sort_unstable();
    let longer = |name: &&str| name.strip_suffix(guess).is_some_and(|folders| folders.ends_with('/'));
    let longer: Vec<&str> = names.iter().copied().filter(longer).take(MOST_NAMES).collect();
    let listed = || {
        let more = if names.len() > MOST_NAMES { ", …" } else { "" };
        format!("loaded are {}{more}", names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", "))
    };
    let help = match closest(guess, names.iter().copied()) {
        _ if !guess.is_empty() && !longer.is_empty() => format!("several have this name: {}", longer.join(", ")),
        Some(name) if name == guess => format!("name a field: {name}.FIELD=VALUE"),
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "no definition is loaded".to_string(),
        None => listed(),
    };
    let message = format!("`{text}` does not begin with the name of a loaded definition and a field");
    refused("unknown-definition", message, Some(help))
}

fn unknown_field(document: &RawDefinition, rules: &[Json], path: &str, field: &str) -> Box<Problem> {
    let all_settable = || EVERY_RULE.settable().chain(RULE_TYPES.iter().flat_map(|of| of.keys.settable()));
    let of_rules: Vec<&str> = match rules {
        [] => Vec::new(),
        _ => all_settable().filter(|key| rules.iter().any(|rule| in_rule((0, rule), key).is_some())).collect(),
    };
    let candidates = EVENT.settable().chain(of_rules.iter().copied());
    let help = did_you_mean(field, candidates).or_else(|| {
        let mut listed = of_rules.clone();
        listed.sort_unstable();
        listed.dedup();
        (!listed.is_empty()).then(|| format!("its rules have {}", listed.join(", ")))
    });
    let message = format!("`{}` has no field `{path}` that can be set", document.name);
    refused("unknown-field", message, help)
}

fn malformed(path: &str) -> Box<Problem> {
    let message = format!("`{path}` is not a field");
    refused("malformed-override", message, Some("write FIELD or rules[0].FIELD".to_string()))
}
