//! Series: who is who, the points kept of each, and what a window over them says.
//!
//! Owns identity, resets and temporality, retention, and the aggregates. Absent on purpose: the wire (the engine hands in
//! identities when bytes are new), rules, and the decision whether a point is wanted.
//!
//! A report of a resource is recognised by comparing its bytes, one after the other, with what stood at that place in the
//! resource's last report ([`Report`]). Only bytes that differ are looked up, and only bytes never seen are read.

mod block;
mod forget;
mod full;
mod histogram;
mod intern;
mod lane;
mod merge;
mod names;
mod number;
mod place;
mod program;
mod renumbering;
mod resource;
mod running;
mod sum;
mod watched;
mod window;

pub use block::NumberKind;
pub use forget::{Horizon, Renumbered};
pub use intern::MetricBytes;
pub use number::{BlockFrames, WindowOutcome, WindowRequest, WindowResult};
pub use program::{ResultSeries, RuleOutcome, RuleResult, SubscribedRequest, Subscription, emit_one};
pub use renumbering::Renumbering;

use crate::model::{Attributes, Histogram, Kind, MetricIdentity, Nanos, PointSpan, PointValue, Temporality};
use block::{Block, Refused, Row, STALE};
use foldhash::fast::RandomState;
use histogram::{HistogramPoint, HistogramSeries};
use intern::{Identities, Meaning, Vocabulary};
use lane::Lanes;
use number::{Group, RuleWindow};
use place::{Place, Series};
use prefetch_index::prefetch_index;
use program::program;
use resource::{ELSEWHERE, LayoutEntry, METRIC, NOWHERE, Resource};
use std::collections::HashMap;

/// Number of a resource, in the order of first arrival.
pub type ResourceId = u32;
/// Number of a series, in the order of first arrival.
pub type SeriesId = u32;
/// Number of a pair of metric identity and attribute set.
pub type KeyId = u32;

/// The plan of series that no rule selects: nothing of them is stored.
pub const UNSELECTED: u32 = u32::MAX;

/// The metric of a report that is about one never seen, or none yet.
const NO_METRIC: u32 = u32::MAX;

/// A resource with more series than this is large.
const LARGE: usize = 64;

/// The reading of one report of a resource: a place in what the resource sent last time, and the row its points go to.
#[derive(Debug)]
pub struct Report {
    resource: ResourceId,
    layout: Vec<LayoutEntry>,
    at: usize,
    metric: u32,
    block: u32,
    row: Option<Row>,
}

/// What a data point's bytes say about its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A known series, with its plan.
    Known(SeriesId, u32),
    /// A series seen for the first time.
    New(KeyId),
    /// Attributes that cannot be read.
    Unreadable,
    /// A series seen for the first time, and there is no room for it.
    NoRoom,
}

/// Why a point was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// The series has a point of that time.
    Duplicate,
    /// The series has as many points as are kept.
    TooDense,
}

impl From<Refused> for NotKept {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Duplicate => NotKept::Duplicate,
            Refused::TooDense => NotKept::TooDense,
        }
    }
}

/// All series and their kept points.
#[derive(Debug, Default)]
pub struct SeriesStore {
    words: Vocabulary,
    identities: Identities,
    resources: Vec<Resource>,
    series: Vec<Series>,
    /// The series of large resources; those of the others are looked through.
    by_key: HashMap<(ResourceId, KeyId), SeriesId, RandomState>,
    blocks: Vec<Block>,
    histograms: Vec<HistogramSeries>,
    plans: Vec<Subscription>,
    programs: Vec<Vec<Group>>,
    program_of: HashMap<Vec<(u32, NumberKind)>, u32, RandomState>,
    lanes: Lanes,
    limit: usize,
    /// The unit of time of forgetting.
    round: u32,
}

impl SeriesStore {
    /// An empty store that keeps at most `limit` points of a series.
    pub fn new(limit: usize) -> Self {
        SeriesStore { limit, ..SeriesStore::default() }
    }

