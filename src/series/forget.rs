//! Forgetting: series of which nothing came for long are taken out, and everything that stands for them alone.
//!
//! What stays is numbered anew in its old order, so that "first arrival first" holds, and nothing is left behind: not the
//! rows of a block, not the names that only they had. How long is long, the engine decides; a *round* is its unit of time.
//! Of series that no rule selects no points are kept, so what counts is the round in which they were last part of a report.

use super::block::STALE;
use super::intern::Meaning;
use super::lane::Lanes;
use super::place::Place;
use super::renumbering::Renumbering;
use super::resource::{METRIC, NOWHERE};
use super::{Block, LARGE, Resource, Series, SeriesId, SeriesStore};
use crate::model::Nanos;

/// What was last heard of when.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// Points up to here are old.
    pub before: Nanos,
    /// So are reports of rounds up to here.
    pub round: u32,
}

/// The new numbers of what stays.
#[derive(Debug)]
pub struct Renumbered {
    /// Of series.
    pub series: Renumbering,
    /// Of resources.
    pub resources: Renumbering,
    /// Of pairs of metric and attributes.
    pub keys: Renumbering,
}

impl SeriesStore {
    /// A new round begins: what reported in the last one is noted.
    pub fn begin_round(&mut self, round: u32) {
        let last = std::mem::replace(&mut self.round, round);
        for of in self.resources.iter().filter(|of| of.reported_in >= last) {
            for entry in of.rest.layout.iter().filter(|entry| entry.column == NOWHERE) {
                if let Some(series) = self.series.get_mut(entry.series as usize) {
                    series.was_seen_in(last);
                }
            }
        }
    }

    /// Of every series whether nothing came of it since the horizon.
    pub fn silent(&self, horizon: Horizon) -> Vec<bool> {
        let is_silent = |series: SeriesId| {
            let of = &self.series[series as usize];
            let reported_in = self.resources[of.resource as usize].reported_in;
            let newest = match of.place() {
                Place::Nowhere => return of.seen_in() <= horizon.round,
                Place::Watched { .. } => None,
                Place::Column { block, column } => self.blocks[block as usize].newest_of(column as usize),
                Place::Histogram(place) => self.histograms[place as usize].points.back().map(|point| point.time),
            };
            newest.map_or(reported_in <= horizon.round, |newest| newest <= horizon.before)
        };
        self.series_ids().map(is_silent).collect()
    }

    /// Takes these series out, and resources of which no series is left.
    pub fn forget(&mut self, gone: &[bool]) -> Renumbered {
        let series = Renumbering::of(gone.iter().map(|gone| !gone));
        let has_series = |of: &Resource| of.rest.series.iter().any(|&id| !gone[id as usize]);
        let resources = Renumbering::of(self.resources.iter().map(has_series));
        let keys = self.forget_names(gone, &resources);
        self.series = renumbered(std::mem::take(&mut self.series), gone, &resources, &keys);
        self.forget_resources(&series, &resources);
        Renumbered { series, resources, keys }
    }

    /// Takes out the names that nothing stands for any more; gives the new numbers of pairs.
    fn forget_names(&mut self, gone: &[bool], resources: &Renumbering) -> Renumbering {
        let kept = || self.resources.iter().enumerate().filter(|(number, _)| resources.get(*number as u32).is_some());
        let mut words = vec![false; self.words.len()];
        for (_, of) in kept() {
            for entry in &of.rest.layout {
                words[entry.word as usize] = true;
            }
        }
        let mut keys = vec![false; self.identities.len()];
        for (series, _) in self.series.iter().zip(gone).filter(|(_, gone)| !**gone) {
            keys[series.key as usize] = true;
        }
        let mut metrics = vec![false; self.identities.metrics.len()];
        let mut attributes = vec![false; self.identities.attributes.len()];
        for (number, _) in words.iter().enumerate().filter(|(_, used)| **used) {
            match self.words.meaning(number as u32) {
                Meaning::Metric { metric, .. } => metrics[metric as usize] = true,
                Meaning::Attributes(Some(set)) => attributes[set as usize] = true,
                Meaning::Attributes(None) => {}
            }
        }
        for (number, _) in keys.iter().enumerate().filter(|(_, used)| **used) {
            let (metric, set) = self.identities.pair(number as u32);
            (metrics[metric as usize], attributes[set as usize]) = (true, true);
        }
        let metrics = self.identities.metrics.keep(&metrics);
        let attributes = self.identities.attributes.keep(&attributes);
        let words = self.words.keep(&words, &metrics, &attributes);
        for of in &mut self.resources {
            for entry in &mut of.rest.layout {
                // Those of resources that are taken out are not looked at again.
                entry.word = words.get(entry.word).unwrap_or(0);
            }
        }
        self.identities.keep(&keys, &metrics, &attributes)
    }

