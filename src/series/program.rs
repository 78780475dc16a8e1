//! How a series is judged: its plan, the program that blocks with equal plans share, and the answers.
//!
//! A plan says what the rules want to know of a series. The plans of a block's columns make its program: the requests by
//! rule, each with the columns it is about, so that a window is laid once for all of them.

use super::SeriesId;
use super::block::{Block, NumberKind};
use super::number::{Group, WindowOutcome, WindowRequest, WindowResult};
use crate::model::{Aggregation, Nanos};

/// The requests on a series, by rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    /// The requests.
    pub requests: Vec<SubscribedRequest>,
    /// Whether the engine looks at every point itself, so that none goes the short way past it.
    pub watched: bool,
}

impl Subscription {
    /// Its longest window.
    #[inline]
    pub fn longest(&self) -> Nanos {
        self.requests.iter().map(|planned| planned.request.length).max().unwrap_or(0)
    }
}

/// The requests of a block's columns, each with its plan and kind, by rule.
pub(super) fn program(plans: &[Subscription], columns: &[(u32, NumberKind)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (column, &(plan, kind)) in columns.iter().enumerate() {
        for &SubscribedRequest { rule, request } in &plans[plan as usize].requests {
            let place = groups.iter().position(|group| group.rule >= rule).unwrap_or(groups.len());
            if groups.get(place).is_none_or(|group| group.rule != rule) {
                groups.insert(
                    place,
                    Group { rule, request, columns: Vec::new(), mask: Vec::new(), plain: request.rollup == 0 },
                );
            }
            let group = &mut groups[place];
            group.columns.push(column as u32);
            group.mask.resize(column / 64 + 1, 0);
            group.mask[column / 64] |= 1 << (column % 64);
            let by_chain = matches!(request.aggregation, Aggregation::Rate | Aggregation::Delta);
            group.plain &= match kind {
                NumberKind::Level => true,
                NumberKind::Counter => by_chain || !request.increase,
                NumberKind::Delta { monotonic } => !(by_chain || (request.increase && monotonic)),
            };
        }
    }
    groups
}

/// What a rule gets to know of one or several series.
#[derive(Debug)]
pub struct RuleResult<'a> {
    /// Number of the rule among all rules.
    pub rule: u32,
    /// The result.
    pub outcome: RuleOutcome<'a>,
    /// How much of the window was covered.
    pub covered: Nanos,
    /// Until when (exclusive) it stays true, if no point arrives.
    pub valid_until: Nanos,
}

/// The result for one or several series with a window in common.
#[derive(Debug)]
pub enum RuleOutcome<'a> {
    /// No point inside.
    Empty,
    /// So many series have points that cover too little.
    WarmingUp(usize),
    /// Covered.
    Values {
        /// Per series the aggregate; not finite where it has no value.
        values: &'a [f64],
        /// The series.
        series: ResultSeries<'a>,
        /// Points inside the window.
        points: usize,
    },
}

/// The series of an answer, by their place in it.
#[derive(Debug)]
#[expect(private_interfaces, reason = "only ever asked for its series")]
pub enum ResultSeries<'a> {
    /// One series.
    One(SeriesId),
    /// Columns of a block.
    Columns(&'a Block, &'a [u32]),
}

impl ResultSeries<'_> {
    /// The series at a place.
    #[inline]
    pub fn get(&self, place: usize) -> SeriesId {
        match self {
            ResultSeries::One(series) => *series,
            ResultSeries::Columns(block, columns) => block.series(columns[place] as usize),
        }
    }
}

/// Hands on what a window says of one series, in the form of answers on several.
pub fn emit_one(rule: u32, series: SeriesId, judgement: WindowResult, emit: &mut impl FnMut(RuleResult<'_>)) {
    let WindowResult { outcome, covered, valid_until } = judgement;
    let mut hand_on = |outcome| emit(RuleResult { rule, outcome, covered, valid_until });
    match outcome {
        WindowOutcome::Empty => hand_on(RuleOutcome::Empty),
        WindowOutcome::WarmingUp => hand_on(RuleOutcome::WarmingUp(1)),
        WindowOutcome::NoValue => {
            hand_on(RuleOutcome::Values { values: &[f64::NAN], series: ResultSeries::One(series), points: 0 })
        }
        WindowOutcome::Value { value, points } => {
            hand_on(RuleOutcome::Values { values: &[value], series: ResultSeries::One(series), points });
        }
    }
}

/// A request with the rule it is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubscribedRequest {
    /// Number of the rule among all rules.
    pub rule: u32,
    /// What to compute.
    pub request: WindowRequest,
}