    /// A new resource.
    pub fn add_resource(&mut self) -> ResourceId {
        self.resources.push(Resource::default());
        self.resources.len() as u32 - 1
    }

    /// Asks the processor to bring near what is known of a resource.
    #[inline]
    pub fn prefetch_resource(&self, resource: ResourceId) {
        prefetch_index(&self.resources[..], resource as usize);
    }

    /// Asks the processor to bring near what tells where the points of a resource are.
    #[inline]
    pub fn prefetch_place(&self, resource: ResourceId) {
        if let Some(block) = self.resources[resource as usize].block {
            self.blocks[block as usize].prefetch_place();
        }
    }

    /// Asks the processor to bring near what the next report of a resource will need.
    #[inline]
    pub fn prefetch(&self, resource: ResourceId) {
        if let Some(block) = self.resources[resource as usize].block {
            self.blocks[block as usize].prefetch();
        }
    }

    /// Starts to read a report of a resource. Hand it back with [`SeriesStore::end_report`].
    #[inline]
    pub fn begin_report(&mut self, resource: ResourceId) -> Report {
        let of = &mut self.resources[resource as usize];
        of.reports_in(self.round);
        let layout = std::mem::take(&mut of.rest.layout);
        Report { resource, layout, at: 0, metric: NO_METRIC, block: of.block.unwrap_or(u32::MAX), row: None }
    }

    /// Ends the reading of a report. `shape` is its shape when every metric and point of it was read, 0 when not.
    #[inline]
    pub fn end_report(&mut self, report: Report, shape: u64) {
        let of = &mut self.resources[report.resource as usize];
        let is_new = of.shape != shape;
        of.shape = shape;
        of.rest.layout = report.layout;
        if shape != 0 {
            of.rest.layout.truncate(report.at);
        }
        if is_new {
            self.choose_lane(report.resource);
        }
        if let Some(block) = self.blocks.get_mut(report.block as usize) {
            if let Some(row) = report.row {
                block.complete(row);
            }
            if !block.is_even() {
                self.split_laggards(report.resource, report.block);
            }
        }
    }

    /// Turns to the next metric of a report. `identity` is asked only for bytes never seen. Without room for another series a
    /// metric never seen is passed over.
    #[inline]
    pub fn metric(
        &mut self,
        report: &mut Report,
        bytes: &MetricBytes<'_>,
        has_room: bool,
        identity: impl FnOnce() -> MetricIdentity,
    ) {
        if let Some(entry) = report.layout.get(report.at)
            && self.words.is_metric(entry.word, bytes)
        {
            report.at += 1;
            report.metric = entry.word;
            return;
        }
        let word = match self.words.find_metric(bytes) {
            Some(word) => word,
            None if !has_room => {
                report.metric = NO_METRIC;
                return;
            }
            None => {
                let metric = self.identities.metrics.number(identity());
                self.words.add_metric(bytes, metric)
            }
        };
        report.learn(LayoutEntry { word, series: SeriesId::MAX, column: METRIC });
        report.metric = word;
    }

    /// Whether the last report of a resource had this shape, so that the next one need not be compared with it.
    #[inline]
    pub fn has_shape(&self, resource: ResourceId, shape: u64) -> bool {
        shape != 0 && self.resources[resource as usize].shape == shape
    }

    /// Notes where the points of reports like the last one go, when each has a column of its own or none.
    #[inline(never)]
    fn choose_lane(&mut self, resource: ResourceId) {
        let (columns, watched) = self.places_of_last_report(resource);
        let of = &self.resources[resource as usize];
        let lane = if of.shape == 0 { None } else { self.lanes.number(columns.into()) };
        let of = &mut self.resources[resource as usize];
        (of.lane, of.is_watched) = (lane, !watched.is_empty());
        of.rest.watched = watched.into();
        // Most resources send the same from now on.
        of.rest.layout.shrink_to_fit();
        of.rest.series.shrink_to_fit();
    }

