//! A body's points: checked, recognised, kept.
//!
//! The checks come in a fixed order and each dropped point has one reason. A resource, an entity or a series exists from its
//! first point that passes the checks up to `future`; from then on recognising it costs a comparison of bytes.

use crate::engine::evaluate::trend::Watcher;
use crate::engine::ingest::entity::{Entity, Group, Identities, Resource};
use crate::engine::ingest::forget::Past;
use crate::engine::ingest::known::Known;
use crate::engine::report::{Counts, Coverage, DropReason};
use crate::engine::{Engine, SeriesMode, Timestamps};
use crate::model::{
    Buckets, Export, Histogram, Kind, MINUTE, MetricSpan, Nanos, PointSpan, PointValue, ResourceSpan, Span,
};
use crate::otlp;
use crate::series::{Found, MetricBytes, NotKept, Report, ResourceId, SeriesId, Subscription, UNSELECTED};
use foldhash::fast::RandomState;
use std::collections::HashSet;

/// A point may be this much later than its arrival.
pub(in crate::engine) const FUTURE: Nanos = 5 * MINUTE;

/// What is known of resources and entities, and what came in.
#[derive(Debug, Default)]
pub(in crate::engine) struct Intake {
    pub counts: Counts,
    pub coverage: Coverage,
    /// Whether a body had a point with a time.
    pub any_time: bool,
    pub(in crate::engine) known: Known,
    pub(in crate::engine) identities: Identities,
    pub resources: Vec<Resource>,
    pub entities: Vec<Entity>,
    pub matched_series: Vec<u64>,
    pub matched_by_rule: Vec<u64>,
    pub(in crate::engine) joined: HashSet<SeriesId, RandomState>,
    /// What is forgotten.
    pub past: Past,
}

impl Engine {
    /// Takes in a body at the engine's time.
    pub(in crate::engine) fn take_in(&mut self, export: &Export) {
        self.intake.counts.points += export.points.len() as u64;
        if let Some(at) = self.at {
            self.intake.coverage.from.get_or_insert(at);
            self.judge.start(at, &self.selection);
        }
        self.intake.any_time |= export.points.iter().any(|p| p.time != 0);
        let (mut metric, mut point) = (0, 0);
        for resource in &export.resources {
            let metrics = &export.metrics[metric..resource.metrics_end as usize];
            metric = resource.metrics_end as usize;
            let points = &export.points[point..metrics.last().map_or(point, |m| m.points_end as usize)];
            let mut reading: Option<(Report, Nanos)> = None;
            if let Some(known) = self.resource_of_shape(export, resource) {
                point += points.len();
                if let Some(newest) = self.take_report(known, points) {
                    self.watch_report(known, points, newest);
                    self.is_in(known, newest);
                    continue;
                }
                reading = self.take_shaped(export, known, points);
            } else {
                for m in metrics {
                    self.take_metric(
                        export,
                        resource.raw,
                        m,
                        &export.points[point..m.points_end as usize],
                        &mut reading,
                    );
                    point = m.points_end as usize;
                }
            }
            point = metrics.last().map_or(point, |m| m.points_end as usize);
            if let Some((report, newest)) = reading {
                let is_whole = report.entries() == metrics.len() + points.len();
                let id = report.resource();
                self.store.end_report(report, if is_whole { resource.shape } else { 0 });
                self.is_in(id, newest);
            }
        }
    }

    /// A report of a resource is in; its newest point that passed the checks has this time.
    #[inline]
    fn is_in(&mut self, resource: ResourceId, newest: Nanos) {
        let entity = self.intake.resources[resource as usize].entity;
        let of = &mut self.intake.entities[entity as usize];
        of.newest = of.newest.max(newest);
        if let Some(watch) = &mut self.judge.watch {
            watch.report(entity, newest);
        }
        self.report_came(entity);
    }

    /// Takes in a report like the last one at once, when nothing about it is out of the ordinary.
    #[inline]
    fn take_report(&mut self, resource: ResourceId, points: &[PointSpan]) -> Option<Nanos> {
        let at = self.at?;
        let time = (self.options.timestamps == Timestamps::Arrival).then_some(at);
        self.store.take_report(resource, points, time, (at, at.saturating_add(FUTURE)))
    }

    /// Hands the points of a report that was taken whole to those who watch their series.
    #[inline]
    fn watch_report(&mut self, resource: ResourceId, points: &[PointSpan], time: Nanos) {
        for i in 0..self.store.watched_points(resource).len() {
            let (place, series) = self.store.watched_points(resource)[i];
            let (point, plan) = (&points[place as usize], self.store.subscription_of(series));
            let PointValue::Number(value) = point.value else { continue };
            let taken = self.watch_point(series, plan, (time, point.start, value));
            if let Err(reason) = taken
                && self.store.subscription(plan).requests.is_empty()
            {
                self.drop_point(reason);
            }
        }
    }

