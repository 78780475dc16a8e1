//! Golden events in files: read, compared, and written anew.

use crate::cli::error::CliError;
use crate::cli::output::Terminal;
use crate::gate::{Case, CaseResult, EvaluatedRecording, FileLocation, Golden, Suite, Tolerance};
use std::fs;
use std::io;
use std::path::Path;

/// Compares a recording with the golden events in a file.
pub(super) fn compare(recording: &EvaluatedRecording, file: &Path, tolerance: Tolerance) -> Result<Suite, CliError> {
    let stored = read(file)?;
    let mut cases: Vec<Case> = recording.proves_nothing().into_iter().collect();
    if recording.has_points() {
        let now = Golden::of(&recording.definitions, &recording.report);
        cases.extend(stored.compare(&now, tolerance, &file.display().to_string()));
    }
    Ok(Suite { name: recording.name.clone(), cases })
}

/// Writes the events of a recording as golden, unless it proves nothing; then the suite says why.
pub(super) fn bless(recording: &EvaluatedRecording, file: &Path, terminal: &Terminal) -> Result<Suite, CliError> {
    if let Some(case) = recording.proves_nothing() {
        return Ok(Suite { name: recording.name.clone(), cases: vec![case] });
    }
    if fs::exists(file).map_err(|source| failed(file, source))? {
        // Whoever mixes up the arguments must not lose a recording.
        read(file)?;
    }
    let golden = Golden::of(&recording.definitions, &recording.report);
    let text = golden.to_text().map_err(|error| failed(file, io::Error::other(error)))?;
    fs::write(file, text).map_err(|source| CliError::Output { to: file.display().to_string(), source })?;
    let count = golden.events();
    terminal.note(&format!("{}: {count} event{} blessed", file.display(), if count == 1 { "" } else { "s" }));
    let place = Some(FileLocation::file(file.display().to_string()));
    let case = Case::new("blessed", place, CaseResult::Passed);
    Ok(Suite { name: recording.name.clone(), cases: vec![case] })
}

fn read(file: &Path) -> Result<Golden, CliError> {
    let text = fs::read_to_string(file).map_err(|source| failed(file, source))?;
    Golden::from_text(&text).map_err(|what| failed(file, io::Error::new(io::ErrorKind::InvalidData, what)))
}

fn failed(file: &Path, source: io::Error) -> CliError {
    CliError::Golden { path: file.display().to_string(), source }
}
