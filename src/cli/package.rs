//! `tune --write`: a package with the proposed numbers. Nothing is written before everything is known to be right.

use super::output::{Terminal, is_same};
use super::rules::{RulesArgs, check_depth};
use super::tune::Swept;
use crate::definition::{Source, builtin_package};
use crate::tune::{Package, PackageFile, Writable, writable};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are no part of a package.
const LEFT_OUT: [&str; 2] = [".git", "node_modules"];

/// Options that write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Writing")]
pub(super) struct WriteArgs {
    /// Write the package of --rules with the proposed numbers: into a new folder, or into its own to change it in place
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Also write values of low confidence: based on less than 24 hours or 3 instances
    #[arg(long)]
    accept_provisional: bool,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// No folder was named, or there was nothing to change.
    Nothing,
    /// The package.
    Package,
    /// Nothing, because every value has low confidence.
    Provisional,
}

impl WriteArgs {
    /// Refuses what cannot be written, before anything is evaluated.
    pub(super) fn check(&self, rules: &RulesArgs, windows: usize) -> Result<()> {
        let Some(target) = &self.write else {
            if self.accept_provisional {
                bail!("--accept-provisional: it needs --write");
            }
            return Ok(());
        };
        if windows > 0 {
            bail!("--window: only thresholds are written; change the window in the rules, then tune");
        }
        if !rules.set.is_empty() {
            bail!("--set: it changes the rules for this run only; change the rules, then tune");
        }
        let [root] = &rules.rules[..] else { bail!("--write: name one package with --rules") };
        let to = target.display();
        if target.exists()
            && !is_same(root, target)
            && fs::read_dir(target).with_context(|| cannot_write(target))?.next().is_some()
        {
            bail!(
                "--write {to}: the folder is not empty; name a new one, or that of the rules to change them in place"
            );
        }
        if let (Ok(root), Some(parent)) = (root.canonicalize(), target.parent())
            && let Ok(parent) = if parent.as_os_str().is_empty() { Path::new(".") } else { parent }.canonicalize()
            && parent.starts_with(&root)
            && !is_same(&root, target)
        {
            bail!("--write {to}: the folder lies inside the package");
        }
        Ok(())
    }

    /// Writes what is proposed.
    pub(super) fn write(&self, rules: &RulesArgs, swept: &Swept, terminal: &Terminal) -> Result<Written> {
        let (Some(target), [root]) = (&self.write, &rules.rules[..]) else { return Ok(Written::Nothing) };
        let Writable { changes, notes } = writable(&swept.tuned, &swept.definitions, self.accept_provisional);
        notes.iter().for_each(|note| terminal.note(note));
        if changes.is_empty() {
            if swept.tuned.results.iter().any(|proposal| proposal.change().is_some()) {
                terminal.note(
                    "nothing was written: every proposed value has low confidence; --accept-provisional writes it",
                );
                return Ok(Written::Provisional);
            }
            terminal.note("nothing was written: no value changes");
            return Ok(Written::Nothing);
        }
        let mut package = read(root, rules)?;
        let line =
            package.apply(&swept.definitions, &changes).map_err(|error| anyhow!("{error}; nothing was written"))?;
        write(&package, root, target)?;
        terminal.note(&format!("wrote {}", target.display()));
        terminal.note(&format!("changelog: {line}"));
        Ok(Written::Package)
    }
}

/// The files of a package.
fn read(root: &Path, rules: &RulesArgs) -> Result<Package> {
    let mut files = Vec::new();
    if let Some(name) = root.to_str().and_then(|text| text.strip_prefix("builtin:")) {
        let prefix = format!("builtin:{name}/");
        for Source { path: named, text } in builtin_package(name) {
            let path = named.strip_prefix(&prefix).unwrap_or(&named).to_string();
            files.push(PackageFile { path, named, text: Some(text) });
        }
    } else if root.is_dir() {
        collect(root, Path::new(""), 0, &mut files)?;
    } else {
        let path = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(PackageFile { path, named: root.display().to_string(), text: None });
    }
    let version = files.iter().find(|file| file.path == "package.json").map(|PackageFile { named, text, .. }| {
        let text = text.clone().map_or_else(|| fs::read_to_string(named), Ok);
        let text = text.with_context(|| cannot_write(Path::new(named)))?;
        Ok::<_, anyhow::Error>(Source { path: named.clone(), text })
    });
    let version = version.transpose()?;
    Ok(Package { version, files, sources: rules.sources()?, params: rules.params() })
}

/// In place only the files that change are written.
fn write(package: &Package, root: &Path, target: &Path) -> Result<()> {
    let in_place = is_same(root, target);
    for PackageFile { path, named, text } in package.files.iter().filter(|file| !in_place || file.text.is_some()) {
        let to = if target.is_file() { target.to_path_buf() } else { target.join(path) };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| cannot_write(folder))?;
        }
        let written = match text {
            Some(text) => fs::write(&to, text),
            None => fs::copy(named, &to).map(drop),
        };
        written.with_context(|| cannot_write(&to))?;
    }
    Ok(())
}

fn collect(root: &Path, inside: &Path, depth: usize, files: &mut Vec<PackageFile>) -> Result<()> {
    let folder = root.join(inside);
    check_depth(&folder, depth)?;
    for entry in fs::read_dir(&folder).with_context(|| cannot_write(&folder))? {
        let path = entry.with_context(|| cannot_write(&folder))?.path();
        let Some(name) = path.file_name() else { continue };
        let inside = inside.join(name);
        if !path.is_dir() {
            let (path, named) = (inside.display().to_string(), path.display().to_string());
            files.push(PackageFile { path, named, text: None });
        } else if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
            collect(root, &inside, depth + 1, files)?;
        }
    }
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write to {}", path.display())
}