    /// The resource when its report has the shape of its last one: the same metrics with the same series.
    #[inline]
    fn resource_of_shape(&mut self, export: &Export, resource: &ResourceSpan) -> Option<ResourceId> {
        if resource.shape == 0 || self.options.series == SeriesMode::Merge {
            return None;
        }
        let known = self.intake.known.find(export.bytes(resource.raw))?;
        self.store.has_shape(known, resource.shape).then_some(known)
    }

    /// Takes in the points of a report whose series are known by their places.
    #[inline]
    fn take_shaped(&mut self, export: &Export, resource: ResourceId, points: &[PointSpan]) -> Option<(Report, Nanos)> {
        let at = self.at?;
        let limit = at.saturating_add(FUTURE);
        let arrival = self.options.timestamps == Timestamps::Arrival;
        let mut report = self.store.begin_report(resource);
        let mut newest = Nanos::MIN;
        for p in points {
            let time = if arrival { at } else { p.time };
            self.store.next_point(&mut report);
            let PointValue::Number(value) = p.value else { continue };
            if !value.is_finite() || time == 0 || time > limit {
                self.store.pass_point(&mut report);
                self.drop_point(match (value.is_finite(), time) {
                    (false, _) => DropReason::NotFinite,
                    (true, 0) => DropReason::NoTime,
                    (true, _) => DropReason::Future,
                });
                continue;
            }
            let kept = match self.store.take_point(&mut report, (time, p.start, value), at) {
                Some(kept) => kept.map_err(DropReason::from),
                None => self.take_the_long_way(export, &mut report, p, time, at),
            };
            if let Err(reason) = kept {
                self.drop_point(reason);
                if reason == DropReason::Malformed {
                    continue;
                }
            }
            newest = newest.max(time);
        }
        Some((report, newest))
    }

    /// Takes in the points of one metric. `reading` is the report of the resource, begun by its first good point, and the
    /// newest time in it.
    #[inline]
    fn take_metric(
        &mut self,
        export: &Export,
        raw: Span,
        metric: &MetricSpan,
        points: &[PointSpan],
        reading: &mut Option<(Report, Nanos)>,
    ) {
        let at = self.at;
        let limit = at.map_or(Nanos::MIN, |at| at.saturating_add(FUTURE));
        let arrival = self.options.timestamps == Timestamps::Arrival;
        let merging = self.options.series == SeriesMode::Merge;
        let mut begun = false;
        for p in points {
            let time = if arrival { at.unwrap_or(0) } else { p.time };
            let finite = matches!(p.value, PointValue::Number(v) if v.is_finite());
            if !finite && let Err(reason) = check_value(export, p, metric.kind) {
                self.drop_point(reason);
                continue;
            }
            if time == 0 {
                self.drop_point(DropReason::NoTime);
                continue;
            }
            if time > limit {
                self.drop_point(DropReason::Future);
                continue;
            }
            if reading.is_none() {
                match self.resource(export.bytes(raw)) {
                    Ok(resource) => *reading = Some((self.store.begin_report(resource), Nanos::MIN)),
                    Err(reason) => {
                        self.drop_point(reason);
                        continue;
                    }
                }
            }
            let (Some((report, newest)), Some(at)) = (reading.as_mut(), at) else { continue };
            if !begun {
                begun = true;
                let has_room = self.has_room(self.intake.resources[report.resource() as usize].entity);
                self.store.metric(report, &metric_bytes(export, metric), has_room, || otlp::metric(export, metric));
            }
            let bytes = export.bytes(p.attributes);
            if let PointValue::Number(value) = p.value
                && !merging
                && let Some(kept) = self.store.take_as_before(report, bytes, (time, p.start, value), at)
            {
                *newest = (*newest).max(time);
                if let Err(reason) = kept {
                    self.drop_point(reason.into());
                }
                continue;
            }
            if let Err(reason) = self.take_the_long_way(export, report, p, time, at) {
                self.drop_point(reason);
                if reason == DropReason::Malformed {
                    continue;
                }
            }
            *newest = (*newest).max(time);
        }
    }

    /// Takes in a point whose place is not known beforehand: a new series or layout, a histogram, delta sums.
    #[inline(never)]
    fn take_the_long_way(
        &mut self,
        export: &Export,
        report: &mut Report,
        p: &PointSpan,
        time: Nanos,
        at: Nanos,
    ) -> Result<(), DropReason> {
        let bytes = export.bytes(p.attributes);
        let has_room = self.has_room(self.intake.resources[report.resource() as usize].entity);
        let (series, plan) = match self.store.point(report, bytes, has_room, || otlp::attributes(bytes).ok()) {
            Found::Known(series, plan) => (series, plan),
            Found::New(key) => self.new_series(report, key),
            Found::Unreadable => return Err(DropReason::Malformed),
            Found::NoRoom => return Err(DropReason::TooManySeries),
        };
        if plan == UNSELECTED {
            return Ok(());
        }
        let Subscription { requests, watched } = self.store.subscription(plan);
        let (watched, judged) = (*watched, !requests.is_empty());
        let mut taken = Ok(());
        if watched && let PointValue::Number(value) = p.value {
            taken = self.watch_point(series, plan, (time, p.start, value));
        }
        if !judged {
            return taken;
        }
        if time <= at - self.store.subscription(plan).longest() {
            return Err(DropReason::TooLate);
        }
        let kept = match p.value {
            PointValue::Number(value) => self.store.insert_number(report, series, (time, p.start, value), at),
            PointValue::Histogram(raw) => {
                let exponential = self.store.metric_of(series).kind == Kind::ExponentialHistogram;
                let histogram = otlp::histogram(export.bytes(raw), exponential).map_err(|_| DropReason::Malformed)?;
                self.store.insert_histogram(series, time, p.start, histogram, at)
            }
            PointValue::None | PointValue::Summary => Ok(()),
        };
        if kept.is_ok() && self.options.series == SeriesMode::Merge {
            self.join_groups(series, plan);
        }
        kept.map_err(DropReason::from)
    }

