//! The words of the field: none of `words.txt` stands in what people read, and none in the names of types and modules.
//!
//! What people read is the help of every command, the text literals of `src/` (all output and all errors are made of them), and the
//! documents. The unit tests in `src/` are left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIST: &str = include_str!("words.txt");

/// Literals that are keys and values of documents and codes of findings, which stay as they are.
const VALUES: &[&str] = &["bodies", "judged", "nothing-judged", "not-judged", "not_judged"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a section of the list.
fn section(name: &str) -> Vec<&'static str> {
    let (_, rest) = LIST.split_once(&format!("[{name}]\n")).expect("a section");
    let lines = rest.split("\n[").next().unwrap_or_default().lines();
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Files of these kinds below a folder, sorted.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Whether a text has this word, or these words, between letters that are none.
fn has(text: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_letter) && !text[at + word.len()..].starts_with(is_letter))
}

/// The words of the list that stand in a text.
fn offences<'a>(text: &str, words: &'a [&'a str]) -> Vec<&'a str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let is_capital = |word: &str| word.chars().all(|c| !c.is_lowercase());
    words.iter().copied().filter(|word| has(if is_capital(word) { &text } else { &lower }, word)).collect()
}

/// A source without its unit tests.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

/// The text literals of a source, comments left out.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = without_tests(text);
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (kind, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        let raw = rest[..at].ends_with("r#");
        rest = match kind {
            b'/' if behind.starts_with('/') => behind.find('\n').map_or("", |end| &behind[end..]),
            b'"' if raw => {
                let end = behind.find("\"#").unwrap_or(behind.len());
                found.push(behind[..end].to_string());
                behind.get(end + 2..).unwrap_or_default()
            }
            b'"' => {
                let mut escaped = false;
                let end = behind.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let end = end.unwrap_or(behind.len());
                found.push(behind[..end].replace("\\\n", " ").replace("\\n", " "));
                behind.get(end + 1..).unwrap_or_default()
            }
            // A quoted quotation mark begins no text.
            b'\'' if behind.starts_with("\"'") => &behind[2..],
            b'\'' if behind.starts_with("\\\"'") => &behind[3..],
            _ => behind,
        };
    }
    found
}

/// The commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let list = list.lines().take_while(|line| line.starts_with("  "));
    list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_string))
        .filter(|name| !name.is_empty() && name != "help")
        .collect()
}

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_foreshock")).args(command).arg("--help").output().expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn what_people_read_is_in_the_words_of_the_field() {
    let words = section("text");
    let mut found = Vec::new();
    let mut look = |place: String, text: &str| {
        found.extend(offences(text, &words).into_iter().map(|word| format!("{place}: `{word}` in: {}", text.trim())));
    };
    let commands = commands();
    assert!(commands.len() > 9, "the list of commands is not read: {commands:?}");
    for command in &commands {
        help(&[command]).lines().for_each(|line| look(format!("{command} --help"), line));
    }
    help(&[]).lines().for_each(|line| look("--help".into(), line));
    let mut read = 0;
    for path in files("src", "rs") {
        for literal in literals(&fs::read_to_string(&path).expect("text")) {
            read += 1;
            if !VALUES.contains(&literal.as_str()) {
                look(name(&path), &literal);
            }
        }
    }
    assert!(read > 2000, "the literals are not read");
    let pages = ["README.md", "CONTRIBUTING.md"].map(|page| root().join(page));
    for path in files("docs", "md").into_iter().chain(pages.into_iter().filter(|page| page.exists())) {
        // Words that a line break divides belong together: a paragraph is looked at as a whole.
        let text = fs::read_to_string(&path).expect("text");
        text.split("\n\n").for_each(|part| look(name(&path), part));
    }
    assert!(found.is_empty(), "words.txt has other words for these:\n  {}\n", found.join("\n  "));
}

/// The words of a name: `RuleState` and `rule_state` have two.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if (c.is_uppercase() || c == '_') && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(String::new());
        }
        if c.is_alphanumeric() {
            parts.last_mut().expect("a part").extend(c.to_lowercase());
        }
    }
    parts
}

#[test]
fn types_and_modules_have_the_names_of_the_field() {
    let words: Vec<String> = section("names").iter().map(|word| word.to_lowercase()).collect();
    let mut found = Vec::new();
    let mut read = 0;
    for path in files("src", "rs") {
        let file = name(&path);
        let text = fs::read_to_string(&path).expect("text");
        let mut names = vec![path.file_stem().expect("a name").to_string_lossy().into_owned()];
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            let mut tokens = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|token| !token.is_empty());
            while let Some(token) = tokens.next() {
                if matches!(token, "struct" | "enum" | "trait" | "mod" | "type") {
                    names.extend(tokens.next().map(str::to_string));
                }
            }
        }
        read += names.len();
        for name in names {
            found.extend(
                parts(&name).iter().filter(|part| words.contains(part)).map(|part| format!("{file}: {name} ({part})")),
            );
        }
    }
    assert!(read > 500, "the names are not read");
    assert!(found.is_empty(), "words.txt has other words for these:\n  {}\n", found.join("\n  "));
}

#[test]
fn the_list_would_be_noticed() {
    let words = section("text");
    assert_eq!(offences("every point is Judged\nin  vain; forejudged is another word", &words), ["judged", "in vain"]);
    assert_eq!(offences("the run is too short", &words), [""; 0]);
    assert_eq!(literals("let a = \"one \\\" two\"; // \"not\"\nlet b = '\"'; r#\"three\"#"), ["one \\\" two", "three"]);
    assert_eq!(parts("RuleState"), ["rule", "state"]);
    assert_eq!(parts("rule_state"), ["rule", "state"]);
}
