//! What is known of the metrics that OpenTelemetry clients send: names, kinds, units, the releases that send them, what
//! replaced what, and the traps in their values.
//!
//! The facts are data (`rules/catalog/*.json`, embedded); this room reads them once and answers questions. Keys it does not
//! know are ignored, so that a newer file still loads. Absent on purpose: any influence on a verdict. The catalog explains;
//! rules are judged on what arrived.

use crate::model::{Attributes, Kind};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const PYTHON: &str = include_str!("../../rules/catalog/python.json");

/// The embedded catalog of the Python client.
pub fn python() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| serde_json::from_str(PYTHON).unwrap_or_default())
}

/// The metrics of one client library.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// Name of the library that sends the metrics.
    pub client: String,
    /// The instrumentation scope they arrive with.
    pub scope: String,
    /// The newest release the catalog knows.
    pub newest: Release,
    /// The metrics.
    pub metrics: Vec<KnownMetric>,
}

/// One metric as the client sends it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownMetric {
    /// Name on the wire.
    pub name: String,
    /// Data kind on the wire.
    pub kind: Kind,
    /// Whether the client declares the sum monotonic (which it may not be: see the traps).
    #[serde(default)]
    pub monotonic: bool,
    /// Unit on the wire, in the newest release.
    #[serde(default)]
    pub unit: String,
    /// What the values are, whatever the unit says.
    #[serde(default)]
    pub quantity: Quantity,
    /// Attribute keys with their values; no values where they depend on the machine.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
    /// First release that sends it by default; `None`: every release known.
    pub from: Option<Release>,
    /// Last release that sends it by default; `None`: the newest still does.
    pub to: Option<Release>,
    /// The name it got when it was renamed.
    pub renamed_to: Option<String>,
    /// Metrics that say the same, newer and better, beside it.
    #[serde(default)]
    pub successors: Vec<String>,
    /// Whether it changes faster the more often it is looked at, so that its rate says something of the export interval.
    #[serde(default)]
    pub depends_on_interval: bool,
    /// Names of the same metric on other interpreters.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What its values do that one would not expect.
    #[serde(default)]
    pub traps: Vec<Trap>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quantity {
    /// A number without a unit.
    #[default]
    Number,
    /// A part of a whole.
    Ratio,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Quantity {
    /// What a unit on the wire says, in the spellings clients use.
    pub fn of_unit(unit: &str) -> Self {
        match unit {
            "By" | "bytes" | "byte" => Quantity::Bytes,
            "s" | "seconds" => Quantity::Seconds,
            _ => Quantity::Number,
        }
    }
}

/// Something about a metric's values that misleads a rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trap {
    /// Which verdict it can make wrong.
    pub misleads: Misleads,
    /// First release with the trap; `None`: the first.
    pub from: Option<Release>,
    /// Last release with the trap; `None`: the newest.
    pub to: Option<Release>,
    /// Only series with these attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Only rules with this aggregation.
    pub aggregation: Option<String>,
    /// Only when this metric arrives as well.
    pub beside: Option<String>,
    /// True for what is good to know but seldom decides.
    #[serde(default)]
    pub verbose: bool,
    /// What happens and what to do about it.
    pub text: String,
}

/// Which verdict a trap can make wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Misleads {
    /// Events without a cause.
    Fired,
    /// Silence in spite of a cause.
    Quiet,
    /// Nothing to judge.
    Inconclusive,
    /// Events as well as silence.
    Both,
}

impl Trap {
    /// Whether a client of this release has the trap. Of an unknown release it is not known, so every trap may be there.
    pub fn concerns(&self, release: Option<Release>) -> bool {
        let Some(release) = release else { return true };
        self.from.is_none_or(|from| from <= release) && self.to.is_none_or(|to| release <= to)
    }

    /// Whether a series with these attributes has the trap.
    pub fn concerns_series(&self, attributes: &Attributes) -> bool {
        self.attributes.iter().all(|(key, value)| attributes.get(key).is_some_and(|found| found.to_text() == *value))
    }
}

/// A release of the client, as far as the catalog tells them apart: `0.NNbX` is release NN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Release(u32);

impl Release {
    /// Reads `0.48b0`; `None` for a version of another shape.
    pub fn parse(version: &str) -> Option<Self> {
        let (number, _) = version.strip_prefix("0.")?.split_once('b')?;
        Some(Release(number.parse().ok()?))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0.{}b0", self.0)
    }
}

impl TryFrom<String> for Release {
    type Error = String;

    fn try_from(version: String) -> Result<Self, String> {
        Release::parse(&version).ok_or_else(|| format!("`{version}` is no release of the form 0.NNb0"))
    }
}

impl Catalog {
    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<&KnownMetric> {
        self.metrics.iter().find(|metric| metric.name == name || metric.aliases.iter().any(|alias| alias == name))
    }

    /// The metric a metric id's path (`[<scope>/]<name>`) ends with.
    pub fn metric_of_path(&self, path: &str) -> Option<&KnownMetric> {
        self.metric(path.strip_prefix(&self.scope).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path))
    }

    /// Other names under which the same thing may arrive, with the release that brought the change; the closest first.
    pub fn other_names<'a>(&'a self, name: &'a str) -> Vec<OtherName<'a>> {
        let Some(known) = self.metric(name) else { return Vec::new() };
        let aliases = std::iter::once(&known.name).chain(&known.aliases).filter(|alias| *alias != name);
        let other = |name, relation, release| OtherName { name, relation, release };
        let mut others: Vec<_> = aliases.map(|alias| other(alias, Relation::OtherInterpreter, None)).collect();
        for metric in &self.metrics {
            if metric.leads_to(known) {
                others.push(other(&metric.name, Relation::Older, known.from));
            }
            if known.leads_to(metric) {
                others.push(other(&metric.name, Relation::Newer, metric.from));
            }
        }
        others
    }
}

