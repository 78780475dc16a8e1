//! The head of a recording that was made live: what it was evaluated with, so that a replay with something else is not taken for
//! the same.

use super::output::Terminal;
use crate::model::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// See the file's head. Recordings of later versions may say more.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The version that made it.
    foreshock: String,
    /// The digest of the rules; absent when nothing was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    /// The options of the evaluation, as they are typed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    /// In nanoseconds the export interval that no window was shorter than three of, where windows were scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<Nanos>,
}

/// The head of a recording; `evaluated_with` is the digest of the rules and the options as they are typed.
pub(super) fn write(evaluated_with: Option<(&str, BTreeMap<String, String>)>, interval: Option<Nanos>) -> String {
    let (rules, options) = evaluated_with.map(|(digest, options)| (digest.to_string(), options)).unzip();
    let foreshock = env!("CARGO_PKG_VERSION").to_string();
    let head = Head { foreshock, rules, options: options.unwrap_or_default(), interval };
    // A few texts: nothing in them can fail to be JSON.
    serde_json::to_string(&head).unwrap_or_default()
}

/// The options that the first of these recordings that was evaluated live was evaluated with.
pub(super) fn options<'a>(mut heads: impl Iterator<Item = (&'a str, &'a str)>) -> Option<BTreeMap<String, String>> {
    heads.find_map(|(_, head)| {
        let head = serde_json::from_str::<Head>(head).ok()?;
        head.rules.is_some().then_some(head.options)
    })
}

/// The export interval that the first of these recordings with scaled windows was evaluated with.
pub(super) fn interval<'a>(mut heads: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Nanos> {
    heads.find_map(|(_, head)| serde_json::from_str::<Head>(head).ok()?.interval)
}

/// Warns when recordings were evaluated with something else than now; of several with the same difference
/// the first is named.
pub(super) fn compare<'a>(
    heads: impl Iterator<Item = (&'a str, &'a str)>,
    digest: &str,
    options: &BTreeMap<String, String>,
    terminal: &Terminal,
) {
    let mut reported: Vec<String> = Vec::new();
    for (name, head) in heads {
        let Some(others) = difference(head, digest, options).filter(|others| !reported.contains(others)) else {
            continue;
        };
        terminal.warn(&format!("{name} was recorded while it was evaluated with {others}: the events may differ"));
        reported.push(others);
    }
}

fn difference(head: &str, digest: &str, now: &BTreeMap<String, String>) -> Option<String> {
    // A head that is none of ours says nothing about rules.
    let head = serde_json::from_str::<Head>(head).ok()?;
    let mut others = Vec::new();
    if head.rules? != digest {
        others.push("other rules".to_string());
    }
    for (name, value) in &head.options {
        let other = now.get(name).map_or("nothing", String::as_str);
        if other != value {
            others.push(format!("{name} {value} (now {other})"));
        }
    }
    (!others.is_empty()).then(|| others.join(", "))
}
