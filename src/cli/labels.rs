//! Labels: which recordings, and which times in them, were bad. Typed as options or read from a file; instants become
//! absolute when the recordings are known.

use super::convert::{Moment, moment};
use super::error::CliError;
use crate::model::Nanos;
use crate::tune::{BASELINE, Incident, Tuning, Unusable};
use chrono::DateTime;
use serde::Deserialize;
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
    #[arg(long, value_name = "FROM..TO[@SERVICE]", value_parser = incident)]
    incident: Vec<Typed>,
    /// A JSON list of labels: {"recording"} or {"from", "to"}, and with either "service" and "definitions" (names of the
    /// definitions it concerns, all without)
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

/// An incident as it is typed.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    text: String,
    from: Moment,
    to: Moment,
    service: Option<String>,
}

/// One label of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    recording: Option<PathBuf>,
    from: Option<String>,
    to: Option<String>,
    service: Option<String>,
    #[serde(default)]
    definitions: Vec<String>,
}

/// Labels whose instants are not resolved yet.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Recordings of something bad; they are the sources after the baseline, in this order.
    pub(super) bad: Vec<PathBuf>,
    labels: Vec<Label>,
}

#[derive(Debug)]
struct Label {
    name: String,
    /// Its recording, when it has one of its own.
    bad: Option<usize>,
    span: Option<(Moment, Moment)>,
    service: Option<String>,
    definitions: Vec<String>,
}

impl LabelArgs {
    /// Reads the labels.
    pub(super) fn read(&self) -> Result<Labels, CliError> {
        let mut labels = Labels::default();
        for path in &self.bad {
            let bad = labels.recording(path.clone());
            labels.labels.push(Label {
                name: path.display().to_string(),
                bad: Some(bad),
                span: None,
                service: None,
                definitions: Vec::new(),
            });
        }
        for Typed { text, from, to, service } in &self.incident {
            labels.labels.push(Label {
                name: format!("--incident {text}"),
                bad: None,
                span: Some((*from, *to)),
                service: service.clone(),
                definitions: Vec::new(),
            });
        }
        if let Some(path) = &self.labels {
            labels.read(path)?;
        }
        Ok(labels)
    }
}

impl Labels {
    fn recording(&mut self, path: PathBuf) -> usize {
        let known = self.bad.iter().position(|other| *other == path);
        known.unwrap_or_else(|| {
            self.bad.push(path);
            self.bad.len() - 1
        })
    }

    /// Reads a file of labels. Recordings in it are found beside it.
    fn read(&mut self, path: &Path) -> Result<(), CliError> {
        let file = path.display().to_string();
        let failed = |problem: String| CliError::Label { label: format!("--labels {file}"), problem };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let written: Vec<Written> =
            serde_json::from_str(&text).map_err(|error| failed(format!("{error}; a JSON list of labels is wanted")))?;
        for (number, of) in written.into_iter().enumerate() {
            let name = format!("{file}[{number}]");
            let failed = |problem: String| CliError::Label { label: name.clone(), problem };
            let span = match (&of.from, &of.to) {
                (Some(from), Some(to)) => {
                    let moment = |text: &str| moment(text).map_err(|problem| failed(format!("`{text}`: {problem}")));
                    Some((moment(from)?, moment(to)?))
                }
                (None, None) => None,
                _ => return Err(failed("`from` and `to` belong together".into())),
            };
            if span.is_none() && of.recording.is_none() {
                return Err(failed("it has neither `recording` nor `from` and `to`".into()));
            }
            let bad = of.recording.map(|own| {
                let beside = path.parent().map_or_else(|| own.clone(), |folder| folder.join(&own));
                self.recording(beside)
            });
            let name = bad.map_or(name, |bad| self.bad[bad].display().to_string());
            self.labels.push(Label { name, bad, span, service: of.service, definitions: of.definitions });
        }
        Ok(())
    }

    /// The incidents, with what each source begins with.
    pub(super) fn resolve(&self, begins: &[Option<Nanos>]) -> Vec<Incident> {
        let resolved = self.labels.iter().map(|label| {
            let source = label.bad.map_or(BASELINE, |bad| bad + 1);
            let begin = begins.get(source).copied().flatten().unwrap_or(0);
            Incident {
                name: label.name.clone(),
                source,
                from: label.span.map(|(from, _)| from.resolve(begin)),
                to: label.span.map(|(_, to)| to.resolve(begin)),
                service: label.service.clone(),
                definitions: label.definitions.clone(),
            }
        });
        resolved.collect()
    }
}

/// Refuses labels that have nothing to do with the recordings.
pub(super) fn check(tuning: &Tuning) -> Result<(), CliError> {
    let Some((incident, why)) = tuning.unusable().into_iter().next() else { return Ok(()) };
    let problem = match why {
        Unusable::NoService(known) if known.is_empty() => "no entity of the recordings has a service.name".to_string(),
        Unusable::NoService(known) => format!(
            "no service `{}` in the recordings; there are {}",
            incident.service.as_deref().unwrap_or_default(),
            known.join(", ")
        ),
        Unusable::NoOverlap(from, to) => {
            let ends_first = matches!((incident.from, incident.to), (Some(from), Some(to)) if to < from);
            if ends_first {
                "it ends before it begins".to_string()
            } else {
                format!("it does not overlap the recordings, which reach from {} to {}", utc(from), utc(to))
            }
        }
        Unusable::NoData => "nothing was evaluated in its recordings".to_string(),
        Unusable::NoDefinition(name) => format!("no definition `{name}` is loaded"),
    };
    Err(CliError::Label { label: incident.name.clone(), problem })
}

fn utc(at: Nanos) -> String {
    DateTime::from_timestamp_nanos(at).format("%FT%TZ").to_string()
}

fn incident(text: &str) -> Result<Typed, String> {
    let Some((from, rest)) = text.split_once("..") else {
        return Err("write FROM..TO or FROM..TO@SERVICE".into());
    };
    let (to, service) = match rest.split_once('@') {
        Some((_, "")) => return Err("the service behind @ is missing".into()),
        Some((to, service)) => (to, Some(service.to_string())),
        None => (rest, None),
    };
    Ok(Typed { text: text.to_string(), from: moment(from)?, to: moment(to)?, service })
}
