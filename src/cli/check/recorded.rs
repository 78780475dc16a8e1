//! Recordings judged with rules, for comparisons: with golden events, with another recording.

use crate::check::{Case, CaseResult, Coverage, Finding, Golden, Place, Suite, Tolerance};
use crate::cli::error::CliError;
use crate::cli::output::Terminal;
use crate::cli::recordings::Recordings;
use crate::engine::{Engine, Options, Report, drive};
use crate::event::EventDefinition;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What became of recordings.
pub(super) struct Judged {
    pub(super) definitions: Vec<EventDefinition>,
    pub(super) report: Report,
    /// What is wrong with them, when that matters.
    pub(super) damage: Vec<String>,
    /// Their names.
    pub(super) name: String,
}

/// Judges recordings.
pub(super) fn judge(files: &[PathBuf], definitions: &[EventDefinition], options: &Options) -> Result<Judged, CliError> {
    let mut recordings = Recordings::of(files)?;
    let mut engine = Engine::new(definitions.to_vec(), options.clone());
    let Ok(()) = drive(&mut engine, &mut recordings, |_, _| Ok::<(), Infallible>(()));
    let damage = if recordings.is_damaged() { recordings.damage() } else { Vec::new() };
    let (report, name) = (engine.report(), recordings.names().join(", "));
    Ok(Judged { definitions: engine.definitions().to_vec(), report, damage, name })
}

impl Judged {
    /// Why a comparison would prove nothing.
    pub(super) fn proves_nothing(&self) -> Option<Case> {
        let why = if self.report.counts.points == 0 {
            vec![("empty-recording", format!("there is no point in {}: nothing was judged", self.name))]
        } else {
            self.damage.iter().map(|sentence| ("damaged-recording", sentence.clone())).collect()
        };
        let place = Some(Place { file: self.name.clone(), position: None });
        let found = why.into_iter().map(|(code, message)| Finding {
            code,
            message,
            details: String::new(),
            place: place.clone(),
        });
        let found: Vec<Finding> = found.collect();
        let result = CaseResult::Inconclusive(found.clone());
        (!found.is_empty()).then(|| Case { name: self.name.clone(), place: place.clone(), seconds: None, result })
    }

    pub(super) fn cover(&self, coverage: &mut Coverage) {
        coverage.add(&self.definitions, self.definitions.len(), &self.report);
    }
}

/// Compares a recording with the golden events in a file.
pub(super) fn golden(judged: &Judged, file: &Path, tolerance: Tolerance) -> Result<Suite, CliError> {
    let stored = read(file)?;
    let mut cases: Vec<Case> = judged.proves_nothing().into_iter().collect();
    if judged.report.counts.points > 0 {
        let now = Golden::of(&judged.definitions, &judged.report);
        cases.extend(stored.compare(&now, tolerance, &file.display().to_string()));
    }
    Ok(Suite { name: judged.name.clone(), cases })
}

/// Writes the events of a recording as golden, unless it proves nothing; then the suite says why.
pub(super) fn bless(judged: &Judged, file: &Path, terminal: &Terminal) -> Result<Suite, CliError> {
    if let Some(case) = judged.proves_nothing() {
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
