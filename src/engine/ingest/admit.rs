//! What becomes of a sample beside others: kept, forwarded, or dropped because of the samples and series there are.
//!
//! Samples come here after `classify`. A series exists from its first sample on, whatever becomes of the sample.

use super::drop_reason::DropReason;
use super::entity::MergedSeries;
use crate::engine::evaluate::trend::Watcher;
use crate::engine::{Engine, SeriesMode};
use crate::model::{Nanos, Sample, SampleValue};
use crate::otlp;
use crate::series::{ExportCursor, KeyId, Lookup, NotKept, SeriesId, UNSELECTED};

/// An export of one resource while its samples are admitted.
pub(super) struct Admission {
    pub cursor: ExportCursor,
    pub entity: u32,
    /// The engine's time.
    pub now: Nanos,
    /// Newest time of a sample whose attributes could be read.
    pub newest: Nanos,
}

/// Admits a sample with these attributes. An error says why it was dropped.
#[inline]
pub(super) fn admit(
    engine: &mut Engine,
    admission: &mut Admission,
    attributes: &[u8],
    sample: Sample<SampleValue>,
) -> Result<(), DropReason> {
    let has_room = has_room(engine, admission.entity);
    let Admission { cursor, now, .. } = admission;
    let found = engine.store.find(cursor, attributes, has_room, || otlp::attributes(attributes).ok());
    if found == Lookup::Unreadable {
        return Err(DropReason::Malformed);
    }
    admission.newest = admission.newest.max(sample.time);
    let series = match found {
        Lookup::Known(series) => series,
        Lookup::New(key) => add_series(engine, cursor, key),
        Lookup::NoRoom | Lookup::Unreadable => return Err(DropReason::TooManySeries),
    };
    let number = engine.store.subscription_of(series);
    if number == UNSELECTED {
        return Ok(());
    }
    let subscription = engine.store.subscription(number);
    let (forwards, is_kept, longest) =
        (subscription.forwards, !subscription.requests.is_empty(), subscription.longest());
    let mut forwarded = Ok(());
    if forwards && let SampleValue::Number(value) = sample.value {
        forwarded = engine.watch_point(series, number, Sample { time: sample.time, start: sample.start, value });
    }
    if !is_kept {
        return forwarded.map_err(DropReason::from);
    }
    let Sample { time, start, value } = sample;
    if time <= *now - longest {
        return Err(DropReason::TooLate);
    }
    match value {
        SampleValue::Number(value) => engine.store.put_number(cursor, series, Sample { time, start, value }, *now)?,
        SampleValue::Histogram(value) => {
            engine.store.put_histogram(series, Sample { time, start, value: *value }, *now)?;
        }
    }
    if engine.options.series == SeriesMode::Merge {
        join_merged(engine, series, number);
    }
    Ok(())
}

/// Forwards a sample of an export that was put whole.
#[inline]
pub(super) fn forward(engine: &mut Engine, series: SeriesId, sample: Sample) -> Result<(), DropReason> {
    let number = engine.store.subscription_of(series);
    let forwarded = engine.watch_point(series, number, sample);
    // A sample that is kept as well is not dropped.
    if engine.store.subscription(number).requests.is_empty() { forwarded.map_err(DropReason::from) } else { Ok(()) }
}

/// Whether there may be another entity.
pub(super) fn admit_entity(engine: &Engine) -> Result<(), DropReason> {
    let retention = &engine.options.retention;
    if engine.intake.entities.len() as u64 >= retention.entities {
        return Err(DropReason::TooManyEntities);
    }
    if engine.store.len() as u64 >= retention.series {
        return Err(DropReason::TooManySeries);
    }
    Ok(())
}

/// Whether an entity may have another resource.
pub(super) fn admit_resource(engine: &Engine, entity: u32) -> Result<(), DropReason> {
    if has_room(engine, entity) { Ok(()) } else { Err(DropReason::TooManySeries) }
}

/// Whether an entity may have another series.
#[inline]
pub(super) fn has_room(engine: &Engine, entity: u32) -> bool {
    let retention = &engine.options.retention;
    let own = engine.intake.entities[entity as usize].series;
    (engine.store.len() as u64) < retention.series && u64::from(own) < retention.series_of_entity
}

#[cold]
fn add_series(engine: &mut Engine, cursor: &mut ExportCursor, key: KeyId) -> SeriesId {
    let Engine { intake, selection, definitions, store, .. } = engine;
    let resource = &intake.resources[cursor.resource() as usize];
    intake.entities[resource.entity as usize].series += 1;
    let subscription = selection.plan(definitions, store, resource.class, key);
    let series = store.add_series(cursor, key, subscription.unwrap_or(UNSELECTED));
    intake.counts.series += 1;
    intake.counts.series_now = store.len() as u64;
    let Some(subscription) = subscription else { return series };
    engine.watch_series(series, subscription);
    let Engine { intake, selection, definitions, store, .. } = engine;
    intake.matched_series.resize(definitions.len(), 0);
    intake.matched_by_rule.resize(selection.rules.len(), 0);
    let mut of_last = usize::MAX;
    let kept = store.subscription(subscription).requests.iter().map(|subscribed| subscribed.rule);
    let forwarded = selection.watchers_of(subscription).iter().filter_map(Watcher::rule);
    for rule in kept.chain(forwarded) {
        intake.matched_by_rule[rule as usize] += 1;
        // The rules of a definition follow each other.
        let d = selection.definition_of(rule as usize);
        if d != of_last {
            intake.matched_series[d] += 1;
            of_last = d;
        }
    }
    series
}

/// With merged series: a series joins the others of its metric with the first sample that is kept of it.
fn join_merged(engine: &mut Engine, series: SeriesId, subscription: u32) {
    let Engine { intake, store, .. } = engine;
    if !intake.joined.insert(series) {
        return;
    }
    let entity = intake.resources[store.resource_of(series) as usize].entity;
    let key = |series: SeriesId| {
        let m = store.metric_of(series);
        (&m.scope, &m.name, m.kind, m.monotonic)
    };
    let groups = &mut intake.entities[entity as usize].rest_mut().groups;
    for subscribed in &store.subscription(subscription).requests {
        match groups.iter_mut().find(|g| g.rule == subscribed.rule && key(g.members[0]) == key(series)) {
            Some(group) => {
                group.members.push(series);
                group.members.sort_unstable();
            }
            None => groups.push(MergedSeries { rule: subscribed.rule, members: vec![series] }),
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
