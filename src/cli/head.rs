//! The head of a recording that was made live: what it was judged with, so that a replay with something else is not taken for
//! the same.

use super::judging;
use super::output::Terminal;
use crate::engine::Options;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// See the file's head. Recordings of later versions may say more.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The version that made it.
    foreshock: String,
    /// The digest of the rules; absent when nothing was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    /// The options that say how to judge, as they are typed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
}

/// The head of a recording; `judged` is the digest of the rules and the options.
pub(super) fn write(judged: Option<(&str, &Options)>) -> String {
    text(judged.map(|(digest, _)| digest), judged.map(|(_, options)| judging::typed(options)).unwrap_or_default())
}

fn text(digest: Option<&str>, options: BTreeMap<String, String>) -> String {
    let head = Head { foreshock: env!("CARGO_PKG_VERSION").to_string(), rules: digest.map(str::to_string), options };
    // A few texts: nothing in them can fail to be JSON.
    serde_json::to_string(&head).unwrap_or_default()
}

/// The head of a recording that was judged with windows of a fraction of their length.
pub(super) fn write_scaled(digest: &str, options: &Options, window_scale: f64) -> String {
    let mut typed = judging::typed(options);
    if window_scale < 1.0 {
        typed.insert("--window-scale".to_string(), window_scale.to_string());
    }
    text(Some(digest), typed)
}

/// The options that the first of these recordings that was judged live was judged with.
pub(super) fn options<'a>(mut heads: impl Iterator<Item = (&'a str, &'a str)>) -> Option<BTreeMap<String, String>> {
    heads.find_map(|(_, head)| {
        let head = serde_json::from_str::<Head>(head).ok()?;
        head.rules.is_some().then_some(head.options)
    })
}

/// Warns when recordings were judged with something else than they are judged with now; of several with the same difference
/// the first is named.
pub(super) fn compare<'a>(
    heads: impl Iterator<Item = (&'a str, &'a str)>,
    digest: &str,
    options: &Options,
    terminal: &Terminal,
) {
    let mut said: Vec<String> = Vec::new();
    for (name, head) in heads {
        let Some(others) = difference(head, digest, options).filter(|others| !said.contains(others)) else { continue };
        terminal.warn(&format!("{name} was recorded while it was judged with {others}: the events may differ"));
        said.push(others);
    }
}

fn difference(head: &str, digest: &str, options: &Options) -> Option<String> {
    // A head that is none of ours says nothing about rules.
    let head = serde_json::from_str::<Head>(head).ok()?;
    let mut others = Vec::new();
    if head.rules? != digest {
        others.push("other rules".to_string());
    }
    let now = judging::typed(options);
    for (name, value) in &head.options {
        let other = now.get(name).map_or("nothing", String::as_str);
        if other != value {
            others.push(format!("{name} {value} (now {other})"));
        }
    }
    (!others.is_empty()).then(|| others.join(", "))
}
