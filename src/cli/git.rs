//! Rules out of a git revision: `main:rules/python`, read by the `git` that is installed.

use super::error::CliError;
use crate::definition::Source;
use std::process::Command;

/// The revision and the path in it, when a text looks like that.
pub(super) fn revision(text: &str) -> Option<(&str, &str)> {
    let (revision, path) = text.split_once(':')?;
    // One letter is a drive of Windows, and a dash would begin an option.
    (revision.len() > 1 && !revision.starts_with('-') && revision != "builtin").then_some((revision, path))
}

/// The definition files of a folder, or a file, as they are in a revision; paths count from the top of the repository.
pub(super) fn sources(revision: &str, path: &str) -> Result<Vec<Source>, CliError> {
    let rules = format!("{revision}:{path}");
    let path = path.trim_matches('/');
    let mut list = vec!["ls-tree", "-r", "-z", "--name-only", "--full-tree", revision];
    if !path.is_empty() {
        list.extend(["--", path]);
    }
    let listed = git(&rules, &list)?;
    let files: Vec<&str> = listed.split('\0').filter(|file| !file.is_empty()).collect();
    if files.is_empty() {
        let problem = "there is no such file or folder in that revision; paths count from the top of the repository";
        return Err(CliError::Git { rules, problem: problem.to_string() });
    }
    let events = if path.is_empty() { "events/".to_string() } else { format!("{path}/events/") };
    let has_events = files.iter().any(|file| file.starts_with(&events));
    let is_meant = |file: &&str| {
        let is_json = file.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
        *file == path || (is_json && (!has_events || file.starts_with(&events)))
    };
    let mut sources = Vec::new();
    for file in files.into_iter().filter(is_meant) {
        let object = format!("{revision}:{file}");
        let text = git(&rules, &["cat-file", "blob", &object])?;
        sources.push(Source { path: object, text });
    }
    Ok(sources)
}

/// What git prints; what it complains about as an error.
fn git(rules: &str, arguments: &[&str]) -> Result<String, CliError> {
    let failed = |problem: String| CliError::Git { rules: rules.to_string(), problem };
    let output = Command::new("git")
        .args(arguments)
        .output()
        .map_err(|error| failed(format!("git cannot be run: {error}; install it, or name a folder")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("git failed").trim();
        return Err(failed(format!("git says: {}", line.trim_start_matches("fatal: "))));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("a file is not UTF-8 text; save it as UTF-8".into()))
}
