//! What is left of trends when series and entities are forgotten: the reports of their lives.

use super::judge::Trends;
use super::ring::{BUCKET, KEPT};
use crate::engine::Engine;
use crate::model::Nanos;
use crate::series::{Renumbered, Renumbering};

/// How long the points of a silent life are something to compare with.
pub(in crate::engine) const KEPT_FOR: Nanos = (KEPT as Nanos + 2) * BUCKET;

impl Engine {
    /// Tells of the lives of series that go.
    pub(in crate::engine) fn tell_lives_of(&mut self, gone: &[bool]) {
        for number in 0..self.trends.watches.len() {
            let watch = &mut self.trends.watches[number];
            if gone[watch.series as usize] {
                let lives: Vec<_> = watch.over.drain(..).chain(watch.lives.drain(..)).collect();
                lives.iter().for_each(|life| self.tell_past(number as u32, life));
            }
        }
    }
}

impl Trends {
    /// Entities of which an event is open.
    pub fn entities_with_open_events(&self) -> impl Iterator<Item = u32> {
        self.subjects.iter().filter(|subject| subject.open.is_some()).map(|subject| subject.entity)
    }

    /// Series, resources and entities have new numbers; what was about others goes.
    pub fn renumber(&mut self, new: &Renumbered, entities: &Renumbering) {
        let watches = Renumbering::of(self.watches.iter().map(|watch| new.series.get(watch.series).is_some()));
        self.watches = watches.keep(std::mem::take(&mut self.watches));
        for watch in &mut self.watches {
            watch.series = new.series.get(watch.series).unwrap_or(watch.series);
        }
        let renumbered = |numbers: &[u32]| numbers.iter().filter_map(|&number| watches.get(number)).collect();
        let subjects = Renumbering::of(self.subjects.iter().map(|subject| entities.get(subject.entity).is_some()));
        self.subjects = subjects.keep(std::mem::take(&mut self.subjects));
        for subject in &mut self.subjects {
            subject.entity = entities.get(subject.entity).unwrap_or(subject.entity);
            subject.watches = renumbered(&subject.watches);
        }
        self.subject_of =
            self.subjects.iter().zip(0..).map(|(of, number)| ((of.definition, of.entity), number)).collect();
        let by_series = std::mem::take(&mut self.by_series).into_iter();
        let by_series = by_series
            .filter_map(|((series, rule), watch)| Some(((new.series.get(series)?, rule), watches.get(watch)?)));
        self.by_series = by_series.collect();
        let ranks = std::mem::take(&mut self.ranks).into_iter();
        let ranks = ranks.filter_map(|((rule, resource), (rank, of_rank))| {
            let of_rank: Vec<u32> = renumbered(&of_rank);
            // Without a series of this rank the next best may come.
            if of_rank.is_empty() {
                return None;
            }
            Some(((rule, new.resources.get(resource)?), (rank, of_rank)))
        });
        self.ranks = ranks.collect();
        let collections = std::mem::take(&mut self.collections).into_iter();
        self.collections = collections.filter_map(|(of, counted)| Some((new.resources.get(of)?, counted))).collect();
        let limits = std::mem::take(&mut self.limits).into_iter();
        let limits = limits.filter_map(|((rule, entity), mut limits)| {
            limits.renumber(&new.series);
            Some(((rule, entities.get(entity)?), limits))
        });
        self.limits = limits.collect();
    }
}