    /// Takes a whole report of the shape of the last one, when all its points are finite numbers of one time, which is not
    /// later than `latest`, and each kept series of the resource has one. `time` replaces the points' own times. Gives the
    /// time of the points; `None` when they must be taken one by one.
    #[inline]
    pub fn take_report(
        &mut self,
        resource: ResourceId,
        points: &[PointSpan],
        time: Option<Nanos>,
        (at, latest): (Nanos, Nanos),
    ) -> Option<Nanos> {
        let of = &mut self.resources[resource as usize];
        of.reports_in(self.round);
        let (lane, block) = (&self.lanes.get(of.lane?), &mut self.blocks[of.block? as usize]);
        let first = points.first()?.time;
        let mut odd = 0;
        for point in points {
            let PointValue::Number(value) = point.value else { return None };
            odd |= (point.time ^ first) | Nanos::from(!value.is_finite());
        }
        let time = time.unwrap_or(if odd == 0 { first } else { 0 });
        let fits = points.len() == lane.columns.len() && block.columns() == lane.kept;
        if odd != 0 || time == 0 || time > latest || time <= at - block.shortest || !fits {
            return None;
        }
        block.takes_all(time, self.limit).then(|| {
            block.put_all((time, at), &lane.columns, points);
            time
        })
    }

    /// Turns to the next data point of a report that has the shape of the last one.
    #[inline(always)]
    pub fn next_point(&self, report: &mut Report) {
        while let Some(entry) = report.layout.get(report.at)
            && entry.column == METRIC
        {
            report.metric = entry.word;
            report.at += 1;
        }
    }

    /// Leaves out the data point that [`SeriesStore::next_point`] turned to.
    pub fn pass_point(&self, report: &mut Report) {
        report.at += 1;
    }

    /// Takes the next data point of a report when it is like last time: the bytes are those remembered, and the series has its
    /// place in the resource's block. `None` when it must go the long way, by [`SeriesStore::point`].
    #[inline(always)]
    pub fn take_as_before(
        &mut self,
        report: &mut Report,
        bytes: &[u8],
        (time, start, value): (Nanos, Nanos, f64),
        at: Nanos,
    ) -> Option<Result<(), NotKept>> {
        let entry = report.layout.get(report.at)?;
        if !self.words.is_attributes(entry.word, bytes) {
            return None;
        }
        self.take_point(report, (time, start, value), at)
    }

    /// Takes the data point that a report has turned to. `None` when it must go the long way.
    #[inline(always)]
    pub fn take_point(
        &mut self,
        report: &mut Report,
        (time, start, value): (Nanos, Nanos, f64),
        at: Nanos,
    ) -> Option<Result<(), NotKept>> {
        let entry = report.layout.get(report.at)?;
        if entry.column >= NOWHERE {
            if entry.column != NOWHERE {
                return None;
            }
            report.at += 1;
            return Some(Ok(()));
        }
        let block = &mut self.blocks[report.block as usize];
        let row = match report.row {
            Some(row) if row.time == time => row,
            _ => {
                if time <= at - block.shortest {
                    return None;
                }
                if let Some(row) = report.row.take() {
                    block.complete(row);
                }
                *report.row.insert(block.row(time, at, self.limit))
            }
        };
        report.at += 1;
        Some(block.put(row, entry.column as usize, value, start, self.limit).map_err(NotKept::from))
    }

    /// Finds the series of the next data point of a report. `parse` is asked only for bytes never seen. Without room for
    /// another series nothing new is remembered.
    #[inline]
    pub fn point(
        &mut self,
        report: &mut Report,
        bytes: &[u8],
        has_room: bool,
        parse: impl FnOnce() -> Option<Attributes>,
    ) -> Found {
        if let Some(entry) = report.layout.get(report.at)
            && self.words.is_attributes(entry.word, bytes)
        {
            report.at += 1;
            return self.found(entry.series);
        }
        if has_room { self.other_point(report, bytes, parse) } else { self.known_point(report, bytes, parse) }
    }

