//! The floors of a process: the least value of each bucket of 30 s, with its time.
//!
//! Closed buckets lie in a ring, at most 720 of them (6 h of a bucket each 30 s); buckets without a point are absent. A
//! point touches its own bucket alone. Points may be ahead of the bucket that closes next by as much as the engine accepts,
//! so there can be several open ones.

use crate::model::{Nanos, SECOND};
use std::collections::VecDeque;

/// Length of a bucket.
pub const BUCKET: Nanos = 30 * SECOND;

/// Buckets kept.
pub const KEPT: usize = 720;

/// The least value of a bucket; of several equal ones the first that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// When it was.
    pub time: Nanos,
    /// The value.
    pub value: f64,
}

impl Floor {
    /// Number of the bucket.
    pub fn bucket(&self) -> i64 {
        bucket_of(self.time)
    }
}

/// Number of the bucket a time lies in.
pub fn bucket_of(time: Nanos) -> i64 {
    time.div_euclid(BUCKET)
}

/// See the module's own words.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    closed: VecDeque<Floor>,
    /// By bucket; hardly ever more than one.
    open: Vec<Floor>,
}

impl Ring {
    /// Takes a point in.
    pub fn add(&mut self, time: Nanos, value: f64) {
        let bucket = bucket_of(time);
        match self.open.iter_mut().rev().find(|floor| floor.bucket() <= bucket) {
            Some(floor) if floor.bucket() == bucket => {
                if value < floor.value {
                    *floor = Floor { time, value };
                }
            }
            _ => {
                let place = self.open.partition_point(|floor| floor.bucket() < bucket);
                self.open.insert(place, Floor { time, value });
            }
        }
    }

    /// Closes the bucket that ends at `at`, and those before it that are still open. False when none had a point.
    pub fn close(&mut self, at: Nanos) -> bool {
        let over = self.open.partition_point(|floor| (floor.bucket() + 1) * BUCKET <= at);
        for floor in self.open.drain(..over) {
            if self.closed.len() == KEPT {
                self.closed.pop_front();
            } else if self.closed.len() == self.closed.capacity() {
                let room = self.closed.capacity().clamp(8, KEPT - self.closed.len());
                self.closed.reserve_exact(room);
            }
            self.closed.push_back(floor);
        }
        over > 0
    }

    /// Forgets the open buckets: the process has ended.
    pub fn drop_open(&mut self) {
        self.open.clear();
    }

    /// The end of the bucket that closes first.
    pub fn next_close(&self) -> Option<Nanos> {
        self.open.first().map(|floor| (floor.bucket() + 1).saturating_mul(BUCKET))
    }

    /// The closed floors, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Floor> {
        self.closed.iter().rev()
    }

    /// The newest closed floor.
    pub fn newest(&self) -> Option<&Floor> {
        self.closed.back()
    }

    /// The newest bucket that has a point, closed or not.
    pub fn newest_bucket(&self) -> Option<i64> {
        self.open.last().or(self.closed.back()).map(Floor::bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(ring: &Ring) -> Vec<(i64, f64)> {
        ring.newest_first().map(|floor| (floor.time / SECOND, floor.value)).collect()
    }

    #[test]
    fn the_least_value_of_a_bucket_is_kept_and_of_equal_ones_the_first() {
        let mut ring = Ring::default();
        for (second, value) in [(1, 5.0), (10, 3.0), (20, 3.0), (29, 4.0), (45, 9.0), (31, 8.0)] {
            ring.add(second * SECOND, value);
        }
        assert_eq!(ring.next_close(), Some(BUCKET));
        assert!(ring.close(BUCKET));
        assert_eq!(floors(&ring), [(10, 3.0)]);
        assert!(ring.close(2 * BUCKET) && !ring.close(3 * BUCKET));
        assert_eq!(floors(&ring), [(31, 8.0), (10, 3.0)]);
    }

    #[test]
    fn points_ahead_of_time_wait_for_their_bucket() {
        let mut ring = Ring::default();
        for (second, value) in [(65, 7.0), (5, 1.0), (35, 2.0), (66, 6.0)] {
            ring.add(second * SECOND, value);
        }
        assert!(ring.close(BUCKET));
        assert_eq!(floors(&ring), [(5, 1.0)]);
        assert!(ring.close(3 * BUCKET));
        assert_eq!(floors(&ring), [(66, 6.0), (35, 2.0), (5, 1.0)]);
    }

    #[test]
    fn six_hours_are_kept_in_eleven_kibibytes() {
        let mut ring = Ring::default();
        for bucket in 0..1000 {
            ring.add(bucket * BUCKET, bucket as f64);
            ring.close((bucket + 1) * BUCKET);
        }
        assert_eq!((ring.closed.len(), ring.closed.capacity()), (KEPT, KEPT));
        assert_eq!(size_of::<Floor>() * KEPT, 11_520);
        assert_eq!(ring.newest_first().last().map(Floor::bucket), Some(280));
    }
}
