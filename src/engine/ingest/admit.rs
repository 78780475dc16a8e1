//! What becomes of a sample beside others: kept, forwarded, or dropped because of the samples and series there are.
//!
//! Samples come here after `classify`. A series exists from its first sample on, whatever becomes of the sample.

use super::drop_reason::DropReason;
use super::entity::MergedSeries;
use super::resources::Ingest;
use super::subscriptions::TrendInput;
use crate::model::{Nanos, Sample, SampleValue};
use crate::otlp;
use crate::series::{ExportCursor, KeyId, Lookup, NotKept, SeriesId};

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
    ingest: &mut Ingest,
    admission: &mut Admission,
    attributes: &[u8],
    sample: Sample<SampleValue>,
) -> Result<(), DropReason> {
    let has_room = has_room(ingest, admission.entity);
    let Admission { cursor, now, .. } = admission;
    let found = ingest.store.index().find(cursor, attributes, has_room, || otlp::attributes(attributes).ok());
    if found == Lookup::Unreadable {
        return Err(DropReason::Malformed);
    }
    admission.newest = admission.newest.max(sample.time);
    let series = match found {
        Lookup::Known(series) => series,
        Lookup::New(key) => add_series(ingest, cursor, key),
        Lookup::NoRoom | Lookup::Unreadable => return Err(DropReason::TooManySeries),
    };
    let Some(number) = ingest.store.subscription_of(series) else { return Ok(()) };
    let subscription = ingest.store.subscription(number);
    if subscription.forwards
        && let Sample { time, start, value: SampleValue::Number(value) } = sample
    {
        ingest.changes.trend_samples.push((series, Sample { time, start, value }));
    }
    if subscription.requests.is_empty() {
        return Ok(());
    }
    if sample.time <= *now - subscription.longest() {
        return Err(DropReason::TooLate);
    }
    ingest.store.put(cursor, series, sample, *now)?;
    if ingest.merges() {
        join_merged(ingest, series, number);
    }
    Ok(())
}

/// Samples that trend rules did not keep are dropped unless a window keeps them.
pub(in crate::engine) fn count_not_kept(ingest: &mut Ingest, series: SeriesId, reason: NotKept) {
    let number = ingest.store.subscription_of(series);
    if number.is_none_or(|number| ingest.store.subscription(number).requests.is_empty()) {
        ingest.counts.dropped[DropReason::from(reason) as usize] += 1;
    }
}

/// Whether there may be another entity.
pub(super) fn admit_entity(ingest: &Ingest) -> Result<(), DropReason> {
    let retention = &ingest.options.retention;
    if ingest.entities.len() as u64 >= retention.entities {
        return Err(DropReason::TooManyEntities);
    }
    if ingest.store.count() as u64 >= retention.series {
        return Err(DropReason::TooManySeries);
    }
    Ok(())
}

/// Whether an entity may have another resource.
pub(super) fn admit_resource(ingest: &Ingest, entity: u32) -> Result<(), DropReason> {
    if has_room(ingest, entity) { Ok(()) } else { Err(DropReason::TooManySeries) }
}

/// Whether an entity may have another series.
#[inline]
pub(super) fn has_room(ingest: &Ingest, entity: u32) -> bool {
    let retention = &ingest.options.retention;
    let own = ingest.entities[entity as usize].series;
    (ingest.store.count() as u64) < retention.series && u64::from(own) < retention.series_of_entity
}

#[cold]
fn add_series(ingest: &mut Ingest, cursor: &mut ExportCursor, key: KeyId) -> SeriesId {
    let Ingest { rules, store, subscriptions, .. } = ingest;
    let resource = &ingest.resources[cursor.resource() as usize];
    ingest.entities[resource.entity as usize].series += 1;
    let subscription = subscriptions.subscription(rules, store, resource.class, key);
    let series = store.add_series(cursor, key, subscription);
    ingest.counts.series += 1;
    ingest.counts.series_now = store.count() as u64;
    let Some(subscription) = subscription else { return series };
    if store.subscription(subscription).forwards {
        ingest.changes.trend_series.push(series);
    }
    let mut of_last = usize::MAX;
    let kept = store.subscription(subscription).requests.iter().map(|subscribed| subscribed.rule);
    let forwarded = subscriptions.trend_inputs(subscription).iter().filter_map(TrendInput::rule);
    for rule in kept.chain(forwarded) {
        ingest.matched_by_rule[rule as usize] += 1;
        // The rules of a definition follow each other.
        let d = rules.definition_of(rule as usize);
        if d != of_last {
            ingest.matched_series[d] += 1;
            of_last = d;
        }
    }
    series
}

/// With merged series: a series joins the others of its metric with the first sample that is kept of it.
fn join_merged(ingest: &mut Ingest, series: SeriesId, subscription: u32) {
    let Ingest { store, .. } = ingest;
    if !ingest.joined.insert(series) {
        return;
    }
    let entity = ingest.resources[store.resource_of(series) as usize].entity;
    let key = |series: SeriesId| {
        let m = store.metric_of(series);
        (&m.scope, &m.name, m.kind, m.monotonic)
    };
    let groups = &mut ingest.entities[entity as usize].groups;
    for subscribed in &store.subscription(subscription).requests {
        match groups.iter_mut().find(|g| g.request.rule == subscribed.rule && key(g.members[0]) == key(series)) {
            Some(group) => {
                group.members.push(series);
                group.members.sort_unstable();
            }
            None => groups.push(MergedSeries { request: *subscribed, members: vec![series] }),
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
