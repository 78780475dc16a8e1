//! The rules of the house that a program can see: floors, openings, bans, sizes, and nothing lying about unused.
//!
//! Each test collects every offence before it fails, and each message says what to do. The checks read source as text;
//! they are meant to catch a slip, not to withstand an attacker.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/` and their floors. A room may use rooms on lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("otlp", 1),
    ("definition", 1),
    ("series", 1),
    ("catalog", 1),
    ("engine", 2),
    ("scenario", 3),
    ("gate", 4),
    ("tune", 4),
    ("inspect", 4),
    ("minimize", 5),
    ("report", 6),
    ("recording", 7),
    ("receive", 8),
    ("sink", 8),
    ("cli", 9),
];

/// Rooms below this floor know no clock, file, socket, environment, stdout, thread or async runtime.
const WATERLINE: u8 = 7;

const MAX_LINES: usize = 700;
const MAX_MAIN_LINES: usize = 40;

struct Source {
    path: PathBuf,
    text: String,
    /// The text without comments.
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the repository, sorted; nothing when the folder is not there.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("readable folder").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn has_extension(path: &Path, wanted: &[&str]) -> bool {
    path.extension().is_some_and(|e| wanted.iter().any(|w| e == *w))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", relative(path)))
}

fn sources(folder: &str) -> Vec<Source> {
    let rust = files(folder).into_iter().filter(|p| has_extension(p, &["rs"]));
    rust.map(|path| {
        let text = read(&path);
        let code = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
        Source { path, text, code }
    })
    .collect()
}

/// A line up to its comment. `://` inside a text is no comment because no space stands before it.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.find(" //").map_or(line, |at| &line[..at])
}

/// The code before the unit tests at the end of a file.
fn before_tests(code: &str) -> &str {
    code.find("#[cfg(test)]").map_or(code, |at| &code[..at])
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let mut parts = inside.components();
    let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
    parts.next().map(|_| first)
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that follow each occurrence of `prefix` (such as `crate::`), groups in braces included.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let word = |text: &'a str| text.split(|c| !is_word(c)).next().unwrap_or("");
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = Some(0);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = Some(i + 1),
                _ if c.is_whitespace() => {}
                _ => {
                    if let (Some(_), 0) = (start.take(), depth) {
                        names.push(word(&group[i..]));
                    }
                }
            }
        }
    }
    names
}

fn contains_word(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
}

fn assert_none(offences: Vec<String>, advice: &str) {
    assert!(offences.is_empty(), "{advice}\n  {}\n", offences.join("\n  "));
}

#[test]
fn every_room_has_a_floor() {
    let rooms = sources("src").into_iter().filter_map(|s| room_of(&s.path)).filter(|room| floor(room).is_none());
    assert_none(rooms.collect(), "A new folder of src/ is a room: give it a floor in FLOORS and a line in src/lib.rs.");
}

#[test]
fn imports_go_down_the_floors() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let Some((room, mine)) = room_of(&source.path).and_then(|r| floor(&r).map(|f| (r, f))) else { continue };
        let mut used = names_after(&source.code, "crate::");
        used.extend(names_after(before_tests(&source.code), "super::super::"));
        if source.path.ends_with("mod.rs") {
            used.extend(names_after(before_tests(&source.code), "super::"));
        }
        for name in used {
            if name != room && floor(name).is_some_and(|theirs| theirs >= mine) {
                offences.push(format!("{} uses {name}", relative(&source.path)));
            }
        }
    }
    offences.dedup();
    assert_none(
        offences,
        "Imports go down only, and rooms of one floor do not see each other. Move the shared type to model, or let the \
         room above pass the value in.",
    );
}

#[test]
fn the_clocks_are_read_in_one_place() {
    const PLACE: &str = "src/clock.rs";
    let reads = |source: &Source| {
        let code = before_tests(&source.code);
        // The words of `use tokio::time::Instant` cannot be seen in a call, so the type itself is what is looked for.
        ["SystemTime::now", "Instant::now", "Utc::now", "Local::now", ".elapsed()", "tokio::time::Instant"]
            .iter()
            .any(|call| code.contains(call))
    };
    let readers: Vec<String> =
        sources("src").iter().filter(|source| reads(source)).map(|source| relative(&source.path)).collect();
    assert_eq!(readers, [PLACE], "Time is passed in; whoever needs a clock gets it from the command line's room.");
}

