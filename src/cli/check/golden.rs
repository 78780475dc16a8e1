//! Golden events in files: read, compared, and written anew.

use crate::cli::baseline::Judged;
use crate::cli::error::CliError;
use crate::cli::output::Terminal;
use crate::gate::{Case, CaseResult, Golden, Place, Suite, Tolerance};
use std::fs;
use std::io;
use std::path::Path;

/// Compares a recording with the golden events in a file.
pub(super) fn compare(judged: &Judged, file: &Path, tolerance: Tolerance) -> Result<Suite, CliError> {
    let stored = read(file)?;
    let mut cases: Vec<Case> = judged.shows_nothing().into_iter().collect();
    if judged.report.counts.points > 0 {
        let now = Golden::of(&judged.definitions, &judged.report);
        cases.extend(stored.compare(&now, tolerance, &file.display().to_string()));
    }
    Ok(Suite { name: judged.name.clone(), cases })
}

/// Writes the events of a recording as golden, unless it proves nothing; then the suite says why.
pub(super) fn bless(judged: &Judged, file: &Path, terminal: &Terminal) -> Result<Suite, CliError> {
    if let Some(case) = judged.shows_nothing() {
        return Ok(Suite { name: judged.name.clone(), cases: vec![case] });
    }
    if fs::exists(file).map_err(|source| failed(file, source))? {
        // Whoever mixes up the arguments must not lose a recording.
        read(file)?;
    }
    let golden = Golden::of(&judged.definitions, &judged.report);
    let text = golden.to_text().map_err(|error| failed(file, io::Error::other(error)))?;
    fs::write(file, text).map_err(|source| CliError::Output { to: file.display().to_string(), source })?;
    let count = golden.events();
    terminal.note(&format!("{}: {count} event{} blessed", file.display(), if count == 1 { "" } else { "s" }));
    let place = Some(Place { file: file.display().to_string(), position: None });
    let case = Case { name: "blessed".into(), place, seconds: None, result: CaseResult::Passed };
    Ok(Suite { name: judged.name.clone(), cases: vec![case] })
}

fn read(file: &Path) -> Result<Golden, CliError> {
    let text = fs::read_to_string(file).map_err(|source| failed(file, source))?;
    Golden::from_text(&text).map_err(|what| failed(file, io::Error::new(io::ErrorKind::InvalidData, what)))
}

fn failed(file: &Path, source: io::Error) -> CliError {
    CliError::Golden { path: file.display().to_string(), source }
}
