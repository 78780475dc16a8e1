//! `--junit`, `--sarif` and the formats for other programs: where reports go, and how a file is named in them.
//!
//! Files in reports are named from the root of the project, which is the folder above that holds `.git`, because that is how
//! the programs that read them know files; without such a folder it is the current one. The files are made before anything is
//! evaluated, so that one that cannot be written is reported at once.

use super::error::CliError;
use super::output::{self, Output, Terminal};
use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use crate::report::{self, Format, Outcome, Style};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// A job summary may be this long.
const LONGEST_SUMMARY: usize = 1 << 20;
/// Names the file that the runner shows as the summary of the job.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Options of every command that is a gate.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub(super) struct ReportArgs {
    /// Write a JUnit report: a suite for each recording or file, a case for each definition or scenario
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a SARIF 2.1.0 log, for code scanning
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

/// Files that reports will be written to.
pub(super) struct Reports {
    junit: Option<Output>,
    sarif: Option<Output>,
}

impl ReportArgs {
    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.junit.iter().chain(&self.sarif).map(PathBuf::as_path)
    }

    /// Makes the files. None may be where the results go, or another report.
    pub(super) fn open(&self, results: Option<&Path>) -> Result<Reports, CliError> {
        output::differ([results.unwrap_or(Path::new("-"))].into_iter().chain(self.files()))?;
        let open = |file: &Option<PathBuf>| file.as_deref().map(|file| Output::open(Some(file))).transpose();
        Ok(Reports { junit: open(&self.junit)?, sarif: open(&self.sarif)? })
    }
}

impl Reports {
    /// Writes the reports that are wanted; the outcome names files as [`from_root`] does.
    pub(super) fn write(&mut self, outcome: &Outcome<'_>) -> Result<(), CliError> {
        for (format, output) in [(Format::Junit, &mut self.junit), (Format::Sarif, &mut self.sarif)] {
            if let Some(output) = output {
                output.write_with(|out| report::write(format, outcome, Style::plain(), out))?;
            }
        }
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "the runner names the file so, and in no other way")]
fn summary_file() -> Option<PathBuf> {
    std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Adds the summary of the cases to what other commands of the step have written there, if this runs in such a job.
pub(super) fn job_summary(suites: &[Suite], terminal: &Terminal) -> Result<(), CliError> {
    let Some(path) = summary_file() else { return Ok(()) };
    let failed = |source: io::Error| CliError::Output { to: format!("{} ({SUMMARY})", path.display()), source };
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?.len();
    let room = LONGEST_SUMMARY.saturating_sub(usize::try_from(there).unwrap_or(usize::MAX));
    let mut text = Vec::new();
    report::markdown_of_suites(&mut text, suites, room).map_err(failed)?;
    if text.len() > room {
        // The runner would throw away all of the step's summary.
        terminal.warn("the job summary is full: nothing was added to it");
        return Ok(());
    }
    file.write_all(&text).map_err(failed)
}

/// The suites with their files named from the root of the project.
pub(super) fn from_root(suites: Vec<Suite>) -> Vec<Suite> {
    let Ok(here) = std::env::current_dir() else { return suites };
    let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here).to_path_buf();
    let named = |place: FileLocation| FileLocation { file: name_from(&root, &here, &place.file), ..place };
    let finding = |finding: Finding| Finding { place: finding.place.map(named), ..finding };
    let all = |findings: Vec<Finding>| findings.into_iter().map(finding).collect();
    let case = |case: Case| Case {
        place: case.place.map(named),
        result: match case.result {
            CaseResult::Passed => CaseResult::Passed,
            CaseResult::Failed(findings) => CaseResult::Failed(all(findings)),
            CaseResult::Inconclusive(findings) => CaseResult::Inconclusive(all(findings)),
        },
        ..case
    };
    suites.into_iter().map(|suite| Suite { cases: suite.cases.into_iter().map(case).collect(), ..suite }).collect()
}

/// A file's name from the root, with `/`; a file outside keeps its full name.
fn name_from(root: &Path, here: &Path, file: &str) -> String {
    let path = without_dots(&here.join(file));
    let inside = match path.strip_prefix(root) {
        Ok(inside) => inside.to_path_buf(),
        // The way there may lead over a link.
        Err(_) => match path.canonicalize().ok().as_deref().and_then(|real| real.strip_prefix(root).ok()) {
            Some(inside) => inside.to_path_buf(),
            None => path,
        },
    };
    inside.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The path without `.` and `..`, as it is written: links are not followed.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root() {
        let name = |file| name_from(Path::new("/repo"), Path::new("/repo/alerts"), file);
        assert_eq!(name("cpu.json"), "alerts/cpu.json");
        assert_eq!(name("./a/../cpu.json"), "alerts/cpu.json");
        assert_eq!(name("../rules/cpu.json"), "rules/cpu.json");
        assert_eq!(name("/repo/rules/cpu.json"), "rules/cpu.json");
        assert_eq!(name("/elsewhere/cpu.json"), "/elsewhere/cpu.json");
    }
}