    fn drop_point(&mut self, reason: DropReason) {
        self.intake.counts.dropped[reason as usize] += 1;
    }

    /// The number of a resource, or why it has none.
    #[inline]
    fn resource(&mut self, raw: &[u8]) -> Result<ResourceId, DropReason> {
        match self.intake.known.find(raw) {
            Some(resource) => Ok(resource),
            None => self.new_bytes_of_a_resource(raw),
        }
    }

    #[cold]
    fn new_series(&mut self, report: &mut Report, key: u32) -> (SeriesId, u32) {
        let Resource { class, entity } = self.intake.resources[report.resource() as usize];
        self.intake.entities[entity as usize].series += 1;
        let plan = self.selection.plan(&self.definitions, &mut self.store, class, key);
        let series = self.store.add_series(report, key, plan.unwrap_or(UNSELECTED));
        self.intake.counts.series += 1;
        self.intake.counts.series_now = self.store.len() as u64;
        let Some(plan) = plan else { return (series, UNSELECTED) };
        self.watch_series(series, plan);
        self.intake.matched_series.resize(self.definitions.len(), 0);
        self.intake.matched_by_rule.resize(self.selection.rules.len(), 0);
        let mut of_last = usize::MAX;
        let judged = self.store.subscription(plan).requests.iter().map(|planned| planned.rule);
        let watched = self.selection.watchers_of(plan).iter().filter_map(Watcher::rule);
        for rule in judged.chain(watched) {
            self.intake.matched_by_rule[rule as usize] += 1;
            // The rules of a definition follow each other.
            let d = self.selection.definition_of(rule as usize);
            if d != of_last {
                self.intake.matched_series[d] += 1;
                of_last = d;
            }
        }
        (series, plan)
    }

    /// With merged series: a series joins the others of its metric with the first point that is kept of it.
    fn join_groups(&mut self, series: SeriesId, plan: u32) {
        if !self.intake.joined.insert(series) {
            return;
        }
        let store = &self.store;
        let entity = self.intake.resources[store.resource_of(series) as usize].entity;
        let key = |series: SeriesId| {
            let m = store.metric_of(series);
            (&m.scope, &m.name, m.kind, m.monotonic)
        };
        let groups = &mut self.intake.entities[entity as usize].rest_mut().groups;
        for planned in &store.subscription(plan).requests {
            match groups.iter_mut().find(|g| g.rule == planned.rule && key(g.members[0]) == key(series)) {
                Some(group) => {
                    group.members.push(series);
                    group.members.sort_unstable();
                }
                None => groups.push(Group { rule: planned.rule, members: vec![series] }),
            }
        }
    }
}

impl From<NotKept> for DropReason {
    fn from(reason: NotKept) -> Self {
        match reason {
            NotKept::Duplicate => DropReason::Duplicate,
            NotKept::TooDense => DropReason::TooDense,
        }
    }
}

#[inline]
fn metric_bytes<'a>(export: &'a Export, metric: &MetricSpan) -> MetricBytes<'a> {
    MetricBytes {
        scope: export.bytes(metric.scope),
        name: export.bytes(metric.name),
        kind: metric.kind,
        temporality: metric.temporality,
        monotonic: metric.monotonic,
    }
}

/// The checks on the value alone.
#[cold]
pub(in crate::engine) fn check_value(export: &Export, point: &PointSpan, kind: Kind) -> Result<(), DropReason> {
    match point.value {
        PointValue::None => Err(DropReason::NoRecordedValue),
        PointValue::Summary => Err(DropReason::Summary),
        PointValue::Number(v) if v.is_finite() => Ok(()),
        PointValue::Number(_) => Err(DropReason::NotFinite),
        PointValue::Histogram(raw) => {
            let Ok(histogram) = otlp::histogram(export.bytes(raw), kind == Kind::ExponentialHistogram) else {
                return Err(DropReason::Malformed);
            };
            let Histogram { sum, min, max, .. } = &histogram;
            if [sum, min, max].into_iter().flatten().any(|v| !v.is_finite()) {
                return Err(DropReason::NotFinite);
            }
            match &histogram.buckets {
                Buckets::Explicit { bounds, counts } if !counts.is_empty() && counts.len() != bounds.len() + 1 => {
                    Err(DropReason::Malformed)
                }
                _ => Ok(()),
            }
        }
    }
}