    fn forget_resources(&mut self, series: &Renumbering, resources: &Renumbering) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let mut histograms: Vec<_> = std::mem::take(&mut self.histograms).into_iter().map(Some).collect();
        let lanes = std::mem::take(&mut self.lanes);
        (self.programs, self.by_key) = (Vec::new(), Default::default());
        self.program_of = Default::default();
        let all = std::mem::take(&mut self.resources);
        self.resources = Vec::with_capacity(resources.remaining());
        for (old, mut of) in all.into_iter().enumerate() {
            let Some(number) = resources.get(old as u32) else { continue };
            of.rest.series = of.rest.series.iter().filter_map(|&id| series.get(id)).collect();
            if of.rest.series.len() > LARGE {
                self.by_key.extend(of.rest.series.iter().map(|&id| ((number, self.series[id as usize].key), id)));
            }
            let mut is_whole = true;
            of.block = of.block.and_then(|block| {
                let block = &mut blocks[block as usize];
                is_whole = (0..block.columns()).all(|column| series.get(block.series(column)).is_some());
                self.keep_block(block, series)
            });
            let others = std::mem::take(&mut of.rest.blocks);
            of.rest.blocks =
                others.iter().filter_map(|&block| self.keep_block(&mut blocks[block as usize], series)).collect();
            of.rest.histograms = std::mem::take(&mut of.rest.histograms)
                .into_iter()
                .filter_map(|place| {
                    let mut kept = histograms[place as usize].take()?;
                    kept.series = series.get(kept.series)?;
                    kept.points.shrink_to_fit();
                    let place = self.histograms.len() as u32;
                    self.series[kept.series as usize].block = place;
                    self.histograms.push(kept);
                    Some(place)
                })
                .collect();
            of.is_scattered = !of.rest.blocks.is_empty() || !of.rest.histograms.is_empty();
            self.keep_layout(&mut of, series, &lanes, is_whole);
            self.resources.push(of);
        }
    }

    /// The number of a block when something of it stays.
    fn keep_block(&mut self, block: &mut Block, series: &Renumbering) -> Option<u32> {
        let stay: Vec<usize> = (0..block.columns()).filter(|&c| series.get(block.series(c)).is_some()).collect();
        if stay.is_empty() {
            return None;
        }
        let mut kept = if stay.len() == block.columns() { std::mem::take(block) } else { block.extract(&stay) };
        kept.program = STALE;
        let number = self.blocks.len() as u32;
        for column in 0..kept.columns() {
            let id = series.get(kept.series(column)).unwrap_or(SeriesId::MAX);
            kept.set_series(column, id);
            let of = &mut self.series[id as usize];
            (of.block, of.column) = (number, column as u32);
        }
        self.blocks.push(kept);
        Some(number)
    }

    /// What a report looked like stays known when all of its series stay, and stay where they are.
    fn keep_layout(&mut self, of: &mut Resource, series: &Renumbering, lanes: &Lanes, mut fits: bool) {
        for entry in of.rest.layout.iter_mut().filter(|entry| entry.column != METRIC && entry.series != SeriesId::MAX) {
            match series.get(entry.series) {
                Some(id) => entry.series = id,
                None => fits = false,
            }
        }
        let lane = of.lane.take().map(|lane| lanes.get(lane).columns.clone());
        if fits {
            of.lane = lane.and_then(|columns| self.lanes.number(columns));
            for (_, id) in &mut of.rest.watched {
                *id = series.get(*id).unwrap_or(SeriesId::MAX);
            }
            return;
        }
        of.rest.layout = Vec::new();
        (of.rest.watched, of.is_watched, of.shape) = (Box::default(), false, 0);
    }
}

/// The series that stay, by their new numbers of resources and pairs.
fn renumbered(all: Vec<Series>, gone: &[bool], resources: &Renumbering, keys: &Renumbering) -> Vec<Series> {
    let kept = all.into_iter().zip(gone).filter(|(_, gone)| !**gone);
    let numbered_anew = kept.filter_map(|(mut of, _)| {
        (of.resource, of.key) = (resources.get(of.resource)?, keys.get(of.key)?);
        Some(of)
    });
    numbered_anew.collect()
}
