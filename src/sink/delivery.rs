//! One sink's thread: takes events from the queue in their order, delivers each, and decides when to try again.
//!
//! Invariant: an event is delivered or given up before the next one is looked at, so that a receiver sees an event open
//! before it sees it close. Waiting ends at once when the queue is ended.
//!
//! The backoff is a dozen lines of our own: it outlives the event that failed, and libraries for retries are built around one
//! operation that begins anew.

use super::queue::{Attempt, DeliveryQueue, Loss, QueuedEvent};
use super::spec::{SinkError, SinkSpec};
use super::stream::Stream;
use super::warnings::{SinkTrouble, SinkWarnings};
use super::webhook::Webhook;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The wait after the first failure is up to this; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// No wait of our own is longer.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A receiver may ask for a longer one, up to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// No event is tried more often.
const MAX_ATTEMPTS: usize = 100;

/// What transitions are delivered to.
pub(super) enum Sink {
    Stream(Stream),
    Webhook(Webhook),
}

impl Sink {
    /// Opens the file, reads the secrets. Nothing is sent, and no connection is made.
    pub(super) fn open(spec: &SinkSpec, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SinkError> {
        let stream = match spec {
            SinkSpec::Stdout { .. } => Stream::stdout(),
            SinkSpec::File { path, .. } => Stream::file(path),
            SinkSpec::Webhook(webhook) => return Webhook::new(webhook, variable).map(Sink::Webhook),
        };
        stream.map(Sink::Stream).map_err(|error| SinkError::new(spec, format!("cannot open it for writing: {error}")))
    }

    /// What ends a request in flight.
    pub(super) fn interrupter(&self) -> Option<ureq::Agent> {
        match self {
            Sink::Webhook(webhook) => Some(webhook.interrupter()),
            Sink::Stream(_) => None,
        }
    }

    fn deliver(&mut self, event: &QueuedEvent) -> Attempt {
        match self {
            Sink::Stream(stream) => stream.deliver(&event.payload),
            Sink::Webhook(webhook) => webhook.deliver(event),
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
    pub queue: Arc<DeliveryQueue>,
    pub sink: Sink,
    /// How old an event may become.
    pub retry_for: Duration,
    pub warnings: SinkWarnings,
}

/// Ends the queue with the thread, however it ends, so that nobody waits for it.
struct End<'a>(&'a DeliveryQueue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end(Loss::Unfinished);
    }
}

impl Delivery {
    /// Delivers until nothing more comes.
    pub fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _end = End(&queue);
        let mut backoff = Backoff { not_before: queue.now(), failures: 0 };
        while let Some(event) = queue.next() {
            if !self.deliver(&event, &mut backoff) {
                break;
            }
        }
    }

    /// Brings one event to its end; false when there is nothing more to deliver.
    fn deliver(&mut self, event: &QueuedEvent, backoff: &mut Backoff) -> bool {
        let expires_at = event.queued_at + self.retry_for;
        for attempt in 0..MAX_ATTEMPTS {
            if !self.queue.wait_until(backoff.not_before.min(expires_at)) {
                return false;
            }
            if self.queue.now() >= expires_at {
                break;
            }
            if attempt > 0 {
                self.queue.retried();
            }
            match self.sink.deliver(event) {
                Attempt::Delivered => {
                    backoff.failures = 0;
                    self.queue.settle(Ok(()));
                    return true;
                }
                Attempt::Failed { why, after } => {
                    if !self.queue.failed(&why) {
                        return false;
                    }
                    self.warnings.report(SinkTrouble::Retrying, why);
                    backoff.slow_down(self.queue.now(), after);
                }
                Attempt::Refused(why) => {
                    backoff.failures = 0;
                    if !self.queue.failed(&why) {
                        return false;
                    }
                    self.lose(Loss::Refused, why);
                    return true;
                }
                Attempt::Gone => {
                    self.queue.end(Loss::ReaderGone);
                    return false;
                }
            }
        }
        self.sink.give_up();
        self.lose(Loss::Expired, String::new());
        true
    }

    fn lose(&self, loss: Loss, why: String) {
        self.queue.settle(Err(loss));
        self.warnings.report(SinkTrouble::Lost(loss), why);
    }
}

/// When the next attempt may be made. It outlives an event: a receiver that is down is down for the next one, too.
struct Backoff {
    not_before: Instant,
    /// Failures since the receiver last answered.
    failures: u32,
}

impl Backoff {
    /// Exponential backoff with full jitter, so that many senders do not come back together.
    fn slow_down(&mut self, now: Instant, retry_after: Option<Duration>) {
        let longest = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(MAX_WAIT);
        self.failures = self.failures.saturating_add(1);
        let own = longest.mul_f64(fastrand::f64());
        self.not_before = now + own.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, MAX_RETRY_AFTER, MAX_WAIT};
    use std::time::{Duration, Instant};

    #[test]
    fn waits_grow_to_a_bound_and_respect_what_was_asked() {
        let wait = |failures, retry_after| {
            #[allow(clippy::disallowed_methods, reason = "any instant will do")]
            let start = Instant::now();
            let mut backoff = Backoff { not_before: start, failures };
            backoff.slow_down(start, retry_after);
            assert_eq!(backoff.failures, failures.saturating_add(1));
            backoff.not_before - start
        };
        let seconds = Duration::from_secs;
        for _ in 0..100 {
            assert!(wait(0, None) <= Duration::from_millis(250));
            assert!(wait(3, None) <= seconds(2));
            assert!(wait(u32::MAX, None) <= MAX_WAIT);
            assert!(wait(0, Some(seconds(7))) >= seconds(7));
            assert!(wait(0, Some(Duration::MAX)) <= MAX_RETRY_AFTER);
        }
        let longest = (0..100).map(|_| wait(10, None)).max();
        assert!(longest > Some(seconds(30)), "the bound is used: {longest:?}");
    }
}
