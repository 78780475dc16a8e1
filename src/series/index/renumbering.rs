//! New numbers for what stays after an eviction, in the old order.

/// The new number of each thing, or that it is gone.
#[derive(Debug)]
pub struct Renumbering {
    new: Vec<u32>,
    len: u32,
}

const GONE: u32 = u32::MAX;

impl Renumbering {
    /// Of things numbered from 0, by whether they stay.
    pub fn of(stays: impl Iterator<Item = bool>) -> Self {
        let mut len = 0;
        let number = |stays: bool| {
            if !stays {
                return GONE;
            }
            len += 1;
            len - 1
        };
        let new = stays.map(number).collect();
        Renumbering { new, len }
    }

    /// The new number; `None` of what does not stay.
    #[inline]
    pub fn get(&self, old: u32) -> Option<u32> {
        self.new.get(old as usize).copied().filter(|&new| new != GONE)
    }

    /// How many stay.
    pub fn remaining(&self) -> usize {
        self.len as usize
    }

    /// Those of these things, in their order, that stay.
    pub fn keep<T>(&self, things: Vec<T>) -> Vec<T> {
        let mut kept = Vec::with_capacity(self.remaining());
        kept.extend(things.into_iter().zip(&self.new).filter(|(_, new)| **new != GONE).map(|(thing, _)| thing));
        kept
    }
}
