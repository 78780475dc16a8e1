//! The findings, sorted and ready to be shown.

use super::facts::{ResourceFacts, lower_median};
use super::{Client, Inspection};
use crate::engine::DropReason;
use crate::model::{Attributes, MetricIdentity, Nanos};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Bodies that arrived.
    pub bodies: u64,
    /// Points, whatever became of them.
    pub points: u64,
    /// Series with at least one good point.
    pub series: u64,
    /// First and last arrival.
    pub arrived: Option<(Nanos, Nanos)>,
    /// Points that would be dropped, by reason; `TooLate` and `TooDense` are never counted.
    pub dropped: [u64; DropReason::ALL.len()],
    /// Good points that are older than one of their series before them.
    pub out_of_order: u64,
    /// The client libraries, by scope.
    pub clients: Vec<Client>,
    /// The services, by namespace and name.
    pub services: Vec<Service>,
    /// The metrics, by scope and name.
    pub metrics: Vec<Metric>,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// `service.namespace`.
    pub namespace: Option<String>,
    /// `service.name`.
    pub name: Option<String>,
    /// `telemetry.sdk.language`, name and version, of each kind of client that sends for it.
    pub sdks: Vec<String>,
    /// Export interval: the lower median over all its instances.
    pub interval: Option<Nanos>,
    /// Its instances, by first export.
    pub instances: Vec<Instance>,
}

/// One resource.
#[derive(Clone, Debug)]
pub struct Instance {
    /// All its attributes.
    pub resource: Attributes,
    /// Time of its first export.
    pub from: Option<Nanos>,
    /// Time of its last export.
    pub to: Option<Nanos>,
    /// Exports of different times.
    pub exports: u64,
    /// Good points.
    pub points: u64,
    /// Series.
    pub series: u64,
    /// Export interval: the lower median.
    pub interval: Option<Nanos>,
    /// Where exports are missing.
    pub gaps: Vec<Gap>,
    /// Several processes export as this resource: start times of its series come back after they changed.
    pub several_writers: bool,
}

/// Exports are missing between two that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last export before it.
    pub from: Nanos,
    /// The first one after it.
    pub to: Nanos,
}

/// One metric.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Scope, name, kind, temporality.
    pub identity: MetricIdentity,
    /// Units that were sent with it.
    pub units: BTreeSet<String>,
    /// Versions of the scope, as far as it has one.
    pub versions: BTreeSet<String>,
    /// Its series.
    pub series: u64,
    /// Its points.
    pub points: u64,
    /// Different attribute sets.
    pub attributes: Vec<Attributes>,
    /// Smallest and largest value, of numbers.
    pub range: Option<(f64, f64)>,
    /// Falls of what is declared to count up.
    pub resets: u64,
    /// Changes of a start time.
    pub start_changes: u64,
    /// Series that several processes write.
    pub several_writers: u64,
    /// Negative deltas of a monotonic sum.
    pub negative_deltas: u64,
}

impl Metric {
    /// A metric without series.
    pub(super) fn new(identity: MetricIdentity) -> Self {
        Metric {
            identity,
            units: BTreeSet::new(),
            versions: BTreeSet::new(),
            series: 0,
            points: 0,
            attributes: Vec::new(),
            range: None,
            resets: 0,
            start_changes: 0,
            several_writers: 0,
            negative_deltas: 0,
        }
    }
}

impl Inspection {
    /// What was found so far.
    pub fn finish(&self) -> Findings {
        let good = self.series.iter().filter(|series| series.points > 0);
        Findings {
            series: good.count() as u64,
            clients: self.clients.finish(),
            services: self.services(),
            metrics: self.metric_findings(),
            ..self.totals.clone()
        }
    }

    fn services(&self) -> Vec<Service> {
        let mut instances: Vec<Instance> = self.resources.iter().map(instance).collect();
        for series in &self.series {
            if let Some(instance) = instances.get_mut(series.key.0) {
                instance.points += series.points;
                instance.series += 1;
                instance.several_writers |= series.start_returns > 0;
            }
        }
        let mut services: BTreeMap<_, (Service, Vec<Nanos>, BTreeSet<String>)> = BTreeMap::new();
        for (resource, instance) in self.resources.iter().zip(instances) {
            let (namespace, name) = (resource.text("service.namespace"), resource.text("service.name"));
            let (service, steps, sdks) = services.entry((namespace.clone(), name.clone())).or_insert_with(|| {
                let service = Service { namespace, name, sdks: Vec::new(), interval: None, instances: Vec::new() };
                (service, Vec::new(), BTreeSet::new())
            });
            steps.extend(resource.steps());
            let sdk = ["telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version"];
            let sdk: Vec<String> = sdk.into_iter().filter_map(|key| resource.text(key)).collect();
            if !sdk.is_empty() {
                sdks.insert(sdk.join(" "));
            }
            service.instances.push(instance);
        }
        let finished = services.into_values().map(|(mut service, steps, sdks)| {
            service.interval = lower_median(steps);
            service.sdks = sdks.into_iter().collect();
            service.instances.sort_by_key(|instance| instance.from);
            service
        });
        finished.collect()
    }

    fn metric_findings(&self) -> Vec<Metric> {
        let mut metrics: Vec<(Metric, BTreeSet<String>)> =
            self.metrics.iter().map(|metric| (metric.clone(), BTreeSet::new())).collect();
        for series in &self.series {
            let Some((metric, seen)) = metrics.get_mut(series.key.1) else { continue };
            metric.series += 1;
            metric.points += series.points;
            metric.resets += series.resets;
            metric.start_changes += series.start_changes;
            metric.several_writers += u64::from(series.start_returns > 0);
            metric.negative_deltas += series.negative_deltas;
            metric.range = match (metric.range, series.range) {
                (Some((low, high)), Some((l, h))) => Some((low.min(l), high.max(h))),
                (range, other) => range.or(other),
            };
            if seen.insert(series.attributes.to_suffix()) {
                metric.attributes.push(series.attributes.clone());
            }
        }
        let mut metrics: Vec<Metric> = metrics.into_iter().map(|(metric, _)| metric).collect();
        for metric in &mut metrics {
            metric.attributes.sort_by_cached_key(Attributes::to_suffix);
        }
        metrics.sort_by(|a, b| a.identity.cmp(&b.identity));
        metrics
    }
}

/// One process, by its exports; its series are still to be added.
fn instance(resource: &ResourceFacts) -> Instance {
    let times = resource.times();
    let interval = lower_median(resource.steps());
    // An export that is late by half an interval is late; one that is missing leaves a hole of two.
    let is_gap = |step: Nanos| interval.is_some_and(|interval| step > interval.saturating_add(interval / 2));
    let gaps = times.windows(2).filter_map(|pair| match pair {
        [from, to] if is_gap(to - from) => Some(Gap { from: *from, to: *to }),
        _ => None,
    });
    Instance {
        resource: resource.attributes.clone(),
        from: times.first().copied(),
        to: times.last().copied(),
        exports: times.len() as u64,
        points: 0,
        series: 0,
        interval,
        gaps: gaps.collect(),
        several_writers: false,
    }
}
