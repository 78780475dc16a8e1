//! No circle of imports has more than two files, as far as the sources tell.
//!
//! The files of `src/` and the names they take from each other are read as text: `use` declarations and paths that begin with
//! `crate::`, `super::` or `self::`. A name that a file only passes on (`pub use child::Name`) is followed to the file that owns
//! it, and passing a name on is no import. A file that others import in a circle is two files that want to be one, or state that
//! wants an owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most files in one circle.
const MOST: usize = 2;

type Module = Vec<String>;

/// The names a file uses, each with the path it stands for.
type Imports = Vec<(String, Module)>;

/// One source file as a module.
struct Source {
    file: String,
    code: String,
    /// What it imports: the name that is used here, and the path it stands for.
    imports: Imports,
    /// The same of what it passes on with `pub use`.
    passed_on: Imports,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code without comments, text literals and unit tests.
fn bare(text: &str) -> String {
    let text = text.find("#[cfg(test)]\nmod ").map_or(text, |at| &text[..at]);
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    let joined = lines.collect::<Vec<_>>().join("\n");
    let mut code = String::new();
    let mut rest = joined.as_str();
    while let Some(at) = rest.find('"') {
        code.push_str(&rest[..at]);
        let literal = &rest[at + 1..];
        let mut escaped = false;
        let end = literal.char_indices().find(|&(_, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = end.map_or("", |(end, _)| &literal[end + 1..]);
    }
    code.push_str(rest);
    code
}

/// The paths of a `use` tree, each with the name it gets.
fn use_tree(tree: &str, prefix: &[&str], found: &mut Imports) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let mut path = prefix.to_vec();
        path.extend(tree[..open].split("::").map(str::trim).filter(|part| !part.is_empty()));
        let inside = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
        let (mut depth, mut start) = (0, 0);
        for (i, c) in inside.char_indices().chain([(inside.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    use_tree(&inside[start..i], &path, found);
                    start = i + 1;
                }
                _ => {}
            }
        }
        return;
    }
    if tree.is_empty() {
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut parts: Module = prefix.iter().map(|part| part.to_string()).collect();
    parts.extend(path.split("::").map(|part| part.trim().to_string()));
    if parts.last().is_some_and(|last| last == "self") {
        parts.pop();
    }
    let name = alias.map_or_else(|| parts.last().cloned().unwrap_or_default(), str::to_string);
    found.push((name, parts));
}

/// The `use` declarations of a file, and the code without them.
fn declarations(code: &str) -> (Imports, Imports, String) {
    let (mut imports, mut passed_on, mut rest) = (Vec::new(), Vec::new(), String::new());
    let mut statement: Option<(bool, String)> = None;
    for line in code.lines() {
        if statement.is_none() {
            let trimmed = line.trim_start();
            let is_public = trimmed.starts_with("pub");
            let behind = if let Some(behind) = trimmed.strip_prefix("pub(") {
                behind.split_once(") ").map_or("", |(_, behind)| behind)
            } else {
                trimmed.strip_prefix("pub ").unwrap_or(trimmed)
            };
            match behind.strip_prefix("use ") {
                Some(tree) => statement = Some((is_public, tree.to_string())),
                None => {
                    rest.push_str(line);
                    rest.push('\n');
                }
            }
        } else if let Some((_, text)) = &mut statement {
            text.push_str(line);
        }
        if let Some((is_public, text)) = statement.take_if(|(_, text)| text.contains(';')) {
            use_tree(text.trim_end_matches(';'), &[], if is_public { &mut passed_on } else { &mut imports });
        }
    }
    (imports, passed_on, rest)
}

/// The paths in code that begin in this crate.
fn paths_in(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c: char| is_word(c) || c == ':') {
                continue;
            }
            let path: String = code[at..].chars().take_while(|&c| is_word(c) || c == ':').collect();
            found.push(path.split("::").map(str::to_string).collect());
        }
    }
    found
}

struct Tree {
    modules: BTreeMap<Module, Source>,
}

