//! Which scenario files are meant: files as named, folders searched for `*.test.yaml`.
//!
//! A folder's files come in the order of their names, and every file once. Hidden folders and `node_modules` are not
//! searched unless they are named, and links to folders are not followed, so that a search ends.

use crate::cli::error::CliError;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A scenario file.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    /// The file as messages name it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Finds the files, none twice.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
        if metadata.is_dir() { search(path, &mut found)? } else { found.push(path.clone()) }
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// Reads the files.
pub(super) fn read(found: Vec<PathBuf>) -> Result<Vec<File>, CliError> {
    let found = found.into_iter();
    found
        .map(|path| fs::read(&path).map_err(|source| failed(&path, source)).and_then(|bytes| text(path, bytes)))
        .collect()
}

fn text(path: PathBuf, bytes: Vec<u8>) -> Result<File, CliError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(File { path, text }),
        Err(_) => {
            let what = "the file is not UTF-8 text; save it as UTF-8";
            Err(failed(&path, io::Error::new(io::ErrorKind::InvalidData, what)))
        }
    }
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let kind = entry.file_type().map_err(|source| failed(&entry.path(), source))?;
        entries.push((entry.file_name(), kind.is_dir()));
    }
    entries.sort();
    for (name, is_folder) in entries {
        let text = name.to_string_lossy();
        let path = if folder == Path::new(".") { PathBuf::from(&name) } else { folder.join(&name) };
        if is_folder && !text.starts_with('.') && text != "node_modules" {
            search(&path, found)?;
        } else if !is_folder && [".test.yaml", ".test.yml"].iter().any(|end| text.ends_with(end)) {
            found.push(path);
        }
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> CliError {
    CliError::Scenarios { path: path.display().to_string(), source }
}
