//! Labels on the command line: which recordings, and which times in them, were bad.

use super::error::CliError;
use crate::model::Nanos;
use crate::tune::{BASELINE, Incident, Label};
use std::fs;
use std::path::{Path, PathBuf};

/// Options of commands that take labels.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Labels")]
pub(super) struct LabelArgs {
    /// A recording of an incident: every rule it concerns should fire on it; repeatable
    #[arg(long, value_name = "FILE")]
    bad: Vec<PathBuf>,
    /// When something was wrong in the recordings: FROM..TO or FROM..TO@SERVICE, each as 2026-11-22T06:50:00Z,
    /// 06:50:00 or +5m; repeatable
    #[arg(long, value_name = "FROM..TO[@SERVICE]", value_parser = Label::parse)]
    incident: Vec<Label>,
    /// A JSON list of labels: {"recording"} or {"from", "to"}, and with either "service" and "definitions" (names of the
    /// definitions it concerns, all without)
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

/// All labels.
#[derive(Debug)]
pub(super) struct Labels {
    /// Recordings of something bad; they are the sources after the baseline, in this order.
    pub(super) bad: Vec<PathBuf>,
    /// Each with its source.
    labels: Vec<(usize, Label)>,
}

impl LabelArgs {
    /// Reads the labels. Recordings in a file of labels are found beside it.
    pub(super) fn read(&self) -> Result<Labels, CliError> {
        let bad = self.bad.iter().map(|path| Label::recording(&path.display().to_string()));
        let mut all: Vec<Label> = bad.chain(self.incident.iter().cloned()).collect();
        if let Some(path) = &self.labels {
            let file = path.display().to_string();
            let text = fs::read_to_string(path)
                .map_err(|error| CliError::Label { label: format!("--labels {file}"), problem: error.to_string() })?;
            let beside = |name: &str| path.parent().unwrap_or(Path::new("")).join(name).display().to_string();
            let labels = Label::parse_file(&file, &text, beside);
            all.extend(labels.map_err(|(label, problem)| CliError::Label { label, problem })?);
        }
        let mut labels = Labels { bad: Vec::new(), labels: Vec::new() };
        for label in all {
            let source = label.recording.as_ref().map_or(BASELINE, |name| labels.source(PathBuf::from(name)));
            labels.labels.push((source, label));
        }
        Ok(labels)
    }
}

impl Labels {
    fn source(&mut self, path: PathBuf) -> usize {
        let known = self.bad.iter().position(|other| *other == path);
        let bad = known.unwrap_or_else(|| {
            self.bad.push(path);
            self.bad.len() - 1
        });
        bad + 1
    }

    /// The incidents, with what each source begins with.
    pub(super) fn resolve(&self, begins: &[Option<Nanos>]) -> Vec<Incident> {
        let begin = |source: usize| begins.get(source).copied().flatten().unwrap_or(0);
        self.labels.iter().map(|(source, label)| label.resolve(*source, begin(*source))).collect()
    }
}