#[test]
fn every_file_says_what_it_owns() {
    let mut offences = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        if !source.text.starts_with("//!") {
            offences.push(relative(&source.path));
        }
    }
    assert_none(offences, "Open the file with `//!`: what it owns, its invariant, what is absent on purpose.");
}

#[test]
fn nothing_below_the_waterline_touches_the_world() {
    const MODULES: &[&str] = &["fs", "net", "env", "time", "thread", "process"];
    const WORDS: &[&str] = &["tokio", "println!", "eprintln!", "print!", "eprint!", "SystemTime", "Instant"];
    let mut offences = Vec::new();
    for source in sources("src") {
        if room_of(&source.path).and_then(|room| floor(&room)).is_none_or(|floor| floor >= WATERLINE) {
            continue;
        }
        let code = before_tests(&source.code);
        let mut names = names_after(code, "std::");
        // A span of time is no clock.
        if names_after(code, "std::time::").iter().all(|name| *name == "Duration") && !code.contains("use std::time;") {
            names.retain(|name| *name != "time");
        }
        for module in MODULES.iter().filter(|m| names.contains(m)) {
            offences.push(format!("{}: std::{module}", relative(&source.path)));
        }
        let words = WORDS.iter().filter(|word| contains_word(code, word));
        offences.extend(words.map(|word| format!("{}: {word}", relative(&source.path))));
    }
    assert_none(
        offences,
        "Below recording and cli nothing knows a clock, file, socket, environment, thread or stdout. Take the value as an \
         argument, or write into an `impl Write`.",
    );
}

/// Nobody but `classify` and `admit` decides that a sample is dropped. Elsewhere a reason may only be matched on: the name of a
/// variant is followed by `=>` or `|`, which no expression that makes one is.
#[test]
fn a_drop_reason_is_made_in_two_files() {
    const MAKERS: &[&str] = &["classify.rs", "admit.rs", "drop_reason.rs"];
    let mut offences = Vec::new();
    for source in sources("src") {
        let path = relative(&source.path);
        if MAKERS.iter().any(|maker| path == format!("src/engine/ingest/{maker}")) {
            continue;
        }
        let code = before_tests(&source.code);
        for (at, name) in code.match_indices("DropReason") {
            let rest = &code[at + name.len()..];
            let Some(variant) = rest.strip_prefix("::") else {
                // Another name for the type, or for its variants, would hide them from this test.
                if rest.trim_start().starts_with("as ") {
                    offences.push(format!("{path}: DropReason as ..."));
                }
                continue;
            };
            let variant_name = variant.split(|c| !is_word(c)).next().unwrap_or("");
            let follows = variant[variant_name.len()..].trim_start();
            let is_pattern = follows.starts_with("=>") || (follows.starts_with('|') && !follows.starts_with("||"));
            let is_fixed = variant_name == "ALL" && !follows.starts_with('[');
            let is_word_of_it = ["as_str", "from"].contains(&variant_name);
            if !(is_pattern || is_fixed || is_word_of_it) {
                offences.push(format!("{path}: DropReason::{variant_name}"));
            }
        }
    }
    assert_none(offences, "Let `classify` or `admit` decide; where a reason is shown, match on it.");
}

#[test]
fn nothing_is_unsafe_unfinished_or_switched_off() {
    let mut offences = Vec::new();
    let banned = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore")];
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        for banned in banned.iter().filter(|b| source.code.contains(**b)) {
            offences.push(format!("{}: {banned}", relative(&source.path)));
        }
        if relative(&source.path).starts_with("src/") && contains_word(&source.code, "unsafe") {
            offences.push(format!("{}: unsafe", relative(&source.path)));
        }
    }
    assert_none(offences, "Finish it or take it out; a test that cannot pass is a defect, not a test to be skipped.");
}

#[test]
fn files_stay_small() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let limit = if source.path.ends_with("src/main.rs") { MAX_MAIN_LINES } else { MAX_LINES };
        let lines = source.text.lines().count();
        if lines > limit {
            offences.push(format!("{}: {lines} lines, at most {limit}", relative(&source.path)));
        }
    }
    assert_none(offences, "One noun a file: split it where a second noun begins.");
}

