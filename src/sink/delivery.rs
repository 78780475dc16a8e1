//! One sink's thread: takes events from the queue in their order, delivers each, and decides when to try again.
//!
//! Invariant: an event is delivered or given up before the next one is looked at, so that a receiver sees an event open
//! before it sees it close. Waiting ends at once when the queue is ended.

use super::lane::{Item, Lane, Loss};
use super::notice::{Notices, Trouble};
use super::stream::Stream;
use super::webhook::Webhook;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The wait after the first failure is up to this; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No wait of our own is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A receiver may ask for a longer one, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// No event is tried more often.
const MOST_ATTEMPTS: usize = 100;

/// What transitions are delivered to.
pub(super) enum Sink {
    Stream(Stream),
    Webhook(Webhook),
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// Worth another attempt, which the receiver may have asked to be made later.
    Failed {
        why: String,
        after: Option<Duration>,
    },
    /// Never to be taken.
    Refused {
        why: String,
    },
    /// Nobody reads any more.
    Gone,
}

impl Sink {
    fn deliver(&mut self, item: &Item) -> Outcome {
        match self {
            Sink::Stream(stream) => stream.deliver(&item.body),
            Sink::Webhook(webhook) => webhook.deliver(item),
        }
    }

    fn give_up(&mut self) {
        match self {
            Sink::Stream(stream) => stream.give_up(),
            Sink::Webhook(_) => {}
        }
    }
}

/// The state of a sink's thread.
pub(super) struct Delivery {
    pub lane: Arc<Lane>,
    pub sink: Sink,
    /// How old an event may become.
    pub retry_for: Duration,
    pub notices: Notices,
}

/// Ends the queue with the thread, however it ends, so that nobody waits for it.
struct End<'a>(&'a Lane);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end(Loss::Unfinished);
    }
}

impl Delivery {
    /// Delivers until nothing more comes.
    pub fn run(mut self) {
        let lane = Arc::clone(&self.lane);
        let _end = End(&lane);
        let mut pace = Pace { not_before: lane.now(), failures: 0 };
        while let Some(item) = lane.next() {
            if !self.deliver(&item, &mut pace) {
                break;
            }
        }
    }

    /// Brings one event to its end; false when there is nothing more to deliver.
    fn deliver(&mut self, item: &Item, pace: &mut Pace) -> bool {
        let expires_at = item.queued_at + self.retry_for;
        for attempt in 0..MOST_ATTEMPTS {
            if !self.lane.wait_until(pace.not_before.min(expires_at)) {
                return false;
            }
            if self.lane.now() >= expires_at {
                break;
            }
            if attempt > 0 {
                self.lane.retried();
            }
            match self.sink.deliver(item) {
                Outcome::Delivered => {
                    pace.failures = 0;
                    self.lane.settle(Ok(()));
                    return true;
                }
                Outcome::Failed { why, after } => {
                    if !self.lane.failed(&why) {
                        return false;
                    }
                    self.notices.tell(Trouble::Retrying, why);
                    pace.slow_down(self.lane.now(), after);
                }
                Outcome::Refused { why } => {
                    pace.failures = 0;
                    if !self.lane.failed(&why) {
                        return false;
                    }
                    self.lose(Loss::Refused, why);
                    return true;
                }
                Outcome::Gone => {
                    self.lane.end(Loss::ReaderGone);
                    return false;
                }
            }
        }
        self.sink.give_up();
        self.lose(Loss::Expired, String::new());
        true
    }

    fn lose(&self, loss: Loss, why: String) {
        self.lane.settle(Err(loss));
        self.notices.tell(Trouble::Lost(loss), why);
    }
}

/// When the next attempt may be made. It outlives an event: a receiver that is down is down for the next one, too.
struct Pace {
    not_before: Instant,
    /// Failures since the receiver last answered.
    failures: u32,
}

impl Pace {
    /// Exponential backoff with full jitter, so that many senders do not come back together.
    fn slow_down(&mut self, now: Instant, asked: Option<Duration>) {
        let longest = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        let own = longest.mul_f64(fastrand::f64());
        self.not_before = now + own.max(asked.unwrap_or_default().min(LONGEST_ASKED));
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_ASKED, LONGEST_WAIT, Pace};
    use std::time::{Duration, Instant};

    #[test]
    fn waits_grow_to_a_bound_and_respect_what_was_asked() {
        let wait = |failures, asked| {
            #[allow(clippy::disallowed_methods, reason = "any instant will do")]
            let start = Instant::now();
            let mut pace = Pace { not_before: start, failures };
            pace.slow_down(start, asked);
            assert_eq!(pace.failures, failures.saturating_add(1));
            pace.not_before - start
        };
        let seconds = Duration::from_secs;
        for _ in 0..100 {
            assert!(wait(0, None) <= Duration::from_millis(250));
            assert!(wait(3, None) <= seconds(2));
            assert!(wait(u32::MAX, None) <= LONGEST_WAIT);
            assert!(wait(0, Some(seconds(7))) >= seconds(7));
            assert!(wait(0, Some(Duration::MAX)) <= LONGEST_ASKED);
        }
        let longest = (0..100).map(|_| wait(10, None)).max();
        assert!(longest > Some(seconds(30)), "the bound is used: {longest:?}");
    }
}
