//! Opens recordings: files or standard input, with a progress bar on a terminal.
//!
//! What is wrong with a recording is collected by the reader and shown at the end, so that one place decides what it means
//! for the exit code: a torn tail is reported and no more, any other damage makes the result inconclusive.

use super::output::{Terminal, is_stream};
use crate::engine::{Input, Inputs};
use crate::recording::{Compression, DamageKind, Reader, Replayed, Source, WriteError};
use anyhow::{Context, Error, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The recordings of a command.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RecordingsArgs {
    /// Recordings in any known form, merged by time; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

impl RecordingsArgs {
    /// Whether one of them is standard input, which can be read only once.
    pub(super) fn has_stdin(&self) -> bool {
        self.files.iter().any(|file| is_stream(file))
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> + Clone {
        self.files.iter().map(PathBuf::as_path)
    }
}

/// Opened recordings.
pub(super) struct Recordings {
    inputs: Replayed,
    names: Vec<String>,
    progress: ProgressBar,
}

impl Recordings {
    pub(super) fn open(args: &RecordingsArgs, terminal: &Terminal) -> Result<Self> {
        let recordings = Recordings::of(&args.files)?;
        let progress =
            if terminal.shows_progress() { bar(recordings.inputs.reader().bytes_total()) } else { recordings.progress };
        Ok(Recordings { progress, ..recordings })
    }

    /// Opens files, without a progress bar.
    pub(super) fn of(files: &[PathBuf]) -> Result<Self> {
        if files.iter().filter(|file| is_stream(file)).count() > 1 {
            bail!("`-` (standard input) can be read only once");
        }
        let sources: Vec<Source> = files.iter().map(|file| source(file)).collect::<Result<_>>()?;
        let names = sources.iter().map(|source| source.name.clone()).collect();
        let reader = Reader::open(sources).map_err(|error| anyhow!("cannot read the recording {error}"))?;
        Ok(Recordings { inputs: Replayed::new(reader), names, progress: ProgressBar::hidden() })
    }

    /// The recordings that have a head, and their heads.
    pub(super) fn heads(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inputs.reader().files().filter_map(|file| Some((file.name, file.head?)))
    }

    /// What is wrong, one sentence each.
    pub(super) fn damage(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.inputs.reader().damages().map(ToString::to_string).collect();
        let kept = self.inputs.reader().damages().filter(|damage| damage.kind == DamageKind::Damage).count() as u64;
        if self.inputs.reader().damage_count() > kept {
            sentences.push(format!("and {} more", self.inputs.reader().damage_count() - kept));
        }
        sentences
    }

    /// Whether something that was recorded cannot be read.
    pub(super) fn is_damaged(&self) -> bool {
        self.inputs.reader().damage_count() > 0
    }

    /// The names of the recordings.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Form and compression of each recording.
    pub(super) fn forms(&self) -> Vec<String> {
        let word = |compression| match compression {
            Compression::None => "",
            Compression::Gzip => ", gzip",
            Compression::Zstd => ", zstd",
        };
        self.inputs.reader().files().map(|file| format!("{}{}", file.format.as_str(), word(file.compression))).collect()
    }
}

impl Inputs for Recordings {
    fn next(&mut self) -> Option<Input<'_>> {
        self.progress.set_position(self.inputs.reader().bytes_read());
        let input = self.inputs.next();
        if input.is_none() {
            self.progress.finish_and_clear();
        }
        input
    }
}

fn source(path: &Path) -> Result<Source> {
    if is_stream(path) {
        return Ok(Source { name: "standard input".into(), size: None, reader: Box::new(io::stdin()) });
    }
    let name = path.display().to_string();
    let failed = || format!("cannot read the recording {name}");
    let file = File::open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    if metadata.is_dir() {
        return Err(Error::msg("it is a folder; name the files in it").context(failed()));
    }
    let size = metadata.is_file().then_some(metadata.len());
    Ok(Source { name, size, reader: Box::new(file) })
}

/// Why a recording cannot be written.
pub(super) fn write_error(to: &str, error: WriteError) -> Error {
    let cause = match error {
        WriteError::Io(error) => Error::new(error),
        other => Error::msg(other),
    };
    cause.context(format!("cannot write the recording {to}"))
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    let bar = bar.with_finish(ProgressFinish::AndClear);
    // The templates are constants; one that is wrong leaves the default look.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
