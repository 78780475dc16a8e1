//! Entity types and labels: what queries and presence rules call a resource.

use super::wildcard::fold;
use crate::model::{Attributes, Value};

/// The runtimes that queries name, by `telemetry.sdk.language`. Public configurations use the short names, the plugin
/// catalogue the `…Platform` ones.
const RUNTIMES: [(&str, &str, &str); 4] = [
    ("python", "pythonRuntime", "pythonRuntimePlatform"),
    ("go", "goLangRuntime", "goLangRuntimePlatform"),
    ("nodejs", "nodeJsRuntime", "nodeJsRuntimePlatform"),
    ("java", "jvmRuntime", "jvmRuntimePlatform"),
];

/// The entity types of a resource: OpenTelemetry always, and the runtime of its SDK's language.
pub(super) fn entity_types(resource: &Attributes) -> impl Iterator<Item = &'static str> {
    let language = resource.get("telemetry.sdk.language").map(|v| fold(&v.to_text()));
    let runtime = RUNTIMES.into_iter().filter(move |(l, _, _)| language.as_deref() == Some(l));
    ["openTelemetry", "otel"].into_iter().chain(runtime.flat_map(|(_, short, long)| [short, long]))
}

/// Whether entities of OTLP can have a type at all; case does not matter.
pub(super) fn is_entity_type(name: &str) -> bool {
    let known = RUNTIMES.iter().flat_map(|(_, short, long)| [*short, *long]).chain(["openTelemetry", "otel"]);
    known.into_iter().any(|known| fold(known) == fold(name))
}

/// Whether a resource has an entity type; case does not matter.
pub(super) fn has_entity_type(resource: &Attributes, name: &str) -> bool {
    entity_types(resource).any(|own| fold(own) == fold(name))
}

/// The labels of a resource: `<service.name> (<service.instance.id>)` and the name alone, or the one of the
/// two that is present.
pub(super) fn entity_labels(resource: &Attributes) -> Vec<String> {
    let name = resource.get("service.name").map(Value::to_text);
    let instance = resource.get("service.instance.id").map(Value::to_text);
    match (name, instance) {
        (Some(name), Some(instance)) => vec![format!("{name} ({instance})"), name],
        (name, instance) => name.into_iter().chain(instance).collect(),
    }
}
