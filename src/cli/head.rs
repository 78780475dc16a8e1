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
    let head = Head {
        foreshock: env!("CARGO_PKG_VERSION").to_string(),
        rules: judged.map(|(digest, _)| digest.to_string()),
        options: judged.map(|(_, options)| judging::typed(options)).unwrap_or_default(),
    };
    // A few texts: nothing in them can fail to be JSON.
    serde_json::to_string(&head).unwrap_or_default()
}

/// Warns when a recording was judged with something else than it is judged with now.
pub(super) fn compare(name: &str, head: &str, digest: &str, options: &Options, terminal: &Terminal) {
    // A head that is none of ours says nothing about rules.
    let Ok(head) = serde_json::from_str::<Head>(head) else { return };
    let Some(rules) = head.rules else { return };
    let mut others = Vec::new();
    if rules != digest {
        others.push("other rules".to_string());
    }
    let now = judging::typed(options);
    for (name, value) in &head.options {
        let other = now.get(name).map_or("nothing", String::as_str);
        if other != value {
            others.push(format!("{name} {value} (now {other})"));
        }
    }
    if !others.is_empty() {
        let others = others.join(", ");
        terminal.warn(&format!("{name} was recorded while it was judged with {others}: the events may differ"));
    }
}
