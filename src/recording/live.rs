//! A recording that is written live: in step with what is acknowledged, and cut into files by size and age.
//!
//! Invariant: every file is a whole recording with a head, and ends with a tick unless the process died. The file being
//! written has the given name; one that is full gets the time it was closed into its name, so that in the order of names the
//! older ones come first. A file that is there already is renamed in the same way, never overwritten: behind the torn end
//! of a crash nothing could be read.

use super::format::{Compression, RecordingFormat};
use super::message::HEAD_LIMIT;
use super::writer::{WriteError, Writer};
use crate::model::{MS, Nanos, SECOND};
use chrono::DateTime;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What a crash may take at most.
const LONGEST_RUN: Nanos = SECOND;

/// How a live recording is written.
#[derive(Clone, Debug)]
pub struct LiveRecordingOptions {
    /// JSON text about the recording as a whole.
    pub head: String,
    /// Its exports are brought to the disk by [`LiveRecording::sync`], and so its name has to be there as well.
    pub is_synced: bool,
    /// A file of so many bytes is closed.
    pub most_bytes: Option<u64>,
    /// A file that old is closed.
    pub longest: Option<Nanos>,
}

pub struct LiveRecording {
    path: PathBuf,
    options: LiveRecordingOptions,
    /// `None` once the recording has ended.
    writer: Option<Writer<File>>,
    opened_at: Nanos,
    /// The wall clock, as of the last call that gave it.
    now: Nanos,
    /// The newest receive time.
    last: Option<Nanos>,
    /// Exports in the open file.
    exports: u64,
}

impl LiveRecording {
    /// Begins a recording. `now` is the wall clock.
    pub fn open(path: &Path, options: LiveRecordingOptions, now: Nanos) -> Result<Self, WriteError> {
        if options.head.len() > HEAD_LIMIT {
            return Err(WriteError::LongHead(options.head.len()));
        }
        if let Ok(there) = fs::metadata(path)
            && there.is_file()
            && there.len() > 0
        {
            let written = there.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            rename_with_time(path, written.map_or(now, |at| at.as_nanos() as Nanos))?;
        }
        let mut recording = LiveRecording {
            path: path.to_path_buf(),
            options,
            writer: None,
            opened_at: now,
            now,
            last: None,
            exports: 0,
        };
        recording.begin()?;
        Ok(recording)
    }

    /// Appends a payload in protobuf.
    pub fn append(&mut self, received_at: Option<Nanos>, payload: &[u8]) -> Result<(), WriteError> {
        let full = |writer: &Writer<File>| {
            self.options.most_bytes.is_some_and(|most| self.exports > 0 && writer.written() >= most)
        };
        if self.writer.as_ref().is_some_and(full) {
            self.rotate()?;
        }
        let Some(writer) = &mut self.writer else { return Err(ended()) };
        writer.append(received_at, payload)?;
        self.exports += 1;
        self.last = received_at.or(self.last);
        Ok(())
    }

    /// Writes what is held back and returns a function that brings it to the disk, on whatever thread it is called; files
    /// that were closed before are there already.
    pub fn sync(&mut self) -> Result<impl FnOnce() -> io::Result<()> + Send + use<>, WriteError> {
        let Some(writer) = &mut self.writer else { return Err(ended()) };
        writer.flush()?;
        let file = writer.get_ref().try_clone()?;
        Ok(move || file.sync_data())
    }

    /// Writes what is held back, and closes a file that is old enough. `now` is the wall clock.
    pub fn flush(&mut self, now: Nanos) -> Result<(), WriteError> {
        self.now = now;
        let Some(writer) = &mut self.writer else { return Err(ended()) };
        writer.flush()?;
        let is_old = self.options.longest.is_some_and(|longest| now.saturating_sub(self.opened_at) >= longest);
        if is_old && self.exports > 0 { self.rotate() } else { Ok(()) }
    }

    /// Ends the recording: its last time is written as a tick, and everything is on the disk.
    pub fn end(&mut self, at: Option<Nanos>) -> Result<(), WriteError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        if let Some(at) = at {
            writer.tick(at)?;
        }
        let written = writer.finish()?;
        if self.is_regular() { Ok(written.sync_all()?) } else { Ok(()) }
    }

    fn rotate(&mut self) -> Result<(), WriteError> {
        self.end(self.last)?;
        if self.is_regular() {
            rename_with_time(&self.path, self.now)?;
        }
        self.begin()
    }

    /// Pipes and devices have no name to change.
    fn is_regular(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.is_file())
    }

    fn begin(&mut self) -> Result<(), WriteError> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&self.path)?;
        let mut writer = Writer::new(file, RecordingFormat::Own, Compression::Zstd)?;
        writer.set_longest_run(LONGEST_RUN);
        writer.set_head(self.options.head.clone())?;
        if let Some(last) = self.last {
            // So that an export without a receive time comes behind those of the file before, also when files are merged.
            writer.tick(last)?;
        }
        if self.options.is_synced {
            sync_folder(&self.path)?;
        }
        (self.writer, self.opened_at, self.exports) = (Some(writer), self.now, 0);
        Ok(())
    }
}

fn ended() -> WriteError {
    WriteError::Io(io::Error::other("the recording has ended"))
}

/// Gives a file a name with a time in it: `live.foreshock` becomes `live-2026-11-22T06-50-00.123Z.foreshock`. When that is
/// taken the next millisecond is, so that the order of names stays the order of time.
fn rename_with_time(path: &Path, mut at: Nanos) -> io::Result<()> {
    loop {
        let time = DateTime::from_timestamp_nanos(at).format("%Y-%m-%dT%H-%M-%S%.3fZ").to_string();
        let mut name = path.file_stem().map_or_else(OsString::new, OsString::from);
        name.push(format!("-{time}"));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        let target = path.with_file_name(name);
        if !target.try_exists()? {
            return fs::rename(path, target);
        }
        at = at.saturating_add(MS);
    }
}

/// A new name is on the disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
