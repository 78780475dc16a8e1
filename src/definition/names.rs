//! Names of definitions: the file name when that is enough, and as much of the path as it takes when it is not.
//!
//! Works on the text of paths, with both separators, so that names do not depend on the machine.

use std::collections::{BTreeMap, BTreeSet};

/// What a name is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The file, as the caller named it.
    pub(super) file: &'a str,
    /// The index of the definition in a file that holds a list.
    pub(super) index: Option<usize>,
}

/// The folders and the name of a file, without `.` parts and without the prefix of embedded packages.
pub(super) fn parts(file: &str) -> Vec<&str> {
    let file = file.strip_prefix("builtin:").unwrap_or(file);
    file.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect()
}

/// A name for each origin, all different.
///
/// Definitions that would share a name all take the next longer one: with the package's folder, with the folders below
/// `events`, then with one folder more each time. What is still the same at the end is numbered.
pub(super) fn unique(origins: &[Origin<'_>]) -> Vec<String> {
    let forms: Vec<Vec<String>> = origins.iter().map(|origin| forms(*origin)).collect();
    let mut level = vec![0; forms.len()];
    let name = |i: usize, level: &[usize]| forms[i][level[i]].clone();
    loop {
        let mut raised = false;
        for group in groups((0..forms.len()).map(|i| name(i, &level))) {
            for i in group {
                if level[i] + 1 < forms[i].len() {
                    level[i] += 1;
                    raised = true;
                }
            }
        }
        if !raised {
            break;
        }
    }
    let mut taken = BTreeSet::new();
    (0..forms.len())
        .map(|i| {
            let plain = name(i, &level);
            let mut chosen = plain.clone();
            let mut n = 1;
            while !taken.insert(chosen.clone()) {
                n += 1;
                chosen = format!("{plain}#{n}");
            }
            chosen
        })
        .collect()
}

/// The members of each name that several have.
fn groups(names: impl Iterator<Item = String>) -> Vec<Vec<usize>> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, name) in names.enumerate() {
        by_name.entry(name).or_default().push(i);
    }
    by_name.into_values().filter(|group| group.len() > 1).collect()
}

/// The names an origin can have, shortest first, each different from the one before.
fn forms(origin: Origin<'_>) -> Vec<String> {
    let parts = parts(origin.file);
    let (folders, last) = match parts.split_last() {
        Some((last, folders)) => (folders, *last),
        None => (&[][..], ""),
    };
    let split = last.len().saturating_sub(".json".len());
    let has_extension = last.get(split..).is_some_and(|extension| extension.eq_ignore_ascii_case(".json"));
    let stem = if has_extension { &last[..split] } else { last };
    let (above, below) = match folders.iter().rposition(|part| *part == "events") {
        Some(at) if at > 0 => (&folders[..at], &folders[at + 1..]),
        _ => (folders, &[][..]),
    };
    let mut forms = vec![stem.to_string()];
    if let Some((package, _)) = above.split_last() {
        forms.push(format!("{package}/{stem}"));
    }
    for from in (0..above.len()).rev() {
        let path: Vec<&str> = above[from..].iter().chain(below).copied().collect();
        forms.push(format!("{}/{stem}", path.join("/")));
    }
    forms.dedup();
    let index = origin.index.map(|i| format!("-{i}")).unwrap_or_default();
    forms.into_iter().map(|form| form + &index).collect()
}