impl Tree {
    fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut open, mut modules) = (vec![root.clone()], BTreeMap::new());
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).expect("src") {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let inside = path.strip_prefix(&root).expect("below src");
                    modules.insert(module_of(inside), Source::read(&path, inside));
                }
            }
        }
        Tree { modules }
    }

    /// The absolute path that a path means in a module.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            first if self.modules.contains_key(&[module.clone(), vec![first.to_string()]].concat()) => {
                return Some([module.as_slice(), path].concat());
            }
            _ => return None,
        };
        let mut rest = &path[1..];
        while rest.first().is_some_and(|part| part == "super") {
            at.pop()?;
            rest = &rest[1..];
        }
        at.extend_from_slice(rest);
        Some(at)
    }

    /// The module that owns what an absolute path names: re-exports are followed.
    fn owner(&self, path: &Module, depth: usize) -> Option<Module> {
        let known = (0..=path.len()).rev().find(|&n| self.modules.contains_key(&path[..n]))?;
        let module = path[..known].to_vec();
        let Some(item) = path.get(known) else { return Some(module) };
        let source = &self.modules[&module];
        let import = source.passed_on.iter().chain(&source.imports).find(|(name, _)| name == item);
        let followed = import.filter(|_| depth < 8).and_then(|(_, path)| self.absolute(&module, path));
        followed.and_then(|path| self.owner(&path, depth + 1)).or(Some(module))
    }

    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let mut edges = BTreeMap::new();
        for (module, source) in &self.modules {
            let mut paths: Vec<Module> = source.imports.iter().map(|(_, path)| path.clone()).collect();
            paths.extend(paths_in(&source.code));
            // A module that was imported by name gives its items by that name: `wire::field`.
            for (name, path) in &source.imports {
                if self.absolute(module, path).is_some_and(|path| self.modules.contains_key(&path)) {
                    paths.retain(|other| other != path);
                    for (at, _) in source.code.match_indices(&format!("{name}::")) {
                        if source.code[..at].ends_with(|c: char| is_word(c) || c == ':') {
                            continue;
                        }
                        let items =
                            source.code[at..].chars().take_while(|&c| is_word(c) || c == ':').collect::<String>();
                        let items = items.split("::").skip(1).map(str::to_string);
                        paths.push(path.iter().cloned().chain(items).collect());
                    }
                }
            }
            // Submodules are used by their bare names.
            for child in self.modules.keys().filter(|m| m.len() == module.len() + 1 && m.starts_with(module)) {
                let name = &child[module.len()];
                let is_use = |at: usize| !source.code[..at].ends_with(|c: char| is_word(c) || c == ':');
                if source.code.match_indices(&format!("{name}::")).any(|(at, _)| is_use(at)) {
                    paths.push(vec!["self".into(), name.clone()]);
                }
            }
            let absolute = paths.iter().filter_map(|path| self.absolute(module, path));
            let mut owners: BTreeSet<Module> = absolute.filter_map(|path| self.owner(&path, 0)).collect();
            owners.remove(module);
            owners.remove(&Vec::new());
            edges.insert(module, owners);
        }
        edges
    }
}

fn module_of(inside: &Path) -> Module {
    let mut parts: Module = inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || (parts.len() == 1 && last == "lib")) {
        parts.pop();
    }
    parts
}

impl Source {
    fn read(path: &Path, inside: &Path) -> Source {
        let text = bare(&fs::read_to_string(path).expect("source"));
        let (imports, passed_on, code) = declarations(&text);
        Source { file: inside.to_string_lossy().into_owned(), code, imports, passed_on }
    }
}

/// Groups of modules in which each can be reached from each.
fn circles(edges: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reached_from = |start: &Module| {
        let (mut open, mut seen) = (vec![start.clone()], BTreeSet::new());
        while let Some(module) = open.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        edges.keys().map(|module| (*module, reached_from(module))).collect();
    let mut found: Vec<Vec<Module>> = Vec::new();
    for (module, from_here) in &reached {
        if found.iter().flatten().any(|other| other == *module) {
            continue;
        }
        let mut group: Vec<Module> = from_here
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
            .cloned()
            .collect();
        if !group.contains(module) {
            group.push((*module).clone());
        }
        if group.len() > 1 {
            found.push(group);
        }
    }
    found
}

#[test]
fn no_circle_of_imports_has_more_than_two_files() {
    let tree = Tree::read();
    let edges = tree.edges();
    assert!(
        edges.values().map(BTreeSet::len).sum::<usize>() > edges.len(),
        "hardly any import was seen: the reader is broken"
    );
    let mut offences = Vec::new();
    for circle in circles(&edges).into_iter().filter(|circle| circle.len() > MOST) {
        let name = |module: &Module| tree.modules[module].file.clone();
        offences.push(format!("{} files:", circle.len()));
        for module in &circle {
            let to: Vec<String> = edges[module].iter().filter(|other| circle.contains(other)).map(name).collect();
            offences.push(format!("  {} -> {}", name(module), to.join(", ")));
        }
    }
    assert!(
        offences.is_empty(),
        "Files that import each other in a circle want to be one, or share state that wants an owner.\n  {}\n",
        offences.join("\n  ")
    );
}

#[test]
fn the_reader_of_imports_sees_what_it_looks_for() {
    let (imports, passed_on, code) = declarations(
        "use super::a::{self, B, c::{D, E as F}};\npub use g::H;\npub(super) use super::i::J;\nfn f() { crate::k::l(); }\n",
    );
    let words =
        |list: &[(String, Module)]| list.iter().map(|(n, p)| format!("{n}={}", p.join("::"))).collect::<Vec<_>>();
    assert_eq!(words(&imports), ["a=super::a", "B=super::a::B", "D=super::a::c::D", "F=super::a::c::E"]);
    assert_eq!(words(&passed_on), ["H=g::H", "J=super::i::J"]);
    assert_eq!(paths_in(&code), [["crate", "k", "l"]]);
    let module = |text: &str| vec![text.to_string()];
    let (a, b, c) = (module("a"), module("b"), module("c"));
    let edges = BTreeMap::from([
        (&a, BTreeSet::from([b.clone()])),
        (&b, BTreeSet::from([c.clone()])),
        (&c, BTreeSet::from([a.clone()])),
    ]);
    assert_eq!(circles(&edges), [vec![a.clone(), b.clone(), c.clone()]]);
    assert_eq!(bare("x(\"a \\\" crate::y\"); // z\n// w"), "x(); // z\n");
}