    #[inline]
    fn found(&self, series: SeriesId) -> Found {
        if (series as usize) < self.series.len() {
            Found::Known(series, self.subscription_of(series))
        } else {
            Found::Unreadable
        }
    }

    #[inline(never)]
    fn other_point(&mut self, report: &mut Report, bytes: &[u8], parse: impl FnOnce() -> Option<Attributes>) -> Found {
        let word = match self.words.find_attributes(bytes) {
            Some(word) => word,
            None => {
                let attributes = parse().map(|attributes| self.identities.attributes.number(attributes));
                self.words.add_attributes(bytes, attributes)
            }
        };
        let (Meaning::Metric { metric, .. }, Meaning::Attributes(Some(attributes))) =
            (self.words.meaning(report.metric), self.words.meaning(word))
        else {
            report.learn(LayoutEntry { word, series: SeriesId::MAX, column: ELSEWHERE });
            return Found::Unreadable;
        };
        let key = self.identities.key(metric, attributes);
        match self.find_series(report.resource, key) {
            Some(series) => {
                self.series[series as usize].was_seen_in(self.round);
                let column = self.column_in(report.resource, series);
                report.learn(LayoutEntry { word, series, column });
                self.found(series)
            }
            None => {
                // The caller adds the series next; its number is known.
                report.learn(LayoutEntry { word, series: self.series.len() as u32, column: ELSEWHERE });
                Found::New(key)
            }
        }
    }

    fn find_series(&self, resource: ResourceId, key: KeyId) -> Option<SeriesId> {
        let own = &self.resources[resource as usize].rest.series;
        if own.len() > LARGE {
            return self.by_key.get(&(resource, key)).copied();
        }
        own.iter().copied().find(|&series| self.series[series as usize].key == key)
    }

    /// Where a layout says that a series is.
    fn column_in(&self, resource: ResourceId, series: SeriesId) -> u32 {
        match self.series[series as usize].place() {
            Place::Nowhere => NOWHERE,
            Place::Column { block, column }
                if self.plans[self.blocks[block as usize].plan(column as usize) as usize].watched =>
            {
                ELSEWHERE
            }
            Place::Column { block, column } if self.resources[resource as usize].block == Some(block) => column,
            Place::Column { .. } | Place::Histogram(_) | Place::Watched { .. } => ELSEWHERE,
        }
    }

    /// Adds the series that [`SeriesStore::point`] has just called new.
    pub fn add_series(&mut self, report: &mut Report, key: KeyId, plan: u32) -> SeriesId {
        let id = self.series.len() as u32;
        let resource = report.resource;
        self.leave_row(report);
        let place = if plan == UNSELECTED { Place::Nowhere } else { self.make_place(id, resource, key, plan) };
        self.series.push(Series::new(key, resource, place));
        self.series[id as usize].was_seen_in(self.round);
        let own = &mut self.resources[resource as usize].rest.series;
        own.push(id);
        if own.len() == LARGE + 1 {
            self.by_key.extend(own.iter().map(|&series| ((resource, self.series[series as usize].key), series)));
        } else if own.len() > LARGE {
            self.by_key.insert((resource, key), id);
        }
        report.block = self.resources[resource as usize].block.unwrap_or(u32::MAX);
        let column = self.column_in(resource, id);
        if let Some(entry) = report.layout.last_mut() {
            entry.column = column;
        }
        id
    }

    fn make_place(&mut self, id: SeriesId, resource: ResourceId, key: KeyId, plan: u32) -> Place {
        if self.plans[plan as usize].requests.is_empty() {
            return Place::Watched { plan };
        }
        let longest = self.plans[plan as usize].longest();
        let metric = self.identities.metric_of(key);
        let of = &mut self.resources[resource as usize];
        if metric.kind.is_histogram() {
            let place = self.histograms.len() as u32;
            self.histograms.push(HistogramSeries::new(id, plan, metric.temporality, longest));
            of.rest.histograms.push(place);
            of.is_scattered = true;
            return Place::Histogram(place);
        }
        let kind = match (metric.kind, metric.temporality, metric.monotonic) {
            (Kind::Sum, Temporality::Delta, monotonic) => NumberKind::Delta { monotonic },
            (Kind::Sum, Temporality::Cumulative, true) => NumberKind::Counter,
            _ => NumberKind::Level,
        };
        let block = *of.block.get_or_insert_with(|| {
            self.blocks.push(Block::default());
            self.blocks.len() as u32 - 1
        });
        let column = self.blocks[block as usize].add_column(id, plan, kind, longest) as u32;
        Place::Column { block, column }
    }