/// Every text of the repository that may name a fixture.
fn readers_of_fixtures() -> String {
    let mut all = String::new();
    for folder in ["src", "tests", "benches", "docs", ".ci", "fixtures", "rules"] {
        for path in files(folder) {
            let readme = path.file_name().is_some_and(|n| n == "README.md");
            if (folder == "fixtures" && !readme)
                || !(has_extension(&path, &["rs", "md", "yaml", "yml"]) || folder == ".ci")
            {
                continue;
            }
            all.push_str(&read(&path));
        }
    }
    all + &read(&root().join("README.md"))
}

#[test]
fn every_fixture_is_used() {
    let readers = readers_of_fixtures();
    let mut offences = Vec::new();
    for path in files("fixtures") {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let inside = relative(&path).trim_start_matches("fixtures/").to_string();
        let mut folders = Path::new(&inside).ancestors().skip(1).filter(|f| !f.as_os_str().is_empty());
        let walked = folders.any(|folder| {
            let folder = folder.to_string_lossy();
            readers.contains(&format!("{folder}\"")) || readers.contains(&format!("{folder}/\""))
        });
        if name != "README.md" && !walked && !readers.contains(name.as_ref()) {
            offences.push(relative(&path));
        }
    }
    assert_none(offences, "No test and no README names the file or walks its folder: use it or delete it.");
}

/// What the scenarios of a shipped rule must show, and the words that show it.
const SHOWN: [(&str, &[&str]); 4] = [
    ("that it fires", &["definition: NAME", "opens:"]),
    ("that it stays quiet just below", &["quiet: NAME", "quiet: [NAME"]),
    ("what a restart does", &["restart"]),
    ("that a hole makes it inconclusive", &["inconclusive: {NAME: warming_up}", "inconclusive: {NAME: gap}"]),
];

#[test]
fn every_shipped_rule_has_scenarios() {
    let mut offences = Vec::new();
    let rules = files("rules").into_iter().filter(|p| {
        let folder = p.parent().and_then(Path::file_name);
        has_extension(p, &["json"]) && folder.is_some_and(|folder| folder == "events" || folder == "local")
    });
    let mut count = 0;
    for rule in rules {
        count += 1;
        let name = rule.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let package = rule.ancestors().skip(1).find(|folder| folder.join("tests").is_dir());
        let file = package.unwrap_or(&rule).join("tests").join(format!("{name}.test.yaml"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        for (what, words) in SHOWN {
            if !words.iter().any(|word| text.contains(&word.replace("NAME", &name))) {
                offences.push(format!("{}: {what}", relative(&file)));
            }
        }
    }
    assert!(count >= 9, "only {count} rules were found");
    assert_none(
        offences,
        "Write the scenario: a shipped rule is shown to fire, to stay quiet, and to know what it cannot know.",
    );
}

#[test]
fn the_changelog_knows_the_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = read(&root().join("CHANGELOG.md"));
    assert!(
        changelog.contains(&format!("## [{version}]")),
        "CHANGELOG.md has no section `## [{version}]`, the version of Cargo.toml: add it."
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut offences = Vec::new();
    let mut documents = files("docs");
    documents.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    for path in documents.iter().filter(|p| has_extension(p, &["md"])) {
        let text = read(path);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or("");
            let local = !target.is_empty() && !target.contains("://");
            if local && !path.parent().unwrap_or(Path::new("")).join(target).exists() {
                offences.push(format!("{}: {target}", relative(path)));
            }
        }
    }
    assert_none(offences, "The linked file is not there: correct the link.");
}

#[test]
fn the_checks_above_see_what_they_look_for() {
    assert_eq!(
        names_after("use crate::{model::{A, B}, definition, otlp::decode};", "crate::"),
        ["model", "definition", "otlp"]
    );
    assert_eq!(names_after("let x = crate::series::new(); subcrate::x", "crate::"), ["series"]);
    assert_eq!(names_after("use std::{fmt, fs::File,\n    io};", "std::"), ["fmt", "fs", "io"]);
    assert_eq!(without_comment("a(); // crate::cli"), "a();");
    assert_eq!(without_comment("let u = \"https://x\";"), "let u = \"https://x\";");
    assert!(contains_word("use tokio::x", "tokio") && !contains_word("use tokios::x", "tokio"));
    assert_eq!(floor("engine"), Some(2));
}