impl KnownMetric {
    /// Whether the other metric says the same under a newer name.
    fn leads_to(&self, other: &KnownMetric) -> bool {
        self.renamed_to.as_ref() == Some(&other.name) || self.successors.contains(&other.name)
    }
}

/// Another name of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherName<'a> {
    /// The name.
    pub name: &'a str,
    /// How it relates to the name asked for.
    pub relation: Relation,
    /// The release that brought the newer of the two names.
    pub release: Option<Release>,
}

/// How two names of one thing relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The other name is newer.
    Newer,
    /// The other name is older.
    Older,
    /// Another interpreter uses the other name.
    OtherInterpreter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalog_is_read_and_consistent() {
        let catalog: Catalog = serde_json::from_str(PYTHON).expect("rules/catalog/python.json is a catalog");
        assert!(catalog.metrics.len() > 30 && catalog.newest >= Release(66));
        for (i, metric) in catalog.metrics.iter().enumerate() {
            let name = &metric.name;
            assert!(catalog.metrics.iter().skip(i + 1).all(|other| other.name != *name), "{name} is there twice");
            assert!(metric.from.is_none_or(|from| metric.to.is_none_or(|to| from <= to)), "{name}: from after to");
            assert!(metric.from.is_none_or(|from| from <= catalog.newest), "{name}: from after the newest release");
            assert_eq!(
                metric.to.is_some(),
                metric.renamed_to.is_some(),
                "{name}: ended without a new name, or reverse"
            );
            assert!(metric.kind == Kind::Sum || !metric.monotonic, "{name}: only sums are monotonic");
            for other in metric.successors.iter().chain(&metric.renamed_to) {
                let other = catalog.metric(other).unwrap_or_else(|| panic!("{name} names {other}, which is not there"));
                assert!(other.from > metric.from, "{name}: {} is not newer", other.name);
            }
            for trap in &metric.traps {
                assert!(trap.beside.as_deref().is_none_or(|other| catalog.metric(other).is_some()), "{name}: beside");
                let text = &trap.text;
                assert!(text.ends_with('.') && text.len() < 330, "{name}: `{text}` is no short sentence");
                assert!(trap.from.is_none_or(|from| trap.to.is_none_or(|to| from <= to)), "{name}: `{text}`");
                for (key, value) in &trap.attributes {
                    let known = metric.attributes.get(key).unwrap_or_else(|| panic!("{name} has no attribute {key}"));
                    assert!(known.is_empty() || known.contains(value), "{name}: {key} is never {value}");
                }
            }
        }
    }

    #[test]
    fn what_a_newer_file_says_more_is_ignored() {
        let text = r#"{"client":"c","scope":"s","newest":"0.70b0","later":1,
            "metrics":[{"name":"m","kind":"sum","later":{}}]}"#;
        let catalog: Catalog = serde_json::from_str(text).expect("unknown keys are ignored");
        assert!(catalog.metric("m").is_some_and(|metric| !metric.monotonic && metric.quantity == Quantity::Number));
        let text = r#"{"client":"c","scope":"s","newest":"seventy","metrics":[]}"#;
        assert!(serde_json::from_str::<Catalog>(text).is_err());
    }

    #[test]
    fn other_names_lead_both_ways() {
        let names = |name: &str| -> Vec<(String, Relation)> {
            let others = python().other_names(name);
            others.iter().map(|other| (other.name.to_string(), other.relation)).collect()
        };
        let old = names("runtime.cpython.memory");
        assert_eq!(old, [("process.runtime.cpython.memory".to_string(), Relation::Newer)]);
        let middle = names("process.runtime.cpython.memory");
        assert!(middle.contains(&("runtime.cpython.memory".to_string(), Relation::Older)));
        assert!(middle.contains(&("process.memory.usage".to_string(), Relation::Newer)));
        assert!(middle.contains(&("process.runtime.pypy.memory".to_string(), Relation::OtherInterpreter)));
        assert!(
            names("process.memory.usage").contains(&("process.runtime.cpython.memory".to_string(), Relation::Older))
        );
        assert!(names("no.such.metric").is_empty());
    }

    #[test]
    fn traps_know_their_releases_and_series() {
        let cpu = python()
            .metric_of_path("opentelemetry.instrumentation.system_metrics/process.runtime.cpython.cpu.utilization");
        let cpu = cpu.expect("known with its scope");
        let texts = |version: &str| -> Vec<&str> {
            let release = Release::parse(version);
            cpu.traps.iter().filter(|trap| trap.concerns(release)).map(|trap| trap.text.as_str()).collect()
        };
        assert!(texts("0.46b0").iter().any(|text| text.contains("percentage")));
        assert!(!texts("0.51b0").iter().any(|text| text.contains("percentage") || text.contains("noise")));
        assert!(texts("0.66b2").iter().any(|text| text.contains("noise")));
        assert_eq!(texts("1.2.3").len(), cpu.traps.len());
        let memory = python().metric("process.runtime.cpython.memory").expect("known");
        let vms = memory.traps.iter().find(|trap| !trap.attributes.is_empty()).expect("a trap of one series");
        let of = |value: &str| Attributes::new(vec![("type".into(), crate::model::Value::String(value.into()))]);
        assert!(vms.concerns_series(&of("vms")) && !vms.concerns_series(&of("rss")));
    }
}
