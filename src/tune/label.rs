//! Labels: which recordings, and which times in them, were bad, and on which service.
//!
//! Owns their notation, typed or in a JSON file, and the incidents they become once it is known when the recordings begin.
//! Absent on purpose: reading files.

use crate::engine::EntityLabel;
use crate::model::{Moment, Nanos, Value};
use chrono::DateTime;
use serde::Deserialize;
use std::collections::BTreeSet;

/// A time in which the definitions it concerns should have fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// As it is shown.
    pub name: String,
    /// Index of the source it lies in.
    pub source: usize,
    /// From here; `None`: from the beginning of the source.
    pub from: Option<Nanos>,
    /// To here; `None`: to its end.
    pub to: Option<Nanos>,
    /// Only entities of this `service.name`.
    pub service: Option<String>,
    /// Names of the definitions that should have detected it; empty: all.
    pub definitions: Vec<String>,
}

/// Why an incident cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("no entity of the recordings has a service.name")]
    NoServices,
    #[error("no service `{service}` in the recordings; there are {}", known.join(", "))]
    NoService { service: String, known: Vec<String> },
    #[error("it ends before it begins")]
    EndsFirst,
    #[error("it does not overlap the recordings, which reach from {} to {}", utc(*from), utc(*to))]
    NoOverlap { from: Nanos, to: Nanos },
    #[error("nothing was evaluated in its recordings")]
    NoData,
    #[error("no definition `{0}` is loaded")]
    NoDefinition(String),
}

impl Incident {
    /// Whether a definition should have detected it.
    pub fn concerns(&self, definition: &str) -> bool {
        self.definitions.is_empty() || self.definitions.iter().any(|name| name == definition)
    }

    pub(super) fn is_on(&self, entity: &EntityLabel) -> bool {
        self.service.as_ref().is_none_or(|service| Some(service) == service_of(entity).as_ref())
    }

    /// The part of a time that lies in it.
    pub(super) fn part(&self, from: Nanos, to: Nanos) -> Option<(Nanos, Nanos)> {
        let part = (self.from.map_or(from, |own| own.max(from)), self.to.map_or(to, |own| own.min(to)));
        (part.0 <= part.1).then_some(part)
    }

    /// From its beginning until no window of this length holds data of it.
    pub(super) fn span(&self, window: Nanos) -> (Nanos, Nanos) {
        (self.from.unwrap_or(Nanos::MIN), self.to.unwrap_or(Nanos::MAX).saturating_add(window))
    }

    /// Whether it has to do with these definitions, and with what its source holds.
    pub(super) fn check(
        &self,
        definitions: &BTreeSet<&str>,
        span: Option<(Nanos, Nanos)>,
        services: &BTreeSet<String>,
    ) -> Result<(), Unusable> {
        if let Some(unknown) = self.definitions.iter().find(|name| !definitions.contains(name.as_str())) {
            return Err(Unusable::NoDefinition(unknown.clone()));
        }
        let (from, to) = span.ok_or(Unusable::NoData)?;
        match &self.service {
            Some(_) if services.is_empty() => Err(Unusable::NoServices),
            Some(service) if !services.contains(service) => {
                Err(Unusable::NoService { service: service.clone(), known: services.iter().cloned().collect() })
            }
            _ if self.part(from, to).is_some() => Ok(()),
            _ if matches!((self.from, self.to), (Some(from), Some(to)) if to < from) => Err(Unusable::EndsFirst),
            _ => Err(Unusable::NoOverlap { from, to }),
        }
    }
}

/// The `service.name` of an entity.
pub fn service_of(entity: &EntityLabel) -> Option<String> {
    entity.resource.get("service.name").map(Value::to_text)
}

fn utc(at: Nanos) -> String {
    DateTime::from_timestamp_nanos(at).format("%FT%TZ").to_string()
}

/// A label: an incident whose times may still be relative to its recording.
#[derive(Clone, Debug)]
pub struct Label {
    /// As it is shown.
    pub name: String,
    /// Its recording, when it has one of its own.
    pub recording: Option<String>,
    pub times: Option<(Moment, Moment)>,
    pub service: Option<String>,
    pub definitions: Vec<String>,
}

impl Label {
    /// A whole recording.
    pub fn recording(name: &str) -> Label {
        let (name, recording) = (name.to_string(), Some(name.to_string()));
        Label { name, recording, times: None, service: None, definitions: Vec::new() }
    }

    /// Reads `FROM..TO` or `FROM..TO@SERVICE`.
    pub fn parse(text: &str) -> Result<Label, String> {
        let (from, rest) = text.split_once("..").ok_or("write FROM..TO or FROM..TO@SERVICE")?;
        let (to, service) = match rest.split_once('@') {
            Some((_, "")) => return Err("the service behind @ is missing".into()),
            Some((to, service)) => (to, Some(service.to_string())),
            None => (rest, None),
        };
        let times = Some((Moment::parse(from)?, Moment::parse(to)?));
        Ok(Label { name: format!("--incident {text}"), recording: None, times, service, definitions: Vec::new() })
    }

    /// Reads a JSON list of labels; an error names the label. Names of recordings are completed by `beside`.
    pub fn parse_file(file: &str, text: &str, beside: impl Fn(&str) -> String) -> Result<Vec<Label>, (String, String)> {
        let entries: Vec<LabelEntry> = serde_json::from_str(text)
            .map_err(|error| (format!("--labels {file}"), format!("{error}; write a JSON list of labels")))?;
        let label = |(number, entry): (usize, LabelEntry)| {
            let name = format!("{file}[{number}]");
            let moment = |text: &str| Moment::parse(text).map_err(|problem| format!("`{text}`: {problem}"));
            let times = match (&entry.from, &entry.to) {
                (Some(from), Some(to)) => moment(from).and_then(|from| Ok(Some((from, moment(to)?)))),
                (None, None) if entry.recording.is_none() => {
                    Err("it has neither `recording` nor `from` and `to`".to_string())
                }
                (None, None) => Ok(None),
                _ => Err("`from` and `to` belong together".to_string()),
            };
            let times = times.map_err(|problem| (name.clone(), problem))?;
            let recording = entry.recording.as_deref().map(&beside);
            let (service, definitions) = (entry.service, entry.definitions);
            Ok(Label { name: recording.clone().unwrap_or(name), recording, times, service, definitions })
        };
        entries.into_iter().enumerate().map(label).collect()
    }

    /// The incident in a source that begins there.
    pub fn resolve(&self, source: usize, begin: Nanos) -> Incident {
        Incident {
            name: self.name.clone(),
            source,
            from: self.times.map(|(from, _)| from.resolve(begin)),
            to: self.times.map(|(_, to)| to.resolve(begin)),
            service: self.service.clone(),
            definitions: self.definitions.clone(),
        }
    }
}

/// One label of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelEntry {
    recording: Option<String>,
    from: Option<String>,
    to: Option<String>,
    service: Option<String>,
    #[serde(default)]
    definitions: Vec<String>,
}
