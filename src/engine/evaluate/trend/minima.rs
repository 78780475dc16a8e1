//! The minima of a process: the least value of each bucket of 30 s, with its time.
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

/// How long the points of a silent life are something to compare with.
pub const KEPT_FOR: Nanos = (KEPT as Nanos + 2) * BUCKET;

/// The least value of a bucket; of several equal ones the first that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketMinimum {
    /// When it was.
    pub time: Nanos,
    /// The value.
    pub value: f64,
}

impl BucketMinimum {
    /// Number of the bucket.
    pub fn bucket(&self) -> i64 {
        bucket_of(self.time)
    }
}

/// Number of the bucket a time lies in.
pub fn bucket_of(time: Nanos) -> i64 {
    time.div_euclid(BUCKET)
}

/// The minima of one process.
#[derive(Clone, Debug, Default)]
pub struct Minima {
    closed: VecDeque<BucketMinimum>,
    /// By bucket; hardly ever more than one.
    open: Vec<BucketMinimum>,
}

impl Minima {
    /// Takes a point in.
    pub fn add(&mut self, time: Nanos, value: f64) {
        let bucket = bucket_of(time);
        match self.open.iter_mut().rev().find(|minimum| minimum.bucket() <= bucket) {
            Some(minimum) if minimum.bucket() == bucket => {
                if value < minimum.value {
                    *minimum = BucketMinimum { time, value };
                }
            }
            _ => {
                let place = self.open.partition_point(|minimum| minimum.bucket() < bucket);
                self.open.insert(place, BucketMinimum { time, value });
            }
        }
    }

    /// Closes the bucket that ends at `at`, and those before it that are still open. False when none had a point.
    pub fn close(&mut self, at: Nanos) -> bool {
        let over = self.open.partition_point(|minimum| (minimum.bucket() + 1) * BUCKET <= at);
        for minimum in self.open.drain(..over) {
            if self.closed.len() == KEPT {
                self.closed.pop_front();
            } else if self.closed.len() == self.closed.capacity() {
                let room = self.closed.capacity().clamp(8, KEPT - self.closed.len());
                self.closed.reserve_exact(room);
            }
            self.closed.push_back(minimum);
        }
        over > 0
    }

    /// Forgets the open buckets: the process has ended.
    pub fn drop_open(&mut self) {
        self.open.clear();
    }

    /// The end of the bucket that closes first.
    pub fn next_close(&self) -> Option<Nanos> {
        self.open.first().map(|minimum| (minimum.bucket() + 1).saturating_mul(BUCKET))
    }

    /// The closed minima, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &BucketMinimum> {
        self.closed.iter().rev()
    }

    /// The newest closed minimum.
    pub fn newest(&self) -> Option<&BucketMinimum> {
        self.closed.back()
    }

    /// The newest bucket that has a point, closed or not.
    pub fn newest_bucket(&self) -> Option<i64> {
        self.open.last().or(self.closed.back()).map(BucketMinimum::bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(minima: &Minima) -> Vec<(i64, f64)> {
        minima.newest_first().map(|minimum| (minimum.time / SECOND, minimum.value)).collect()
    }

    #[test]
    fn the_least_value_of_a_bucket_is_kept_and_of_equal_ones_the_first() {
        let mut minima = Minima::default();
        for (second, value) in [(1, 5.0), (10, 3.0), (20, 3.0), (29, 4.0), (45, 9.0), (31, 8.0)] {
            minima.add(second * SECOND, value);
        }
        assert_eq!(minima.next_close(), Some(BUCKET));
        assert!(minima.close(BUCKET));
        assert_eq!(pairs(&minima), [(10, 3.0)]);
        assert!(minima.close(2 * BUCKET) && !minima.close(3 * BUCKET));
        assert_eq!(pairs(&minima), [(31, 8.0), (10, 3.0)]);
    }

    #[test]
    fn points_ahead_of_time_wait_for_their_bucket() {
        let mut minima = Minima::default();
        for (second, value) in [(65, 7.0), (5, 1.0), (35, 2.0), (66, 6.0)] {
            minima.add(second * SECOND, value);
        }
        assert!(minima.close(BUCKET));
        assert_eq!(pairs(&minima), [(5, 1.0)]);
        assert!(minima.close(3 * BUCKET));
        assert_eq!(pairs(&minima), [(66, 6.0), (35, 2.0), (5, 1.0)]);
    }

    #[test]
    fn six_hours_are_kept_in_eleven_kibibytes() {
        let mut minima = Minima::default();
        for bucket in 0..1000 {
            minima.add(bucket * BUCKET, bucket as f64);
            minima.close((bucket + 1) * BUCKET);
        }
        assert_eq!((minima.closed.len(), minima.closed.capacity()), (KEPT, KEPT));
        assert_eq!(size_of::<BucketMinimum>() * KEPT, 11_520);
        assert_eq!(minima.newest_first().last().map(BucketMinimum::bucket), Some(280));
    }
}
