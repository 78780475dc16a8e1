//! Labels: when something was wrong, and on which service.

use crate::engine::EntityLabel;
use crate::model::{Nanos, Value};

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
    /// Names of the definitions that should have seen it; empty: all.
    pub definitions: Vec<String>,
}

impl Incident {
    /// Whether a definition should have seen it.
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
}

/// The `service.name` of an entity.
pub fn service_of(entity: &EntityLabel) -> Option<String> {
    entity.resource.get("service.name").map(Value::to_text)
}