    /// The rows of the report's block are about to change.
    fn leave_row(&mut self, report: &mut Report) {
        if let (Some(row), Some(block)) = (report.row.take(), self.blocks.get_mut(report.block as usize)) {
            block.complete(row);
        }
    }

    /// Keeps a point of a gauge or sum.
    pub fn insert_number(
        &mut self,
        report: &mut Report,
        series: SeriesId,
        (time, start, value): (Nanos, Nanos, f64),
        at: Nanos,
    ) -> Result<(), NotKept> {
        let Place::Column { block, column } = self.series[series as usize].place() else { return Ok(()) };
        self.leave_row(report);
        let block = &mut self.blocks[block as usize];
        let row = block.row(time, at, self.limit);
        let kept = block.put(row, column as usize, value, start, self.limit).map_err(NotKept::from);
        block.complete(row);
        kept
    }

    /// Gives series that do not report with the others of their block blocks of their own.
    #[inline(never)]
    fn split_laggards(&mut self, resource: ResourceId, block: u32) {
        if !self.blocks[block as usize].len().is_multiple_of(16) {
            return;
        }
        let laggards = self.blocks[block as usize].laggards();
        if laggards.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.blocks[block as usize]);
        let stay: Vec<usize> = (0..old.columns()).filter(|c| !laggards.contains(c)).collect();
        let mut parts = vec![(block, old.extract(&stay))];
        for laggard in laggards {
            parts.push((self.blocks.len() as u32, old.extract(&[laggard])));
            self.resources[resource as usize].rest.blocks.push(self.blocks.len() as u32);
            self.blocks.push(Block::default());
        }
        // What the layout says of columns is no longer true; it is learned anew.
        let of = &mut self.resources[resource as usize];
        of.rest.layout.clear();
        (of.shape, of.lane, of.is_scattered) = (0, None, true);
        for (block, part) in parts {
            for column in 0..part.columns() {
                let series = &mut self.series[part.series(column) as usize];
                (series.block, series.column) = (block, column as u32);
            }
            self.blocks[block as usize] = part;
        }
    }

    /// Keeps a point of a histogram.
    pub fn insert_histogram(
        &mut self,
        series: SeriesId,
        time: Nanos,
        start: Nanos,
        histogram: Histogram,
        at: Nanos,
    ) -> Result<(), NotKept> {
        let Place::Histogram(place) = self.series[series as usize].place() else { return Ok(()) };
        let kept = &mut self.histograms[place as usize];
        if kept.has(time) {
            return Err(NotKept::Duplicate);
        }
        if kept.points.len() >= self.limit {
            return Err(NotKept::TooDense);
        }
        kept.put(HistogramPoint { time, start, histogram }, at);
        Ok(())
    }

    /// Adds a plan: the requests on a series.
    pub fn add_subscription(&mut self, plan: Subscription) -> u32 {
        self.plans.push(plan);
        self.plans.len() as u32 - 1
    }

    /// A plan.
    #[inline]
    pub fn subscription(&self, plan: u32) -> &Subscription {
        &self.plans[plan as usize]
    }

    /// Chooses how a block is judged after its columns have changed: what blocks with equal plans share.
    #[inline(never)]
    fn choose_program(&mut self, block: u32) {
        let of = &self.blocks[block as usize];
        let columns: Vec<(u32, NumberKind)> =
            (0..of.columns()).map(|column| (of.plan(column), of.kind(column))).collect();
        let program = match self.program_of.get(&columns) {
            Some(&program) => program,
            None => {
                self.programs.push(program(&self.plans, &columns));
                self.program_of.insert(columns, self.programs.len() as u32 - 1);
                self.programs.len() as u32 - 1
            }
        };
        self.blocks[block as usize].program = program;
    }

    /// Judges every stored series of a resource by its plan. `emit` gets the answers, several series at once where they have
    /// a window in common.
    #[inline]
    pub fn evaluate_resource(
        &mut self,
        resource: ResourceId,
        at: Nanos,
        min_coverage: f64,
        frames: &mut BlockFrames,
        mut emit: impl FnMut(RuleResult<'_>),
    ) {
        let Resource { block, is_scattered, .. } = self.resources[resource as usize];
        let others = if is_scattered { self.resources[resource as usize].rest.blocks.len() } else { 0 };
        for i in 0..=others {
            let number = match i {
                0 => block,
                _ => self.resources[resource as usize].rest.blocks.get(i - 1).copied(),
            };
            let Some(number) = number else { continue };
            if self.blocks[number as usize].program == STALE {
                self.choose_program(number);
            }
            let block = &mut self.blocks[number as usize];
            frames.begin(block, at);
            for group in &self.programs[block.program as usize] {
                if group.plain && block.is_even() {
                    let (frame, judgement) = frames.judge_group(block, group, min_coverage);
                    let outcome = match judgement {
                        RuleWindow::Empty => RuleOutcome::Empty,
                        RuleWindow::WarmingUp => RuleOutcome::WarmingUp(group.columns.len()),
                        RuleWindow::Values(values) => {
                            let series = ResultSeries::Columns(&*block, &group.columns);
                            RuleOutcome::Values { values, series, points: frame.points() }
                        }
                    };
                    emit(RuleResult {
                        rule: group.rule,
                        outcome,
                        covered: frame.covered,
                        valid_until: frame.valid_until,
                    });
                    continue;
                }
                for &column in &group.columns {
                    let judgement = frames.judge(block, column as usize, &group.request, min_coverage);
                    emit_one(group.rule, block.series(column as usize), judgement, &mut emit);
                }
            }
        }
        if !is_scattered {
            return;
        }
        for &histogram in &self.resources[resource as usize].rest.histograms {
            let series = &self.histograms[histogram as usize];
            for planned in &self.plans[series.plan as usize].requests {
                let judgement = series.judge(at, &planned.request, min_coverage);
                emit_one(planned.rule, series.series, judgement, &mut emit);
            }
        }
    }

    /// Judges several series of one metric as one.
    pub fn evaluate_merged(
        &self,
        members: &[SeriesId],
        at: Nanos,
        request: &WindowRequest,
        min_coverage: f64,
    ) -> WindowResult {
        let places = members.iter().map(|&m| self.series[m as usize].place());
        let mut numbers = Vec::new();
        let mut histograms = Vec::new();
        for place in places {
            match place {
                Place::Nowhere | Place::Watched { .. } => {}
                Place::Column { block, column } => numbers.push((&self.blocks[block as usize], column as usize)),
                Place::Histogram(place) => histograms.push(&self.histograms[place as usize]),
            }
        }
        if histograms.is_empty() {
            let gauge = self.metric_of(members[0]).kind == Kind::Gauge;
            merge::judge_numbers(&numbers, gauge, at, request, min_coverage)
        } else {
            merge::judge_histograms(&histograms, at, request, min_coverage)
        }
    }
}

impl Report {
    /// How many metrics and points of it were read.
    pub fn entries(&self) -> usize {
        self.at
    }

    /// The resource that is read.
    pub fn resource(&self) -> ResourceId {
        self.resource
    }

    /// Replaces what is remembered from here on: bytes differ, so all behind them may stand elsewhere now.
    fn learn(&mut self, entry: LayoutEntry) {
        self.layout.truncate(self.at);
        self.layout.push(entry);
        self.at += 1;
    }
}
