//! Lanes: for reports that are alike, the column of each point. Equal processes share them, so they stay warm.

use super::resource::{ELSEWHERE, NOWHERE};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// The columns that the points of a report go to, or `NOWHERE`.
#[derive(Debug)]
pub(super) struct Lane {
    pub columns: Arc<[u32]>,
    /// How many points have a column; no two the same.
    pub kept: usize,
}

/// All lanes, each kept once.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    list: Vec<Lane>,
    by_columns: HashMap<Arc<[u32]>, u32, RandomState>,
}

impl Lanes {
    #[inline]
    pub fn get(&self, number: u32) -> &Lane {
        &self.list[number as usize]
    }

    /// The number of the lane with these columns; `None` when a point has a place elsewhere or two have the same.
    pub fn number(&mut self, columns: Arc<[u32]>) -> Option<u32> {
        if let Some(&number) = self.by_columns.get(&columns) {
            return Some(number);
        }
        let mut kept: Vec<u32> = columns.iter().copied().filter(|&column| column != NOWHERE).collect();
        kept.sort_unstable();
        if kept.contains(&ELSEWHERE) || kept.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        let number = self.list.len() as u32;
        self.by_columns.insert(columns.clone(), number);
        self.list.push(Lane { columns, kept: kept.len() });
        Some(number)
    }
}
